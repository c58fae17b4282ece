#include "conf/publication.h"

#include "shared/clock.h"
#include "shared/generation_record.h"
#include "shared/record.h"
#include "shared/revocation_record.h"

#include <errno.h>
#include <stdlib.h>

enum { PUBLICATION_BUCKETS = 4096 };

struct change {
    struct change *next;   /* in its bucket */
    struct change *before; /* in order of first mention, newest first */
    enum store_database database;
    struct store_key key;
    bool deleted;
    char *value; /* owned */
    size_t size;
};

struct publication {
    struct store *store;
    struct change *newest;
    struct change *buckets[PUBLICATION_BUCKETS];
};

int publication_begin(struct publication **out, struct store *store)
{
    struct publication *publication = calloc(1, sizeof(*publication));

    if (publication == NULL)
        return -ENOMEM;
    publication->store = store;
    store_turn_begin(store);
    *out = publication;
    return 0;
}

void publication_abort(struct publication *publication)
{
    struct change *change = publication->newest;

    while (change != NULL) {
        struct change *before = change->before;

        free(change->value);
        free(change);
        change = before;
    }
    store_turn_end(publication->store);
    free(publication);
}

/* FNV-1a: keys are our own, bounded, and partly digests. */
static size_t bucket_of(enum store_database database, const struct store_key *key)
{
    uint64_t hash = 14695981039346656037u ^ (uint64_t)database;

    for (size_t i = 0; i < key->size; i++)
        hash = (hash ^ (uint8_t)key->text[i]) * 1099511628211u;
    return (size_t)(hash % PUBLICATION_BUCKETS);
}

static struct change *change_find(const struct publication *publication,
                                  enum store_database database, const struct store_key *key)
{
    struct change *change = publication->buckets[bucket_of(database, key)];

    while (change != NULL && (change->database != database ||
                              !slice_equal(store_key_slice(&change->key), store_key_slice(key))))
        change = change->next;
    return change;
}

static struct change *change_make(struct publication *publication, enum store_database database,
                                  const struct store_key *key)
{
    struct change *change = change_find(publication, database, key);
    struct change **bucket = &publication->buckets[bucket_of(database, key)];

    if (change != NULL)
        return change;
    change = calloc(1, sizeof(*change));
    if (change == NULL)
        return NULL;
    change->database = database;
    change->key = *key;
    change->deleted = true;
    change->next = *bucket;
    *bucket = change;
    change->before = publication->newest;
    publication->newest = change;
    return change;
}

int publication_get(struct publication *publication, enum store_database database,
                    const struct store_key *key, struct slice *value)
{
    const struct change *change = change_find(publication, database, key);

    if (change == NULL)
        return store_get(publication->store, database, key, value);
    if (change->deleted)
        return -ENOENT;
    *value = slice_make(change->value, change->size);
    return 0;
}

int publication_put(struct publication *publication, enum store_database database,
                    const struct store_key *key, struct slice value)
{
    struct change *change;
    char *copy;

    if (value.size > STORE_RECORD_MAX)
        return -EMSGSIZE;
    copy = malloc(value.size + 1);
    if (copy == NULL)
        return -ENOMEM;
    if (value.size > 0)
        memcpy(copy, value.data, value.size);
    change = change_make(publication, database, key);
    if (change == NULL) {
        free(copy);
        return -ENOMEM;
    }
    free(change->value);
    change->value = copy;
    change->size = value.size;
    change->deleted = false;
    return 0;
}

int publication_delete(struct publication *publication, enum store_database database,
                       const struct store_key *key)
{
    struct change *change = change_make(publication, database, key);

    if (change == NULL)
        return -ENOMEM;
    free(change->value);
    change->value = NULL;
    change->size = 0;
    change->deleted = true;
    return 0;
}

/* 1 when the store holds something else than the change wants, 0 when not, or -errno. */
static int change_differs(const struct publication *publication, const struct change *change)
{
    struct slice now;
    int status = store_get(publication->store, change->database, &change->key, &now);

    if (status == -ENOENT)
        return !change->deleted;
    if (status < 0)
        return status;
    return change->deleted || !slice_equal(now, slice_make(change->value, change->size));
}

/* What a transaction moves. */
struct movement {
    bool generation, revocations;
};

/* Takes out of the list what needs no writing; look-ups by key end here. 0 or -errno. */
static int publication_reduce(struct publication *publication, struct movement *movement)
{
    struct change **link = &publication->newest;

    while (*link != NULL) {
        struct change *change = *link;
        int differs = change_differs(publication, change);

        if (differs < 0)
            return differs;
        if (differs) {
            if (change->database == STORE_REVOCATIONS)
                movement->revocations = true;
            else
                movement->generation = true;
            link = &change->before;
            continue;
        }
        *link = change->before;
        free(change->value);
        free(change);
    }
    return 0;
}

/* *fresh: the environment never had a transaction of ours. */
static int numbers_read(struct store *store, struct publication_numbers *numbers, bool *fresh)
{
    struct store_key key;
    struct slice value;
    int status;

    memset(numbers, 0, sizeof(*numbers));
    generation_record_key(&key);
    status = store_get(store, STORE_META, &key, &value);
    *fresh = status == -ENOENT;
    if (status == 0)
        status = generation_record_decode(value, &numbers->generation);
    if (status < 0 && !*fresh)
        return status;
    revocation_sequence_key(&key);
    status = store_get(store, STORE_META, &key, &value);
    if (status == -ENOENT) {
        numbers->revocations = numbers->generation;
        return 0;
    }
    return status < 0 ? status : revocation_sequence_decode(value, &numbers->revocations);
}

static int meta_put(struct store *store, const struct store_key *key, int encoded,
                    struct buffer *bytes)
{
    int status = encoded;

    if (status == 0)
        status = store_put(store, STORE_META, key, buffer_slice(bytes));
    buffer_free(bytes);
    return status;
}

static int meta_put_time(struct store *store)
{
    struct record_writer writer;
    struct buffer bytes = {0};
    struct store_key key;

    record_begin(&writer, &bytes, '1');
    record_put_number(&writer, "time", clock_wall_seconds());
    store_key_of(&key, slice_from("time"));
    return meta_put(store, &key, record_finish(&writer), &bytes);
}

/* `meta`: the numbers, and when they were made. */
static int meta_write(struct store *store, const struct movement *movement,
                      const struct publication_numbers *numbers)
{
    struct buffer bytes = {0};
    struct store_key key;
    int status = meta_put_time(store);

    generation_record_key(&key);
    if (status == 0 && movement->generation)
        status =
            meta_put(store, &key, generation_record_encode(numbers->generation, &bytes), &bytes);
    revocation_sequence_key(&key);
    if (status == 0 && movement->revocations)
        status =
            meta_put(store, &key, revocation_sequence_encode(numbers->revocations, &bytes), &bytes);
    return status;
}

static int changes_write(const struct publication *publication)
{
    int status = 0;

    for (struct change *change = publication->newest; change != NULL && status == 0;
         change = change->before) {
        if (change->deleted)
            status = store_delete(publication->store, change->database, &change->key);
        else
            status = store_put(publication->store, change->database, &change->key,
                               slice_make(change->value, change->size));
    }
    return status;
}

/* Whether the snapshot is older than one that was seen: someone turned the lock file back. */
static bool numbers_fell(const struct publication_numbers *now,
                         const struct publication_numbers *before)
{
    return now->generation < before->generation || now->revocations < before->revocations;
}

/* `present`: what the changes were made against. */
static int publication_write(const struct publication *publication, const struct movement *movement,
                             const struct publication_numbers *present,
                             const struct publication_numbers *numbers)
{
    struct store *store = publication->store;
    struct publication_numbers newest;
    bool fresh;
    int status = store_write_begin(store);

    if (status < 0)
        return status;
    status = numbers_read(store, &newest, &fresh);
    if (status == 0 && numbers_fell(present, &newest))
        status = -ESTALE;
    if (status == 0)
        status = meta_write(store, movement, numbers);
    if (status == 0)
        status = changes_write(publication);
    if (status == 0)
        return store_commit(store);
    store_abort(store);
    return status;
}

int publication_commit(struct publication *publication, struct publication_numbers *numbers)
{
    struct publication_numbers before = *numbers;
    struct movement movement = {0};
    bool fresh = false;
    int status = publication_reduce(publication, &movement);

    if (status == 0)
        status = numbers_read(publication->store, numbers, &fresh);
    if (status == 0 && numbers_fell(numbers, &before))
        status = -ESTALE;
    movement.generation = movement.generation || fresh;
    if (status == 0 && (movement.generation || movement.revocations)) {
        struct publication_numbers next = {.generation = numbers->generation + movement.generation,
                                           .revocations =
                                               numbers->revocations + movement.revocations};

        status = publication_write(publication, &movement, numbers, &next);
        if (status == 0) {
            *numbers = next;
            status = 1;
        }
    }
    publication_abort(publication);
    return status;
}
