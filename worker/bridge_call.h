/* bridge_call.h: requests that a server has not answered: whose they are, and where the answer
 * goes.
 *
 * Every request goes to its server under an id of the bridge's own, so that callers who share a
 * server cannot collide, and under a progress token that is the same number. A table belongs to a
 * link. Knows no sockets.
 */
#ifndef GATEHOUSE_WORKER_BRIDGE_CALL_H
#define GATEHOUSE_WORKER_BRIDGE_CALL_H

#include "shared/buffer.h"

#include <stdint.h>

enum { BRIDGE_CALL_BUCKETS = 64 };

enum bridge_purpose {
    BRIDGE_CALL_CLIENT,     /* a client's */
    BRIDGE_CALL_INITIALIZE, /* a client's, which opens its session */
    BRIDGE_CALL_OPEN,       /* our own `initialize`, for all who share the server */
    BRIDGE_CALL_PROBE,      /* our own `server/discover` */
};

struct bridge_session;
struct bridge_stream;

struct bridge_call {
    struct bridge_call *next; /* in its bucket */
    uint64_t id;              /* the bridge's own */
    enum bridge_purpose purpose;
    struct buffer client_id;        /* as JSON; empty: our own */
    struct buffer token;            /* as JSON; empty: no progress is wanted */
    struct bridge_session *session; /* NULL: of none */
    struct bridge_stream *stream;   /* NULL: nobody waits any more */
};

/* A zeroed table is empty. */
struct bridge_calls {
    struct bridge_call *buckets[BRIDGE_CALL_BUCKETS];
    size_t count;
};

/* Copies client_id and token. NULL: out of memory. */
struct bridge_call *bridge_call_add(struct bridge_calls *calls, uint64_t id,
                                    enum bridge_purpose purpose, struct slice client_id,
                                    struct slice token);
struct bridge_call *bridge_call_find(struct bridge_calls *calls, uint64_t id);
/* Frees it. */
void bridge_call_remove(struct bridge_calls *calls, struct bridge_call *call);
/* A call of the stream, or (stream NULL) of the session; any. */
struct bridge_call *bridge_call_of(struct bridge_calls *calls, const struct bridge_stream *stream,
                                   const struct bridge_session *session);
/* The session's call by its client's id. */
struct bridge_call *bridge_call_named(struct bridge_calls *calls,
                                      const struct bridge_session *session, struct slice client_id);
/* The call with the smallest id above `id`: walks a table in order while it changes. */
struct bridge_call *bridge_call_after(struct bridge_calls *calls, uint64_t id);

#endif
