/* authenticate.h: from a bearer token to a session (the design's points 4 to 6).
 *
 * The client side of a request calls authenticate once it has a head. A known session is one get; a
 * new token is verified, its session put in the turn's write batch, and the answer held back until
 * the batch is committed, at the turn's end. Knows nothing of sockets.
 */
#ifndef GATEHOUSE_WORKER_AUTHENTICATE_H
#define GATEHOUSE_WORKER_AUTHENTICATE_H

#include "shared/child.h"
#include "shared/session_record.h"
#include "worker/audit.h"
#include "worker/auth_memo.h"
#include "worker/catalog.h"
#include "worker/judgement.h"

enum auth_verdict {
    AUTH_PENDING, /* `done` will be called: after the commit, or when a key arrived */
    AUTH_ACCEPTED,
    AUTH_REFUSED,     /* 401; 403 for AUTH_SCOPE */
    AUTH_UNAVAILABLE, /* 503 with Retry-After: no usable keys, or the session store is full */
};

struct auth_attempt {
    /* given */
    struct slice app;            /* name; borrowed until the verdict */
    struct slice token;          /* borrowed until the verdict */
    struct slice client_address; /* borrowed until the verdict */
    struct auth_memo *memo;      /* the connection's, or NULL; only for the call */
    void (*done)(struct auth_attempt *attempt);
    void *context; /* the caller's */
    /* result, set when the verdict is not AUTH_PENDING */
    enum auth_verdict verdict;
    enum auth_reason reason;
    const char *description; /* for error_description; a literal that tells nothing internal */
    /* AUTH_SCOPE: whose required scopes the token lacks; borrowed until `done` returns. */
    const struct auth_config_record *config;
    struct session_id id;
    int64_t expires; /* wall seconds */
    /* Set when accepted; borrowed until `done` returns, or the next attempt is judged. */
    const struct session_record *session;
    /* private */
    struct auth_attempt *next, **link;
    int64_t deadline;    /* monotonic milliseconds; 0: waits for no key yet */
    int64_t asked;       /* wall seconds when it began to wait for a key */
    uint64_t generation; /* that had no key for it */
    unsigned state;
};

struct authenticator;

/* `sessions` is writable; all are borrowed for the authenticator's life. `audit` is told of
 * sessions that begin, and of those that are found to be over. */
int authenticator_open(struct authenticator **out, struct store *sessions, struct catalog *catalog,
                       struct child *child, struct audit *audit);
void authenticator_close(struct authenticator *authenticator);

/* An empty attempt; NULL: no memory. Given back with auth_attempt_free (NULL is ignored), which
 * cancels it, too: `done` will not be called. */
struct auth_attempt *auth_attempt_make(struct authenticator *authenticator);
void auth_attempt_free(struct authenticator *authenticator, struct auth_attempt *attempt);

/* The verdict at once, or AUTH_PENDING. A refusal that a session made by another worker in this
 * very moment would turn into an acceptance is pending, too, until authenticator_commit. */
enum auth_verdict authenticate(struct authenticator *authenticator, struct auth_attempt *attempt);
/* Whether a session that was accepted stands under what is configured and revoked now: for open
 * streams, without their token. AUTH_OK with its record (borrowed as that of an attempt),
 * AUTH_STORE when that cannot be said now, or the reason that ends it, with *description (a literal
 * for the client). */
enum auth_reason authenticator_review(struct authenticator *authenticator,
                                      const struct session_id *id, struct slice app,
                                      struct session_record *session, const char **description);

/* The caller's request is gone: `done` will not be called. Harmless when nothing is pending. */
void authenticate_cancel(struct authenticator *authenticator, struct auth_attempt *attempt);

/* Before the loop polls, and before store_turn_end: commits the batch, then calls `done` of those
 * who waited for it; again for what their `done` put in it. 0, or the error after which the worker
 * must exit 70: -EUCLEAN, the session store is corrupt. */
int authenticator_commit(struct authenticator *authenticator);
/* After the generation moved, and every 50 ms or so while authenticator_waiting: looks again for
 * keys that requests wait for, and gives up those past key_wait. */
void authenticator_retry(struct authenticator *authenticator);
bool authenticator_waiting(const struct authenticator *authenticator);

#endif
