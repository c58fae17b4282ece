/* revoker.h: revocations by command into the store, and out of it when their time has come.
 *
 * Called by the watcher. Each function is one transaction at most (or none), shown on the public
 * scoreboard by the publisher. Locks are documents: see lock_candidate.h.
 */
#ifndef GATEHOUSE_CONF_REVOKER_H
#define GATEHOUSE_CONF_REVOKER_H

#include "conf/publisher.h"
#include "shared/control_message.h"

enum {
    REVOKER_SWEEP_LOOKS = 2000,  /* records that one sweep looks at */
    REVOKER_SWEEP_DELETES = 500, /* records that one sweep removes */
};

/* Writes what a command asks for, for `uid`, at `now` (wall seconds). A session, and its signing
 * input, and a jti are refused whenever they were issued; of a user, subject or app every token
 * with an iat up to `now` is.
 *
 * The record is kept as long as one of those tokens, or a session of one, could live: until
 * request->ends when it is known; else, for kinds by iat, the largest max_token_age in force (30
 * days at least) and 5 minutes when every config in force limits its sessions (no config accepts an
 * older token for a new session, and none lets a session last longer), and REVOKER_UNBOUNDED if
 * that is more otherwise: the token's exp alone is then the end.
 *
 * 1: committed and synced, *answer says what; or a negative errno, *answer says so too, and nothing
 * was written. */
enum { REVOKER_UNBOUNDED = 400 * 86400 }; /* seconds */
int revoker_add(struct publisher *publisher, const struct control_request *request, uid_t uid,
                int64_t now, struct control_answer *answer);

/* Removes records that ended before `now`, in bounded steps; *cursor (zeroed at first) is where the
 * next one goes on. Sets *more when the end was not reached. 1: something went, 0, or the store's
 * error. */
int revoker_sweep(struct publisher *publisher, struct store_key *cursor, int64_t now, bool *more);

#endif
