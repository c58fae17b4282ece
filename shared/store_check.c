#include "shared/store_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

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
        error = store_check_database(txn, STORE_FREE_LIST);
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
