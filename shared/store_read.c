#include "shared/store_chunk.h"
#include "shared/store_parts.h"

#include <assert.h>
#include <errno.h>

int store_error(int status)
{
    switch (status) {
    case MDB_SUCCESS:
        return 0;
    case MDB_NOTFOUND:
        return -ENOENT;
    case MDB_MAP_FULL:
    case EDQUOT:
    case EFBIG:
        return -ENOSPC;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_PANIC:
        return -EUCLEAN;
    case MDB_VERSION_MISMATCH:
        return -ESTALE;
    default:
        /* LMDB's own numbers are negative, the system's positive. */
        return status > 0 ? -status : -EIO;
    }
}

bool store_remedy(struct store *store, int status)
{
    if (status == MDB_READERS_FULL)
        return mdb_reader_check(store->env, NULL) == 0;
    /* Another generation of processes runs with a larger map: take its size. Only while nothing is
     * borrowed from the old one. */
    if (status == MDB_MAP_RESIZED && !store->reading)
        return mdb_env_set_mapsize(store->env, 0) == 0;
    return false;
}

static int store_renew(struct store *store)
{
    if (store->reader != NULL)
        return mdb_txn_renew(store->reader);
    return mdb_txn_begin(store->env, NULL, MDB_RDONLY, &store->reader);
}

int store_read_begin(struct store *store)
{
    int status;

    if (store->reading)
        return 0;
    status = store_renew(store);
    if (store_remedy(store, status))
        status = store_renew(store);
    store->reading = status == 0;
    return store_error(status);
}

int store_snapshot(struct store *store, MDB_txn **txn)
{
    int error;

    if (store->writer != NULL) {
        *txn = store->writer;
        return store->write_error;
    }
    error = store_read_begin(store);
    *txn = store->reader;
    return error;
}

void store_release(struct store *store)
{
    if (store->reading)
        mdb_txn_reset(store->reader);
    store->reading = false;
    arena_free(&store->turn);
}

void store_turn_begin(struct store *store)
{
    store_release(store);
}

void store_turn_end(struct store *store)
{
    assert(store->writer == NULL);
    store_release(store);
}

int store_refresh(struct store *store)
{
    MDB_txn *txn;

    if (store->writer != NULL)
        return store->write_error;
    store_release(store);
    return store_snapshot(store, &txn);
}

int store_lookup(MDB_txn *txn, MDB_dbi handle, struct slice key, MDB_val *data)
{
    MDB_val name = store_val(key);

    return store_error(mdb_get(txn, handle, &name, data));
}

/* Puts a continued record together in the arena. */
static int store_join(MDB_txn *txn, MDB_dbi handle, struct slice key, const MDB_val *first,
                      struct arena *arena, struct slice *value)
{
    struct slice parts[STORE_CHUNKS_MAX] = {store_slice(first)};
    size_t count = 1;

    while (count < STORE_CHUNKS_MAX && parts[count - 1].size == STORE_CHUNK_SIZE) {
        struct store_key next;
        MDB_val entry;
        int error;

        store_chunk_key(&next, key, count);
        error = store_lookup(txn, handle, store_key_slice(&next), &entry);
        if (error != 0)
            return error == -ENOENT ? -EUCLEAN : error;
        parts[count++] = store_slice(&entry);
    }
    return store_chunk_join(parts, count, arena, value);
}

/* The record of an entry. Inside a write transaction it is copied, since the next put may move what
 * LMDB points to. */
static int store_value(struct store *store, MDB_txn *txn, MDB_dbi handle, struct slice key,
                       const MDB_val *entry, struct arena *arena, struct slice *value)
{
    if (entry->mv_size == STORE_CHUNK_SIZE)
        return store_join(txn, handle, key, entry, arena, value);
    *value = store_slice(entry);
    if (txn != store->writer)
        return 0;
    *value = arena_copy(arena, *value);
    return value->data == NULL ? -ENOMEM : 0;
}

int store_get(struct store *store, enum store_database database, const struct store_key *key,
              struct slice *value)
{
    MDB_dbi handle;
    MDB_txn *txn;
    MDB_val entry;
    int error = store_handle(store, database, &handle);

    if (error != 0)
        return error;
    if (key->impossible || key->size == 0)
        return -ENOENT;
    error = store_snapshot(store, &txn);
    if (error == 0)
        error = store_lookup(txn, handle, store_key_slice(key), &entry);
    if (error == 0)
        error = store_value(store, txn, handle, store_key_slice(key), &entry, &store->turn, value);
    return error == 0 || error == -ENOENT ? error : store_fail(store, error);
}

int store_get_again(struct store *store, enum store_database database, const struct store_key *key,
                    struct store_place *place, struct slice *value)
{
    int error = store->writer == NULL ? store_read_begin(store) : 0;

    /* A write transaction may be given up, and its number be another's. A larger map, which may lie
     * elsewhere, is only taken up with a newer transaction. */
    if (error != 0 || store->writer != NULL)
        return error != 0 ? error : store_get(store, database, key, value);
    if (place->snapshot != 0 && place->snapshot == mdb_txn_id(store->reader)) {
        *value = place->value;
        return 0;
    }
    *place = (struct store_place){0};
    error = store_get(store, database, key, value);
    /* One of several parts is this turn's alone. */
    if (error == 0 && value->size < STORE_CHUNK_SIZE)
        *place = (struct store_place){mdb_txn_id(store->reader), *value};
    return error;
}

static bool store_is_continuation(MDB_txn *txn, MDB_dbi handle, struct slice key)
{
    struct slice parent;
    MDB_val entry;

    return store_chunk_parent(key, &parent) && store_lookup(txn, handle, parent, &entry) == 0 &&
           entry.mv_size == STORE_CHUNK_SIZE;
}

static int store_seek(MDB_cursor *cursor, struct slice from, MDB_val *key, MDB_val *entry)
{
    *key = store_val(from);
    return mdb_cursor_get(cursor, key, entry, from.size == 0 ? MDB_FIRST : MDB_SET_RANGE);
}

static int store_scan_from(struct store *store, MDB_cursor *cursor, struct slice prefix,
                           struct slice from, store_visit visit, void *context)
{
    MDB_txn *txn = mdb_cursor_txn(cursor);
    MDB_dbi handle = mdb_cursor_dbi(cursor);
    MDB_val key, entry;
    int result = 0;
    int status = store_seek(cursor, from, &key, &entry);

    while (status == 0 && result == 0 && slice_has_prefix(store_slice(&key), prefix)) {
        struct arena arena = {0};
        struct slice value;

        if (!store_is_continuation(txn, handle, store_slice(&key))) {
            result = store_value(store, txn, handle, store_slice(&key), &entry, &arena, &value);
            if (result == 0)
                result = visit(context, store_slice(&key), value);
        }
        arena_free(&arena);
        status = mdb_cursor_get(cursor, &key, &entry, MDB_NEXT);
    }
    return status == 0 || status == MDB_NOTFOUND ? result : store_error(status);
}

int store_scan(struct store *store, enum store_database database, struct slice prefix,
               struct slice from, store_visit visit, void *context)
{
    MDB_dbi handle;
    MDB_txn *txn;
    MDB_cursor *cursor;
    int error = store_handle(store, database, &handle);

    if (error == 0)
        error = store_snapshot(store, &txn);
    if (error == 0)
        error = store_error(mdb_cursor_open(txn, handle, &cursor));
    if (error != 0)
        return error;
    if (slice_compare(from, prefix) < 0)
        from = prefix;
    error = store_scan_from(store, cursor, prefix, from, visit, context);
    mdb_cursor_close(cursor);
    return error;
}
