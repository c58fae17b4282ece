/* name_table.h: a hash table from names to what a worker keeps under them. Pure.
 *
 * The catalog's: only names that the store really holds are ever put in, so strangers cannot fill
 * it or choose its collisions. Names are copied; values belong to the caller. A zeroed table is
 * empty and usable. Nothing is removed alone: a table is cleared as a whole.
 */
#ifndef GATEHOUSE_WORKER_NAME_TABLE_H
#define GATEHOUSE_WORKER_NAME_TABLE_H

#include "shared/slice.h"

struct name_table_entry;

struct name_table {
    struct name_table_entry *entries; /* owned */
    size_t capacity;                  /* 0 or a power of two */
    size_t count;
};

/* The value put under that name, or NULL. */
void *name_table_find(const struct name_table *table, struct slice name);

/* Puts a value (not NULL) under a name that is not there yet. 0 or -ENOMEM. */
int name_table_put(struct name_table *table, struct slice name, void *value);

/* Forgets everything and gives the memory back; calls `release` (unless NULL) for each value. */
void name_table_clear(struct name_table *table, void (*release)(void *value));

#endif
