/* status_store.h: the part of `gatehouse status` that shows how full the two stores are, and who
 * keeps old pages. Reads only.
 */
#ifndef GATEHOUSE_MASTER_STATUS_STORE_H
#define GATEHOUSE_MASTER_STATUS_STORE_H

#include "master/inspection.h"

/* What became of opening the two stores, by enum store_environment. */
struct status_store {
    struct store *store; /* NULL: it could not be opened */
    char reason[INSPECTION_REASON];
};

/* 0 or -errno. */
int status_store_print(const struct inspection *inspection, const struct status_store stores[2]);
/* The member "stores" of the object at hand. 0 or the store's error. */
int status_store_json(struct json_writer *json, const struct status_store stores[2]);

#endif
