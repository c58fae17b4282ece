#include "shared/store_chunk.h"
#include "shared/store_parts.h"

#include <errno.h>

enum {
    /* One part in 16 of `sessions`, and no fewer pages than this, are kept for deletions: LMDB
     * copies the pages that it changes, and takes up what the last transaction left only later, so
     * that a full map could otherwise never be emptied again. */
    STORE_RESERVE = 16,
    STORE_RESERVE_PAGES = 64,
};

/* Whether the transaction follows the newest one in the file. LMDB takes its number, and so the
 * page of roots that it starts from, from the lock file; every reader of `config` can write that,
 * but only the watcher the data file. */
static bool store_write_follows(struct store *store)
{
    MDB_envinfo info;

    return mdb_env_info(store->env, &info) == 0 &&
           mdb_txn_id(store->writer) == info.me_last_txnid + 1;
}

int store_write_begin(struct store *store)
{
    int status;

    if (!store->writable)
        return -EBADF;
    /* LMDB's mutex would wait for itself, for ever. */
    if (store->writer != NULL)
        return -EDEADLK;
    status = mdb_txn_begin(store->env, NULL, 0, &store->writer);
    if (store_remedy(store, status))
        status = mdb_txn_begin(store->env, NULL, 0, &store->writer);
    if (status != 0) {
        store->writer = NULL;
        return store_error(status);
    }
    store->write_error = 0;
    store->room_known = false;
    if (store->environment == STORE_CONFIG && !store_write_follows(store)) {
        store_abort(store);
        return -ESTALE;
    }
    return 0;
}

uint64_t store_write_number(const struct store *store)
{
    return store->writer == NULL ? 0 : mdb_txn_id(store->writer);
}

/* -ENOSPC when only the reserve is left, but `meta` may use it: a full environment is to start.
 * Asked once a transaction, and mostly without looking at the list of free pages: the file's end is
 * far from the map's. */
static int store_room(struct store *store, enum store_database database)
{
    uint64_t limit, reserve, used, spare = 0;
    MDB_envinfo info;
    MDB_stat stat;
    int error;

    if (store->environment != STORE_SESSIONS || store->room_known || database == STORE_META)
        return 0;
    error = store_error(mdb_env_info(store->env, &info));
    if (error == 0)
        error = store_error(mdb_env_stat(store->env, &stat));
    if (error != 0)
        return error;
    limit = info.me_mapsize / stat.ms_psize;
    reserve = limit / STORE_RESERVE;
    if (reserve < STORE_RESERVE_PAGES)
        reserve = STORE_RESERVE_PAGES;
    limit = limit > reserve ? limit - reserve : 0;
    used = info.me_last_pgno + 1;
    if (used > limit)
        error = store_free_pages(store, &spare);
    if (error == 0 && used > limit + spare)
        error = -ENOSPC;
    store->room_known = error == 0;
    return error;
}

/* The transaction is there, has not failed, and the database and key are usable. */
static int store_write_check(struct store *store, enum store_database database,
                             const struct store_key *key, MDB_dbi *handle)
{
    if (store->writer == NULL || key->size == 0)
        return -EINVAL;
    if (store->write_error != 0)
        return store->write_error;
    return store_handle(store, database, handle);
}

/* Deletes an entry, and its continuations if it has any. */
static int store_erase(struct store *store, MDB_dbi handle, struct slice key)
{
    struct store_key next;
    MDB_val entry = {0}, name;
    int error = store_lookup(store->writer, handle, key, &entry);
    size_t size = entry.mv_size;

    for (size_t i = 0; error == 0 && i < STORE_CHUNKS_MAX; i++) {
        if (i > 0 && size != STORE_CHUNK_SIZE)
            break;
        store_chunk_key(&next, key, i);
        name = store_val(store_key_slice(&next));
        error = store_error(mdb_del(store->writer, handle, &name, NULL));
        if (i > 0 && error == -ENOENT)
            return 0;
    }
    return error;
}

static int store_write_chunks(struct store *store, MDB_dbi handle, struct slice key,
                              struct slice value)
{
    size_t count = store_chunk_count(value.size);

    for (size_t i = 0; i < count; i++) {
        struct store_key chunk;
        MDB_val name, entry = store_val(store_chunk_slice(value, i));
        int error;

        store_chunk_key(&chunk, key, i);
        if (chunk.impossible)
            return -EINVAL;
        name = store_val(store_key_slice(&chunk));
        error = store_error(mdb_put(store->writer, handle, &name, &entry, 0));
        if (error != 0)
            return error;
    }
    return 0;
}

/* Deletes what `key` had when it is continued, so that no continuation is left over. */
static int store_replace(struct store *store, MDB_dbi handle, struct slice key)
{
    MDB_val entry;
    int error = store_lookup(store->writer, handle, key, &entry);

    if (error == 0 && entry.mv_size == STORE_CHUNK_SIZE)
        error = store_erase(store, handle, key);
    return error == -ENOENT ? 0 : error;
}

/* Whether this may be written just now, and where. */
static int store_put_check(struct store *store, enum store_database database,
                           const struct store_key *key, struct slice value, MDB_dbi *handle)
{
    int error = store_write_check(store, database, key, handle);

    if (error == 0 && key->impossible)
        error = -EINVAL;
    if (error == 0 && value.size > STORE_RECORD_MAX)
        error = -EMSGSIZE;
    return error != 0 ? error : store_room(store, database);
}

/* Writes what has no record yet, in one walk down the tree; -EEXIST when it has. */
static int store_insert(struct store *store, MDB_dbi handle, struct slice key, struct slice value)
{
    MDB_val name = store_val(key), entry = store_val(store_chunk_slice(value, 0));
    int status = mdb_put(store->writer, handle, &name, &entry, MDB_NOOVERWRITE);

    if (status == MDB_KEYEXIST)
        return -EEXIST;
    if (status != 0 || store_chunk_count(value.size) == 1)
        return store_error(status);
    return store_write_chunks(store, handle, key, value);
}

int store_put(struct store *store, enum store_database database, const struct store_key *key,
              struct slice value)
{
    MDB_dbi handle;
    int error = store_put_check(store, database, key, value, &handle);

    if (error != 0)
        return store_fail(store, error);
    error = store_insert(store, handle, store_key_slice(key), value);
    if (error == -EEXIST) {
        error = store_replace(store, handle, store_key_slice(key));
        if (error == 0)
            error = store_write_chunks(store, handle, store_key_slice(key), value);
    }
    return error == 0 ? 0 : store_fail(store, error);
}

int store_add(struct store *store, enum store_database database, const struct store_key *key,
              struct slice value)
{
    MDB_dbi handle;
    int error = store_put_check(store, database, key, value, &handle);

    if (error == 0)
        error = store_insert(store, handle, store_key_slice(key), value);
    return error == 0 || error == -EEXIST ? error : store_fail(store, error);
}

int store_delete(struct store *store, enum store_database database, const struct store_key *key)
{
    MDB_dbi handle;
    int error = store_write_check(store, database, key, &handle);

    if (error == 0 && key->impossible)
        return -ENOENT;
    if (error == 0)
        error = store_erase(store, handle, store_key_slice(key));
    return error == 0 || error == -ENOENT ? error : store_fail(store, error);
}

int store_commit(struct store *store)
{
    int error = store->writer == NULL ? -EINVAL : store->write_error;

    if (error == 0)
        error = store_error(mdb_txn_commit(store->writer));
    else if (store->writer != NULL)
        mdb_txn_abort(store->writer);
    store->writer = NULL;
    /* The next read is to see what was written. */
    store_release(store);
    return error;
}

void store_abort(struct store *store)
{
    if (store->writer != NULL)
        mdb_txn_abort(store->writer);
    store->writer = NULL;
}

int store_sync(struct store *store)
{
    return store_error(mdb_env_sync(store->env, 1));
}
