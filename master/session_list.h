/* session_list.h: the newest sessions of a store that fit a filter, newest first.
 *
 * Used by `gatehouse sessions list`. Reads every session once, in short transactions; keeps copies
 * of at most `limit`. Sessions that were made or ended meanwhile may be missing.
 */
#ifndef GATEHOUSE_MASTER_SESSION_LIST_H
#define GATEHOUSE_MASTER_SESSION_LIST_H

#include "shared/session_record.h"
#include "shared/store.h"

struct session_list_entry {
    int64_t created; /* wall seconds */
    struct slice id;
    struct slice value; /* the record */
    char *memory;       /* owned; of both */
};

struct session_list {
    const char *user, *app; /* NULL: any */
    size_t limit;           /* at least 1 */
    int64_t now;            /* wall seconds: sessions that ended before are left out */
    struct session_list_entry *entries;
    size_t count;
    uint64_t matched; /* with those over the limit */
    uint64_t damaged; /* records that cannot be decoded */
};

/* Fills the list; filters, limit and now are set before, all else is zero. 0 or the store's error.
 * Free it in every case. */
int session_list_read(struct session_list *list, struct store *store);
void session_list_free(struct session_list *list);

#endif
