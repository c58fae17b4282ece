#include "shared/session_sweep.h"

#include "shared/session_store.h"

#include <errno.h>

struct session_batch {
    struct slice end; /* keys not before this one are too late */
    size_t limit;
    size_t count;
    struct store_key keys[SESSION_SWEEP_BATCH];
};

static int session_sweep_collect(void *context, struct slice key, struct slice value)
{
    struct session_batch *batch = context;
    struct store_key *copy = &batch->keys[batch->count];

    (void)value;
    if (batch->end.size > 0 && slice_compare(key, batch->end) >= 0)
        return 1;
    /* LMDB takes no longer keys, but who wrote this one may be hostile. */
    if (key.size > STORE_KEY_MAX)
        return 1;
    store_key_begin(copy);
    memcpy(copy->text, key.data, key.size);
    copy->size = key.size;
    return ++batch->count >= batch->limit;
}

static int session_sweep_remove(struct store *store, const struct session_batch *batch,
                                size_t *removed, struct buffer *ended)
{
    int error = store_write_begin(store);

    *removed = 0;
    if (ended != NULL)
        buffer_clear(ended);
    if (error != 0)
        return error;
    for (size_t i = 0; i < batch->count; i++) {
        bool gone;

        error = session_store_expire(store, store_key_slice(&batch->keys[i]), &gone, ended);
        if (error != 0) {
            store_abort(store);
            return error;
        }
        *removed += gone;
    }
    return store_commit(store);
}

static int session_sweep_batch(struct store *store, struct slice end, size_t limit, size_t *swept,
                               size_t *removed, struct buffer *ended)
{
    struct session_batch batch = {.end = end, .limit = limit};
    struct slice first = {0};
    int result;

    *swept = 0;
    *removed = 0;
    if (ended != NULL)
        buffer_clear(ended);
    if (limit == 0)
        return 0;
    store_turn_begin(store);
    result = store_scan(store, STORE_SESSION, first, first, session_sweep_collect, &batch);
    store_turn_end(store);
    if (result < 0 || batch.count == 0)
        return result < 0 ? result : 0;
    result = session_sweep_remove(store, &batch, removed, ended);
    /* LMDB copies the pages that it changes. In a full map there may be room for fewer. */
    while (result == -ENOSPC && batch.count > 1) {
        batch.count /= 2;
        result = session_sweep_remove(store, &batch, removed, ended);
    }
    store_turn_end(store);
    if (result != 0 && ended != NULL)
        buffer_clear(ended);
    if (result != 0)
        *removed = 0;
    else
        *swept = batch.count;
    return result;
}

int session_sweep(struct store *store, int64_t now, size_t *swept, size_t *removed,
                  struct buffer *ended)
{
    struct store_key end;

    store_key_begin(&end);
    /* All that end at `now` or before sort below the next second. */
    store_key_number(&end, (uint64_t)now + 1);
    return session_sweep_batch(store, store_key_slice(&end), SESSION_SWEEP_BATCH, swept, removed,
                               ended);
}

int session_sweep_soonest(struct store *store, size_t limit, size_t *removed)
{
    size_t swept;

    if (limit > SESSION_SWEEP_BATCH)
        limit = SESSION_SWEEP_BATCH;
    return session_sweep_batch(store, slice_make(NULL, 0), limit, &swept, removed, NULL);
}

bool session_sweep_crowded(const struct store_usage *usage)
{
    return usage->used >= usage->map_size / 100 * SESSION_SWEEP_CROWDED;
}
