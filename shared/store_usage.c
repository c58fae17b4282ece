#include "shared/store_parts.h"
#include "shared/store_reader.h"

#include <string.h>

int store_free_pages(struct store *store, uint64_t *pages)
{
    MDB_cursor *cursor;
    MDB_val key, entry;
    int status = store_read_begin(store);

    *pages = 0;
    if (status != 0)
        return status;
    status = mdb_cursor_open(store->reader, STORE_FREE_LIST, &cursor);
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
