#include "shared/mcp_task_store.h"

#include "shared/store_sweep.h"

#include <errno.h>

enum { TOUCHES = 4 }; /* in the time that a task is remembered */

void mcp_task_key(struct store_key *key, struct slice app, struct slice id)
{
    store_key_begin(key);
    store_key_part(key, app);
    store_key_part(key, id);
}

int64_t mcp_task_ttl(int64_t said, uint64_t limit)
{
    int64_t most = (int64_t)(limit / 1000);

    if (said < 0 || said / 1000 >= most)
        return most;
    if (said / 1000 < MCP_TASK_TTL_MIN)
        return most < MCP_TASK_TTL_MIN ? most : MCP_TASK_TTL_MIN;
    return said / 1000;
}

bool mcp_task_is_over(const struct mcp_task_record *record, int64_t now)
{
    return now - record->used > record->ttl;
}

bool mcp_task_wants_touch(const struct mcp_task_record *record, int64_t now)
{
    return now - record->used > record->ttl / TOUCHES;
}

int mcp_task_find(struct store *store, const struct store_key *key, struct slice id, int64_t now,
                  struct mcp_task_record *out)
{
    struct slice value;
    int error = store_get(store, STORE_MCP_TASKS, key, &value);

    if (error != 0)
        return error;
    /* A long id is a digest in the key; here it stands in full. */
    if (mcp_task_record_decode(value, out) != 0 || !slice_equal(out->id, id) ||
        mcp_task_is_over(out, now))
        return -ENOENT;
    return 0;
}

static int mcp_task_write(struct store *store, const struct store_key *key,
                          const struct mcp_task_record *record)
{
    struct buffer bytes = {0};
    int error = mcp_task_record_encode(record, &bytes);

    if (error == 0)
        error = store_put(store, STORE_MCP_TASKS, key, buffer_slice(&bytes));
    buffer_free(&bytes);
    return error;
}

int mcp_task_put(struct store *store, const struct store_key *key,
                 const struct mcp_task_record *record)
{
    struct mcp_task_record old;
    int error = mcp_task_find(store, key, record->id, record->used, &old);

    if (error != 0 && error != -ENOENT)
        return error;
    if (error == 0 && !mcp_origin_same_owner(&old.origin, &record->origin))
        return -EEXIST;
    return mcp_task_write(store, key, record);
}

int mcp_task_touch(struct store *store, const struct store_key *key, int64_t now)
{
    struct mcp_task_record record;
    struct slice value;
    int error = store_get(store, STORE_MCP_TASKS, key, &value);

    if (error != 0 || mcp_task_record_decode(value, &record) != 0 || record.used >= now)
        return error == -ENOENT ? 0 : error;
    record.used = now;
    return mcp_task_write(store, key, &record);
}

static bool mcp_task_value_is_over(const void *context, struct slice value)
{
    const int64_t *now = context;
    struct mcp_task_record record;

    return mcp_task_record_decode(value, &record) != 0 || mcp_task_is_over(&record, *now);
}

int mcp_task_sweep(struct store *store, struct store_key *cursor, int64_t now, size_t *removed)
{
    return store_sweep(store, STORE_MCP_TASKS, cursor, mcp_task_value_is_over, &now, removed, NULL);
}
