/* session_sweep.h: takes sessions that have ended out of the store, a batch at a time.
 *
 * Called by the janitor, over the writable `sessions` environment. One batch is one short write
 * transaction, so that workers never wait long for the writer's mutex; what to remove is collected
 * before, from a snapshot, and looked at again inside. Never removes a session that still runs,
 * unless the store is crowded: then those that would end soonest go first. Their tokens are proven
 * anew with the next request, so that a caller loses no more than the time of one signature check.
 */
#ifndef GATEHOUSE_SHARED_SESSION_SWEEP_H
#define GATEHOUSE_SHARED_SESSION_SWEEP_H

#include "shared/store.h"

enum {
    SESSION_SWEEP_BATCH = 200, /* sessions a transaction */
    SESSION_SWEEP_CROWDED = 80 /* per cent of the map in use: time to expire harder */
};

/* Removes up to one batch of sessions whose end is not after `now` (wall seconds). *swept is the
 * number of entries handled: a full batch means that more may be there. *removed is the
 * number of sessions, which `ended` (may be NULL) then holds (session_end.h). Ends the store's
 * turn. Errors are the store's. */
int session_sweep(struct store *store, int64_t now, size_t *swept, size_t *removed,
                  struct buffer *ended);

/* As session_sweep, whatever the time: the up to `limit` sessions (at most one batch) that end
 * soonest. */
int session_sweep_soonest(struct store *store, size_t limit, size_t *removed);

bool session_sweep_crowded(const struct store_usage *usage);

#endif
