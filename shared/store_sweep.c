#include "shared/store_sweep.h"

#include "shared/session_end.h"

#include <errno.h>

enum {
    SWEEP_LOOKS = 500, /* records that one sweep looks at: microseconds */
    SWEEP_MAX = 100,   /* records that one sweep removes: one short transaction */
};

struct sweep {
    enum store_database database;
    store_sweep_over over;
    const void *context;
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

    sweep_key(sweep->cursor, key);
    if (sweep->looks++ == SWEEP_LOOKS || sweep->count == SWEEP_MAX)
        return 1;
    if (sweep->over(sweep->context, value))
        sweep->keys[sweep->count++] = *sweep->cursor;
    return 0;
}

static int sweep_remove(struct store *store, const struct sweep *sweep, size_t *removed,
                        struct buffer *ended)
{
    int error = store_write_begin(store);

    if (error != 0)
        return error;
    for (size_t i = 0; i < sweep->count && error == 0; i++) {
        struct slice value;

        error = store_get(store, sweep->database, &sweep->keys[i], &value);
        if (error == 0 && sweep->over(sweep->context, value)) {
            /* Without memory the audit trail is not told. */
            if (ended != NULL)
                (void)session_end_put(ended, SESSION_END_MCP, store_key_slice(&sweep->keys[i]),
                                      value);
            error = store_delete(store, sweep->database, &sweep->keys[i]);
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

int store_sweep(struct store *store, enum store_database database, struct store_key *cursor,
                store_sweep_over over, const void *context, size_t *removed, struct buffer *ended)
{
    struct sweep sweep = {.database = database, .over = over, .context = context, .cursor = cursor};
    struct store_key from = *cursor;
    int result;

    *removed = 0;
    if (ended != NULL)
        buffer_clear(ended);
    store_turn_begin(store);
    result = store_scan(store, database, slice_make(NULL, 0), store_key_slice(&from), sweep_visit,
                        &sweep);
    store_turn_end(store);
    if (result == 0) /* the end */
        store_key_begin(cursor);
    if (result < 0 || sweep.count == 0)
        return result < 0 ? result : 0;
    result = sweep_remove(store, &sweep, removed, ended);
    store_turn_end(store);
    if (result != 0)
        *removed = 0;
    if (result != 0 && ended != NULL)
        buffer_clear(ended);
    return result;
}
