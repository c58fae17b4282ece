#include "worker/policy_cache.h"

#include "shared/session_record.h"

#include <errno.h>
#include <stdlib.h>

/* The sides of a caller's roles, while they are read. */
struct reading {
    struct policy_record records[2 * SESSION_ROLES_MAX];
    void *owned[2 * SESSION_ROLES_MAX];
    size_t count;
    bool missing;
};

/* Each part's size goes before it: no two callers share a name. */
static struct slice cache_name(struct policy_cache *cache, const struct policy_caller *caller)
{
    struct buffer *name = &cache->name;
    int error;

    buffer_clear(name);
    error = buffer_append(name, &caller->app.size, sizeof(caller->app.size));
    if (error == 0)
        error = buffer_append_slice(name, caller->app);
    for (size_t i = 0; i < caller->role_count && error == 0; i++) {
        error = buffer_append(name, &caller->roles[i].size, sizeof(caller->roles[i].size));
        if (error == 0)
            error = buffer_append_slice(name, caller->roles[i]);
    }
    return error == 0 ? buffer_slice(name) : slice_make(NULL, 0);
}

struct policy_set *policy_cache_find(struct policy_cache *cache, const struct policy_caller *caller)
{
    struct slice name = cache_name(cache, caller);
    struct policy_set *set = name.size == 0 ? NULL : name_table_find(&cache->sets, name);

    return set == NULL ? NULL : policy_set_hold(set);
}

static void set_release(void *set)
{
    policy_set_release(set);
}

void policy_cache_clear(struct policy_cache *cache)
{
    name_table_clear(&cache->sets, set_release);
    cache->size = 0;
}

void policy_cache_free(struct policy_cache *cache)
{
    policy_cache_clear(cache);
    buffer_free(&cache->name);
}

static int reading_side(struct reading *reading, struct store *store, struct slice role, bool deny)
{
    struct policy_record *record = &reading->records[reading->count];
    struct store_key key;
    struct slice value;
    int status;

    policy_record_key(&key, role, deny);
    status = store_get(store, STORE_POLICIES, &key, &value);
    if (status == 0)
        status = policy_record_decode(value, record, &reading->owned[reading->count]);
    if (status < 0)
        return status == -ENOENT ? -EBADMSG : status; /* a match without its side */
    reading->count++;
    /* A key that was made by a digest is proven by the record's own name. */
    return slice_equal(record->role, role) && record->deny == deny ? 0 : -EBADMSG;
}

static int reading_role(struct reading *reading, struct store *store, struct slice app,
                        struct slice role)
{
    struct policy_match match;
    struct store_key key;
    struct slice value;
    int status;

    if (slice_is(role, POLICY_ROLE_ACCESS)) {
        reading->records[reading->count++] = *policy_record_access();
        return 0;
    }
    policy_match_key(&key, app, role);
    status = store_get(store, STORE_POLICIES, &key, &value);
    if (status == -ENOENT) {
        reading->missing = true;
        return 0;
    }
    if (status == 0)
        status = policy_match_decode(value, &match);
    if (status == 0 && match.allow)
        status = reading_side(reading, store, role, false);
    if (status == 0 && match.deny)
        status = reading_side(reading, store, role, true);
    return status;
}

static int cache_keep(struct policy_cache *cache, const struct policy_caller *caller,
                      struct policy_set *set)
{
    struct slice name;
    int status;

    if (cache->sets.count >= POLICY_CACHE_SETS ||
        cache->size + policy_set_size(set) > POLICY_CACHE_BYTES)
        policy_cache_clear(cache);
    name = cache_name(cache, caller);
    status = name.size == 0 ? -ENOMEM : name_table_put(&cache->sets, name, set);
    if (status == 0) {
        policy_set_hold(set);
        cache->size += policy_set_size(set);
    }
    return status;
}

int policy_cache_load(struct policy_cache *cache, struct store *store,
                      const struct policy_caller *caller, bool keep, bool *missing,
                      struct policy_set **out)
{
    struct reading *reading = calloc(1, sizeof(*reading));
    int status = 0;

    if (reading == NULL)
        return -ENOMEM;
    if (caller->role_count > SESSION_ROLES_MAX)
        status = -EBADMSG;
    for (size_t i = 0; i < caller->role_count && status == 0; i++)
        status = reading_role(reading, store, caller->app, caller->roles[i]);
    if (status == 0)
        status = policy_set_make(out, reading->records, reading->count);
    *missing = reading->missing;
    for (size_t i = 0; i < sizeof(reading->owned) / sizeof(reading->owned[0]); i++)
        free(reading->owned[i]);
    free(reading);
    if (status == 0 && (keep || !*missing))
        status = cache_keep(cache, caller, *out);
    if (status < 0 && *out != NULL) {
        policy_set_release(*out);
        *out = NULL;
    }
    return status;
}
