#include "shared/mcp_session_store.h"

#include <errno.h>

enum {
    TOUCHES = 4,       /* in an idle time */
    SWEEP_LOOKS = 500, /* records that one sweep looks at: microseconds */
    SWEEP_MAX = 100,   /* records that one sweep removes: one short transaction */
};

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
    struct session_record caller = {
        .issuer = record->issuer, .subject = record->subject, .user = record->user};
    int error = mcp_session_find(store, key, record->id, &old);

    if (error != 0 && error != -ENOENT)
        return error;
    if (error == 0 && !mcp_session_is_idle(&old, record->used, idle) &&
        !mcp_session_record_is_of(&old, &caller))
        return -EEXIST;
    return mcp_session_write(store, key, record);
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

struct sweep {
    int64_t now;
    uint64_t idle;
    struct store_key *cursor;
    size_t looks, count;
    struct store_key keys[SWEEP_MAX];
};

static void sweep_key(struct store_key *out, struct slice key)
{
    store_key_begin(out);
    /* LMDB takes no longer keys, but who wrote this one may be hostile. */
    out->size = key.size > STORE_KEY_MAX ? STORE_KEY_MAX : key.size;
    memcpy(out->text, key.data, out->size);
    out->text[out->size] = '\0';
}

static int sweep_visit(void *context, struct slice key, struct slice value)
{
    struct sweep *sweep = context;
    struct mcp_session_record record;

    sweep_key(sweep->cursor, key);
    if (sweep->looks++ == SWEEP_LOOKS || sweep->count == SWEEP_MAX)
        return 1;
    if (mcp_session_record_decode(value, &record) != 0 ||
        mcp_session_is_idle(&record, sweep->now, sweep->idle))
        sweep->keys[sweep->count++] = *sweep->cursor;
    return 0;
}

/* Looks again inside: it may have been used in between. */
static int sweep_remove(struct store *store, const struct sweep *sweep, size_t *removed)
{
    int error = store_write_begin(store);

    if (error != 0)
        return error;
    for (size_t i = 0; i < sweep->count && error == 0; i++) {
        struct mcp_session_record record;
        struct slice value;

        error = store_get(store, STORE_MCP_SESSIONS, &sweep->keys[i], &value);
        if (error == 0 && (mcp_session_record_decode(value, &record) != 0 ||
                           mcp_session_is_idle(&record, sweep->now, sweep->idle))) {
            error = mcp_session_delete(store, &sweep->keys[i]);
            *removed += error == 0;
        }
        if (error == -ENOENT)
            error = 0;
    }
    if (error != 0) {
        store_abort(store);
        return error;
    }
    return store_commit(store);
}

int mcp_session_sweep(struct store *store, struct store_key *cursor, int64_t now, uint64_t idle,
                      size_t *removed)
{
    struct sweep sweep = {.now = now, .idle = idle, .cursor = cursor};
    struct store_key from = *cursor;
    int result;

    *removed = 0;
    store_turn_begin(store);
    result = store_scan(store, STORE_MCP_SESSIONS, slice_make(NULL, 0), store_key_slice(&from),
                        sweep_visit, &sweep);
    store_turn_end(store);
    if (result == 0) /* the end */
        store_key_begin(cursor);
    if (result < 0 || sweep.count == 0)
        return result < 0 ? result : 0;
    result = sweep_remove(store, &sweep, removed);
    store_turn_end(store);
    if (result != 0)
        *removed = 0;
    return result;
}
