#include "shared/store_files.h"
#include "shared/store_meta.h"
#include "shared/store_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    STORE_LOCK_SIZE = 64 * (STORE_READERS + 2), /* bytes: a cache line a reader, and two */
};

const char *store_version(void)
{
    static char text[32];
    int major, minor, patch;

    mdb_version(&major, &minor, &patch);
    snprintf(text, sizeof(text), "%d.%d.%d", major, minor, patch);
    return text;
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
    return error != 0 ? error : store_meta_check(store, store->environment);
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
