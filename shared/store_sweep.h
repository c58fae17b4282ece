/* store_sweep.h: takes records that are over out of a database of `sessions`, a batch at a time.
 *
 * For databases that have no index by time: MCP sessions and tasks. Called by their stores, for the
 * janitor, outside of a transaction. What to remove is collected from a snapshot, and looked at
 * again inside one short write transaction, since it may have been used in between.
 */
#ifndef GATEHOUSE_SHARED_STORE_SWEEP_H
#define GATEHOUSE_SHARED_STORE_SWEEP_H

#include "shared/store.h"

/* Whether a record is over, or cannot be read. */
typedef bool (*store_sweep_over)(const void *context, struct slice value);

/* Looks at up to one batch of records from *cursor on, which moves, and begins anew at the end.
 * What was removed is put into `ended` as MCP sessions (session_end.h; may be NULL). Errors are the
 * store's. */
int store_sweep(struct store *store, enum store_database database, struct store_key *cursor,
                store_sweep_over over, const void *context, size_t *removed, struct buffer *ended);

#endif
