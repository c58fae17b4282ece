#include "conf/key_set.h"

#include "shared/jose_jwk.h"
#include "shared/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

void key_set_free(struct key_set *set)
{
    arena_free(&set->arena);
    memset(set, 0, sizeof(*set));
}

static void key_refused(struct slice config, size_t index, struct slice kid, const char *reason)
{
    log_warning("key_refused", "config %.*s: key %zu (kid \"%.*s\") is not used: %s",
                (int)config.size, config.data, index + 1, (int)kid.size, kid.data, reason);
}

static int key_prepare(const struct jwk *jwk, struct key_set *set, const char **reason)
{
    struct key_record *key = &set->keys[set->count];
    struct buffer der = {0};
    int status = jose_jwk_to_der(jwk, &der, &key->algorithms, reason);

    if (status == 0) {
        key->kid = jwk->kid;
        key->der = arena_copy(&set->arena, buffer_slice(&der));
        key->thumbprint = arena_copy(&set->arena, slice_from(jwk->thumbprint));
        if (key->der.data == NULL || key->thumbprint.data == NULL)
            status = -ENOMEM;
    }
    buffer_free(&der);
    return status;
}

/* The same key twice under one kid would be two records of one meaning. */
static bool key_known(const struct key_set *set)
{
    const struct key_record *key = &set->keys[set->count];

    for (size_t i = 0; i < set->count; i++)
        if (slice_equal(set->keys[i].kid, key->kid) &&
            slice_equal(set->keys[i].thumbprint, key->thumbprint) &&
            set->keys[i].algorithms == key->algorithms)
            return true;
    return false;
}

static int key_set_prepare(const struct jwk_set *parsed, struct slice config, struct key_set *out)
{
    const char *reason = "";

    for (size_t i = 0; i < parsed->count; i++) {
        int status = key_prepare(&parsed->keys[i], out, &reason);

        if (status == -EINVAL)
            key_refused(config, parsed->keys[i].index, parsed->keys[i].kid, reason);
        else if (status < 0)
            return status;
        else if (!key_known(out))
            out->count++;
    }
    return 0;
}

int key_set_read(struct slice text, struct slice config, struct key_set *out, const char **reason)
{
    struct jwk_set parsed = {0};
    int status;

    memset(out, 0, sizeof(*out));
    status = jwk_set_parse(text, &out->arena, &parsed, reason);
    if (status < 0)
        return status;
    for (size_t i = 0; i < parsed.refusal_count; i++)
        key_refused(config, parsed.refusals[i].index, parsed.refusals[i].kid,
                    parsed.refusals[i].reason);
    out->keys = arena_array(&out->arena, parsed.count + 1, sizeof(*out->keys));
    if (out->keys == NULL)
        return -ENOMEM;
    status = key_set_prepare(&parsed, config, out);
    if (status == 0 && out->count == 0) {
        *reason = "no key of the set can be used";
        return -EINVAL;
    }
    return status;
}

/* The records of before: their keys are kept, so that what left can be deleted. */
struct standing {
    struct standing *next;
    struct store_key key;
    struct slice kid;
    struct slice thumbprint;
    uint32_t algorithms;
};

struct standing_list {
    struct arena arena;
    struct standing *first;
};

static int visit_standing(void *context, struct slice key, struct slice value)
{
    struct standing_list *list = context;
    struct standing *standing = arena_allocate(&list->arena, sizeof(*standing));
    struct key_record record;

    if (standing == NULL || store_key_take(&standing->key, key) != 0)
        return -ENOMEM;
    if (key_record_decode(value, &record) == 0) {
        standing->kid = arena_copy(&list->arena, record.kid);
        standing->thumbprint = arena_copy(&list->arena, record.thumbprint);
        standing->algorithms = record.algorithms;
    }
    standing->next = list->first;
    list->first = standing;
    return 0;
}

static bool standing_stays(const struct standing *standing, const struct key_set *set)
{
    for (size_t i = 0; set != NULL && i < set->count; i++)
        if (slice_equal(set->keys[i].kid, standing->kid) &&
            slice_equal(set->keys[i].thumbprint, standing->thumbprint) &&
            (standing->algorithms & ~set->keys[i].algorithms) == 0)
            return true;
    return false;
}

/* config/kid/n: n counts the keys of one kid. */
static void key_name(const struct key_set *set, size_t index, struct slice config,
                     struct store_key *key)
{
    char number[24];
    size_t n = 0;

    for (size_t i = 0; i < index; i++)
        n += slice_equal(set->keys[i].kid, set->keys[index].kid);
    snprintf(number, sizeof(number), "%zu", n);
    store_key_begin(key);
    store_key_part(key, config);
    store_key_part(key, set->keys[index].kid);
    store_key_plain(key, number);
}

static int key_write(const struct key_record *key, const struct store_key *name,
                     struct publication *publication)
{
    struct buffer bytes = {0};
    int status = key_record_encode(key, &bytes);

    if (status == 0)
        status = publication_put(publication, STORE_KEYS, name, buffer_slice(&bytes));
    buffer_free(&bytes);
    return status;
}

static int keys_scan(struct slice config, struct store *store, store_visit visit, void *context)
{
    struct store_key prefix;
    char text[STORE_KEY_MAX + 2];
    int size;

    store_key_of(&prefix, config);
    size = snprintf(text, sizeof(text), "%s/", prefix.text);
    return store_scan(store, STORE_KEYS, slice_make(text, (size_t)size), slice_from(""), visit,
                      context);
}

int key_set_write(const struct key_set *set, struct slice config, int64_t fetched,
                  int64_t good_until, struct store *store, struct publication *publication,
                  bool *left)
{
    struct standing_list list = {0};
    int status = keys_scan(config, store, visit_standing, &list);

    *left = false;
    for (struct standing *standing = list.first; standing != NULL && status == 0;
         standing = standing->next) {
        *left = *left || !standing_stays(standing, set);
        status = publication_delete(publication, STORE_KEYS, &standing->key);
    }
    for (size_t i = 0; set != NULL && i < set->count && status == 0; i++) {
        struct key_record key = set->keys[i];
        struct store_key name;

        key.fetched = fetched;
        key.good_until = good_until;
        key_name(set, i, config, &name);
        status = key_write(&key, &name, publication);
    }
    arena_free(&list.arena);
    return status;
}

struct renewal {
    struct publication *publication;
    int64_t fetched;
    int64_t good_until;
    size_t count;
    bool damaged;
};

static int visit_renewal(void *context, struct slice key, struct slice value)
{
    struct renewal *renewal = context;
    struct key_record record;
    struct store_key name;

    if (key_record_decode(value, &record) < 0 || key.size > STORE_KEY_MAX) {
        renewal->damaged = true;
        return 0;
    }
    record.fetched = renewal->fetched;
    record.good_until = renewal->good_until;
    store_key_begin(&name);
    memcpy(name.text, key.data, key.size);
    name.text[key.size] = '\0';
    name.size = key.size;
    renewal->count++;
    return key_write(&record, &name, renewal->publication);
}

int key_set_renew(struct slice config, int64_t fetched, int64_t good_until, struct store *store,
                  struct publication *publication, size_t *count)
{
    struct renewal renewal = {
        .publication = publication, .fetched = fetched, .good_until = good_until};
    int status = keys_scan(config, store, visit_renewal, &renewal);

    *count = renewal.damaged ? 0 : renewal.count;
    return status;
}
