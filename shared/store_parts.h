/* store_parts.h: an open environment as LMDB has it: what the store files share, and nobody else
 * sees.
 *
 * store_open.c makes, opens and closes it, store_read.c reads, store_write.c writes, store_usage.c
 * says how full it is and who reads, store_check.c walks all of it. LMDB's own statuses stay in the
 * function that got them: what these return is -errno.
 */
#ifndef GATEHOUSE_SHARED_STORE_PARTS_H
#define GATEHOUSE_SHARED_STORE_PARTS_H

#include "shared/arena.h"
#include "shared/store.h"

#include <lmdb.h>

enum {
    /* LMDB's own database of free pages has this handle (mdb_stat uses it as well): keys are
     * transaction ids, values a count and that many page numbers. */
    STORE_FREE_LIST = 0,
};

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

/* -errno of one of LMDB's statuses. */
int store_error(int status);
/* Whether a transaction that could not begin with this status may be tried once more. */
bool store_remedy(struct store *store, int status);
/* The reader has this turn's snapshot. */
int store_read_begin(struct store *store);
/* The transaction that reads see: the write transaction while there is one. */
int store_snapshot(struct store *store, MDB_txn **txn);
/* Gives the snapshot up, and all that was borrowed from it. */
void store_release(struct store *store);
/* One entry, without its continuations. */
int store_lookup(MDB_txn *txn, MDB_dbi handle, struct slice key, MDB_val *data);
/* By the snapshot, which may be this turn's: LMDB lets only readers see the list. */
int store_free_pages(struct store *store, uint64_t *pages);

static inline int store_handle(const struct store *store, enum store_database database,
                               MDB_dbi *handle)
{
    if (!store_database_in(database, store->environment))
        return -EINVAL;
    *handle = store->handles[database];
    return 0;
}

static inline MDB_val store_val(struct slice bytes)
{
    return (MDB_val){.mv_size = bytes.size, .mv_data = (void *)bytes.data};
}

static inline struct slice store_slice(const MDB_val *val)
{
    return slice_make(val->mv_data, val->mv_size);
}

/* Remembers the first error of a write transaction, so that it cannot be committed. */
static inline int store_fail(struct store *store, int error)
{
    if (store->writer != NULL && store->write_error == 0)
        store->write_error = error;
    return error;
}

#endif
