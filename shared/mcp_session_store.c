#include "shared/mcp_session_store.h"

#include "shared/store_sweep.h"

#include <errno.h>

enum { TOUCHES = 4 }; /* in an idle time */

void mcp_session_key(struct store_key *key, struct slice app, struct slice id)
{
    store_key_begin(key);
    store_key_part(key, app);
    store_key_part(key, id);
}

static int64_t mcp_session_idle_seconds(uint64_t idle)
{
    return (int64_t)((idle + idle / TOUCHES) / 1000);
}

bool mcp_session_is_idle(const struct mcp_session_record *record, int64_t now, uint64_t idle)
{
    return now - record->used > mcp_session_idle_seconds(idle);
}

bool mcp_session_wants_touch(int64_t used, int64_t now, uint64_t idle)
{
    return now - used > (int64_t)(idle / TOUCHES / 1000);
}

int mcp_session_find(struct store *store, const struct store_key *key, struct slice id,
                     struct mcp_session_record *out)
{
    struct slice value;
    int error = store_get(store, STORE_MCP_SESSIONS, key, &value);

    if (error != 0)
        return error;
    /* A long id is a digest in the key; here it stands in full. */
    if (mcp_session_record_decode(value, out) != 0 || !slice_equal(out->id, id))
        return -ENOENT;
    return 0;
}

static int mcp_session_write(struct store *store, const struct store_key *key,
                             const struct mcp_session_record *record)
{
    struct buffer bytes = {0};
    int error = mcp_session_record_encode(record, &bytes);

    if (error == 0)
        error = store_put(store, STORE_MCP_SESSIONS, key, buffer_slice(&bytes));
    buffer_free(&bytes);
    return error;
}

int mcp_session_put(struct store *store, const struct store_key *key,
                    const struct mcp_session_record *record, uint64_t idle)
{
    struct mcp_session_record old;
    int error = mcp_session_find(store, key, record->id, &old);

    if (error != 0 && error != -ENOENT)
        return error;
    if (error == 0 && !mcp_session_is_idle(&old, record->used, idle) &&
        !mcp_origin_same_owner(&old.origin, &record->origin))
        return -EEXIST;
    return mcp_session_write(store, key, record);
}

int mcp_session_set_version(struct store *store, const struct store_key *key, struct slice version,
                            struct slice identity)
{
    struct mcp_session_record record;
    struct slice value;
    int error = store_get(store, STORE_MCP_SESSIONS, key, &value);

    if (error != 0 || mcp_session_record_decode(value, &record) != 0)
        return error == -ENOENT ? 0 : error;
    record.version = version;
    record.identity = identity;
    return mcp_session_write(store, key, &record);
}

/* The record, while it is at that home. */
static int mcp_session_find_at(struct store *store, const struct store_key *key,
                               const struct mcp_session_home *from,
                               struct mcp_session_record *record)
{
    struct mcp_session_home home;
    struct slice value;
    int error = store_get(store, STORE_MCP_SESSIONS, key, &value);

    if (error != 0)
        return error;
    if (mcp_session_record_decode(value, record) != 0)
        return -ENOENT;
    home = mcp_session_record_home(record);
    return mcp_session_home_equal(&home, from) ? 0 : -EEXIST;
}

int mcp_session_move(struct store *store, const struct store_key *key,
                     const struct mcp_session_home *from, const struct mcp_session_home *to,
                     int64_t now)
{
    struct mcp_session_record record;
    int error = mcp_session_find_at(store, key, from, &record);

    if (error != 0)
        return error;
    record.upstream = to->upstream;
    record.origin.address = to->address;
    record.origin.port = to->port;
    record.origin.endpoint = to->endpoint;
    record.used = record.reopened = now;
    return mcp_session_write(store, key, &record);
}

int mcp_session_abandon(struct store *store, const struct store_key *key,
                        const struct mcp_session_home *from)
{
    struct mcp_session_record record;
    int error = mcp_session_find_at(store, key, from, &record);

    return error != 0 ? error : store_delete(store, STORE_MCP_SESSIONS, key);
}

int mcp_session_touch(struct store *store, const struct store_key *key, int64_t now)
{
    struct mcp_session_record record;
    struct slice value;
    int error = store_get(store, STORE_MCP_SESSIONS, key, &value);

    if (error != 0 || mcp_session_record_decode(value, &record) != 0 || record.used >= now)
        return error == -ENOENT ? 0 : error;
    record.used = now;
    return mcp_session_write(store, key, &record);
}

int mcp_session_delete(struct store *store, const struct store_key *key)
{
    int error = store_delete(store, STORE_MCP_SESSIONS, key);

    return error == -ENOENT ? 0 : error;
}

struct mcp_session_clock {
    int64_t now;
    uint64_t idle;
};

static bool mcp_session_is_over(const void *context, struct slice value)
{
    const struct mcp_session_clock *clock = context;
    struct mcp_session_record record;

    return mcp_session_record_decode(value, &record) != 0 ||
           mcp_session_is_idle(&record, clock->now, clock->idle);
}

int mcp_session_sweep(struct store *store, struct store_key *cursor, int64_t now, uint64_t idle,
                      size_t *removed, struct buffer *ended)
{
    struct mcp_session_clock clock = {.now = now, .idle = idle};

    return store_sweep(store, STORE_MCP_SESSIONS, cursor, mcp_session_is_over, &clock, removed,
                       ended);
}
