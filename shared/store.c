#include "shared/store.h"

#include "shared/arena.h"
#include "shared/store_chunk.h"
#include "shared/store_files.h"
#include "shared/store_meta.h"
#include "shared/store_reader.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    /* One part in 16 of `sessions`, and no fewer pages than this, are kept for deletions: LMDB
     * copies the pages that it changes, and takes up what the last transaction left only later, so
     * that a full map could otherwise never be emptied again. */
    STORE_RESERVE = 16,
    STORE_RESERVE_PAGES = 64,
    STORE_LOCK_SIZE = 64 * (STORE_READERS + 2), /* bytes: a cache line a reader, and two */
};

/* LMDB's own database of free pages has this handle (mdb_stat uses it as well): keys are
 * transaction ids, values a count and that many page numbers. */
static const MDB_dbi store_free_list;

struct store {
    MDB_env *env; /* owned */
    enum store_environment environment;
    bool writable;
    MDB_dbi handles[STORE_DATABASES]; /* valid for the environment's databases */
    MDB_txn *reader;                  /* owned; reset unless `reading` */
    bool reading;
    MDB_txn *writer;   /* owned; NULL outside of a write transaction */
    int write_error;   /* the first error inside the write transaction */
    bool room_known;   /* this write transaction found the reserve untouched */
    struct arena turn; /* what reads had to copy or put together */
};

static int store_error(int status)
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

const char *store_version(void)
{
    static char text[32];
    int major, minor, patch;

    mdb_version(&major, &minor, &patch);
    snprintf(text, sizeof(text), "%d.%d.%d", major, minor, patch);
    return text;
}

static int store_handle(const struct store *store, enum store_database database, MDB_dbi *handle)
{
    if (!store_database_in(database, store->environment))
        return -EINVAL;
    *handle = store->handles[database];
    return 0;
}

static MDB_val store_val(struct slice bytes)
{
    return (MDB_val){.mv_size = bytes.size, .mv_data = (void *)bytes.data};
}

static struct slice store_slice(const MDB_val *val)
{
    return slice_make(val->mv_data, val->mv_size);
}

/* Whether a transaction that could not begin may be tried once more. */
static bool store_remedy(struct store *store, int status)
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

static int store_read_begin(struct store *store)
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

/* The transaction that reads see: the write transaction while there is one. */
static int store_snapshot(struct store *store, MDB_txn **txn)
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

static int store_open_environment(struct store *store, const struct store_options *options)
{
    bool sessions = options->environment == STORE_SESSIONS;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    /* No WRITEMAP: a stray pointer must not reach the file, nor a full disk end us by SIGBUS. */
    unsigned flags = MDB_NOTLS | (sessions ? MDB_NOSYNC : 0) | (options->writable ? 0 : MDB_RDONLY);
    int status = mdb_env_create(&store->env);
    int fd;

    if (status == 0 && options->map_size > 0)
        status = mdb_env_set_mapsize(store->env, (options->map_size + page - 1) / page * page);
    if (status == 0)
        status = mdb_env_set_maxreaders(store->env, STORE_READERS);
    if (status == 0)
        status = mdb_env_set_maxdbs(store->env, STORE_DATABASES);
    if (status == 0)
        status = mdb_env_open(store->env, options->directory, flags,
                              store_files_mode(options->environment));
    if (status == 0)
        status = mdb_env_get_fd(store->env, &fd);
    /* LMDB opens all but this one close-on-exec. */
    if (status == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        status = errno;
    return store_error(status);
}

static int store_open_databases(struct store *store, MDB_txn *txn, unsigned flags)
{
    for (int i = 0; i < STORE_DATABASES; i++) {
        int status;

        if (!store_database_in((enum store_database)i, store->environment))
            continue;
        status = mdb_dbi_open(txn, store_database_name((enum store_database)i), flags,
                              &store->handles[i]);
        if (status == MDB_NOTFOUND && store_database_is_late((enum store_database)i))
            return -ENOENT;
        /* The creator makes all or none. */
        if (status == MDB_NOTFOUND || status == MDB_INCOMPATIBLE)
            return -EUCLEAN;
        if (status != 0)
            return store_error(status);
    }
    return 0;
}

static int store_allocate(struct store **out, const struct store_options *options)
{
    if (options->map_size == 0 && options->writable)
        return -EINVAL;
    *out = calloc(1, sizeof(**out));
    if (*out == NULL)
        return -ENOMEM;
    (*out)->environment = options->environment;
    (*out)->writable = options->writable;
    return 0;
}

/* What was made by a program that did not know a database yet. */
static int store_add_databases(struct store *store)
{
    int error = store_write_begin(store);

    if (error != 0)
        return error;
    error = store_open_databases(store, store->writer, MDB_CREATE);
    if (error != 0) {
        store_abort(store);
        return error;
    }
    return store_commit(store);
}

/* Handles that are opened in a transaction stay only when it is committed, a reading one too. This
 * also takes the process's slot in the table of readers. */
static int store_open_existing(struct store *store)
{
    MDB_txn *txn;
    int error = store_snapshot(store, &txn);

    if (error == 0)
        error = store_open_databases(store, txn, 0);
    if (error == -ENOENT && store->writable) {
        /* Its handles are lost with it. */
        mdb_txn_abort(store->reader);
        store->reader = NULL;
        store->reading = false;
        error = store_add_databases(store);
        if (error == 0)
            error = store_snapshot(store, &txn);
        if (error == 0)
            error = store_open_databases(store, txn, 0);
    }
    if (error != 0)
        return error;
    store->reader = NULL;
    store->reading = false;
    error = store_error(mdb_txn_commit(txn));
    return error != 0 ? error : store_meta_check(store);
}

int store_open(struct store **out, const struct store_options *options)
{
    struct store *store;
    /* LMDB would make what is missing. A writer may find the lock file gone, and makes it. */
    int error = store_files_exist(options->directory, !options->writable);

    if (error == 0)
        error = store_allocate(&store, options);
    if (error != 0)
        return error;
    error = store_open_environment(store, options);
    if (error == 0)
        error = store_open_existing(store);
    if (error != 0) {
        store_close(store);
        return error;
    }
    store_turn_end(store);
    *out = store;
    return 0;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    store_abort(store);
    if (store->reader != NULL)
        mdb_txn_abort(store->reader);
    if (store->env != NULL)
        mdb_env_close(store->env);
    arena_free(&store->turn);
    free(store);
}

static void store_release(struct store *store)
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

static int store_lookup(MDB_txn *txn, MDB_dbi handle, struct slice key, MDB_val *data)
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

/* Remembers the first error of a write transaction, so that it cannot be committed. */
static int store_fail(struct store *store, int error)
{
    if (store->writer != NULL && store->write_error == 0)
        store->write_error = error;
    return error;
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

/* By the snapshot, which may be this turn's: LMDB lets only readers see the list. */
static int store_free_pages(struct store *store, uint64_t *pages)
{
    MDB_cursor *cursor;
    MDB_val key, entry;
    int status = store_read_begin(store);

    *pages = 0;
    if (status != 0)
        return status;
    status = mdb_cursor_open(store->reader, store_free_list, &cursor);
    if (status != 0)
        return store_error(status);
    while ((status = mdb_cursor_get(cursor, &key, &entry, MDB_NEXT)) == 0) {
        size_t count = 0;

        if (entry.mv_size >= sizeof(count))
            memcpy(&count, entry.mv_data, sizeof(count));
        *pages += count;
    }
    mdb_cursor_close(cursor);
    return status == MDB_NOTFOUND ? 0 : store_error(status);
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

int store_reader_check(struct store *store, int *cleared)
{
    return store_error(mdb_reader_check(store->env, cleared));
}

uint64_t store_last_write(struct store *store)
{
    MDB_envinfo info;

    return mdb_env_info(store->env, &info) == 0 ? info.me_last_txnid : 0;
}

int store_usage(struct store *store, struct store_usage *usage)
{
    MDB_envinfo info;
    MDB_stat stat;
    MDB_txn *txn;
    uint64_t spare;
    int error = store_snapshot(store, &txn);

    *usage = (struct store_usage){0};
    if (error == 0)
        error = store_error(mdb_env_info(store->env, &info));
    if (error == 0)
        error = store_free_pages(store, &spare);
    for (int i = 0; error == 0 && i < STORE_DATABASES; i++) {
        if (!store_database_in((enum store_database)i, store->environment))
            continue;
        error = store_error(mdb_stat(txn, store->handles[i], &stat));
        usage->entries[i] = stat.ms_entries;
    }
    if (error != 0)
        return error;
    usage->map_size = info.me_mapsize;
    usage->used = (info.me_last_pgno + 1 - spare) * stat.ms_psize;
    usage->last_write = info.me_last_txnid;
    return 0;
}

int store_reader_lag(struct store *store, uint64_t *lag)
{
    uint64_t last = store_last_write(store), oldest = last;
    int status = mdb_reader_list(store->env, store_reader_oldest, &oldest);

    *lag = last - oldest;
    return store_error(status);
}

/* Walks a database, reads every byte, and checks the order, so that no circle of pages goes
 * unnoticed. */
static int store_check_database(MDB_txn *txn, MDB_dbi handle)
{
    volatile unsigned char sum = 0;
    MDB_val key, entry, before = {0};
    MDB_cursor *cursor;
    MDB_stat stat;
    size_t count = 0;
    int status = mdb_stat(txn, handle, &stat);

    if (status != 0 || mdb_cursor_open(txn, handle, &cursor) != 0)
        return -EUCLEAN;
    while ((status = mdb_cursor_get(cursor, &key, &entry, MDB_NEXT)) == 0) {
        for (size_t i = 0; i < key.mv_size; i++)
            sum = (unsigned char)(sum + ((unsigned char *)key.mv_data)[i]);
        for (size_t i = 0; i < entry.mv_size; i++)
            sum = (unsigned char)(sum + ((unsigned char *)entry.mv_data)[i]);
        if (++count > stat.ms_entries || (count > 1 && mdb_cmp(txn, handle, &before, &key) >= 0))
            break;
        before = key;
    }
    mdb_cursor_close(cursor);
    return status == MDB_NOTFOUND && count == stat.ms_entries ? 0 : -EUCLEAN;
}

int store_check(struct store *store)
{
    MDB_txn *txn;
    int null, status;
    int error = store_refresh(store);

    if (error == 0)
        error = store_snapshot(store, &txn);
    if (error == 0)
        error = store_check_database(txn, store_free_list);
    for (int i = 0; error == 0 && i < STORE_DATABASES; i++)
        if (store_database_in((enum store_database)i, store->environment))
            error = store_check_database(txn, store->handles[i]);
    store_release(store);
    if (error != 0)
        return error;
    null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null < 0)
        return -errno;
    /* A compacting copy follows every page and counts that used and free ones make up the file. */
    status = mdb_env_copyfd2(store->env, null, MDB_CP_COMPACT);
    close(null);
    return status == 0 ? 0 : -EUCLEAN;
}

static int store_create_databases(struct store *store)
{
    int error = store_write_begin(store);

    if (error != 0)
        return error;
    error = store_open_databases(store, store->writer, MDB_CREATE);
    if (error == 0)
        error = store_meta_write(store, store->environment);
    if (error != 0) {
        store_abort(store);
        return error;
    }
    return store_commit(store);
}

static int store_create_content(struct store *store)
{
    int error;

    /* Nothing was ever committed: the creator makes all in its first transaction. */
    if (store_last_write(store) == 0)
        return store_create_databases(store);
    error = store_open_existing(store);
    if (error == 0)
        error = store_meta_renew(store);
    /* A full disk does not keep what is there from being served. */
    return error == -ENOSPC || error == -EIO ? 0 : error;
}

int store_create(const struct store_options *options)
{
    struct store_options writable = *options;
    struct store *store;
    int error = store_files_make(options->directory, options->environment);

    writable.writable = true;
    if (error == 0)
        error = store_files_fill_lock(options->directory, STORE_LOCK_SIZE);
    if (error == 0)
        error = store_allocate(&store, &writable);
    if (error != 0)
        return error;
    error = store_open_environment(store, &writable);
    if (error == 0)
        error = store_create_content(store);
    if (error == 0)
        error = store_sync(store);
    if (error == 0)
        error = store_files_protect(options->directory, options->environment);
    store_close(store);
    return error;
}
