/* reopening.h: MCP sessions whose server is lost, opened anew at another one.
 *
 * For apps that ask for it (on_endpoint_loss: reinitialize). The `initialize` that began the
 * session goes, as it is on record, to a server that is alive; when what that says of itself is
 * what the first one said (mcp_identity.h), in the same version, it is told
 * notifications/initialized, and the session's record names it from then on. Whose request finds
 * the loss waits; of one session only one reopening runs in a worker, and all requests wait for it.
 * Among workers the store decides: the first to write wins, the others end what they began and go
 * on in the winner's.
 *
 * Heads are those of the request that waits, so that a server which asks for a header of the
 * client's own finds it; nothing of them is kept. Called by exchange_reopen.c.
 */
#ifndef GATEHOUSE_WORKER_REOPENING_H
#define GATEHOUSE_WORKER_REOPENING_H

#include "worker/client.h"

enum reopening_end {
    REOPENING_MOVED,       /* the session's record has, or had already, another home */
    REOPENING_OVER,        /* no server may go on with it: it has ended */
    REOPENING_UNAVAILABLE, /* no server could be had in time, or the store; it stays as it was */
};

/* Belongs to an exchange, and lies still. */
struct reopening_waiter {
    struct client *client;
    void *context;
    /* Once, unless it leaves; never before start or join have returned. */
    void (*done)(struct reopening_waiter *waiter, enum reopening_end end);
    /* private */
    struct reopening *reopening; /* NULL: it waits for none */
    struct reopening_waiter *next, **link;
};

/* All of it is borrowed for the call alone. */
struct reopening_order {
    const struct store_key *key;
    const struct mcp_session_record *record; /* that can be reopened, as it was just found */
    struct slice app;
    struct slice head; /* of the request that waits */
    bool path;         /* the endpoint's own path; else the request's (forward.h) */
    bool forgotten;    /* where it was it may be again: a server there knows it no longer */
};

/* Waits for the reopening of that session that runs already. false: none does. */
bool reopening_join(struct worker *worker, const struct store_key *key,
                    struct reopening_waiter *waiter);
/* Begins one, and waits for it. false: no server is there for it just now. */
bool reopening_start(struct worker *worker, const struct reopening_order *order,
                     struct reopening_waiter *waiter);
/* It no longer waits. What runs goes on: the session is to be opened for the next request, too. */
void reopening_leave(struct reopening_waiter *waiter);

#endif
