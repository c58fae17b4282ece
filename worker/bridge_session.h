/* bridge_session.h: MCP sessions that the bridge gave out, of Streamable HTTP and of old SSE.
 *
 * Found by id, app and owner together: to all others there is no such session. Ids are 128 random
 * bits. Ends by DELETE, when its client has left or is idle, with its server, and (old SSE) with
 * its stream.
 */
#ifndef GATEHOUSE_WORKER_BRIDGE_SESSION_H
#define GATEHOUSE_WORKER_BRIDGE_SESSION_H

#include "worker/bridge_link.h"
#include "worker/bridge_stream.h"

enum {
    BRIDGE_SESSION_ID_SIZE = 32, /* hex digits */
    BRIDGE_APP_MAX = 63,         /* bytes of an app's name: a DNS label */
    BRIDGE_ASKS_MAX = 64,        /* requests of a server that its client has not answered */
    BRIDGE_URIS_MAX = 256,       /* resources that a session is subscribed to */
    BRIDGE_URI_MAX = 2048,       /* bytes of such a resource's URI */
};

/* A text that a session remembers: the id of a server's request, a URI. */
struct bridge_note {
    struct bridge_note *next;
    size_t size;
    char text[];
};

struct bridge_session {
    struct bridge_remains remains;
    struct bridge *bridge;
    struct bridge_session *next, **at;          /* in its bucket */
    struct bridge_session *beside, **beside_at; /* of its link's */
    char id[BRIDGE_SESSION_ID_SIZE + 1];
    char app[BRIDGE_APP_MAX + 1];
    char owner[BRIDGE_OWNER_SIZE + 1];
    struct bridge_link *link;
    struct bridge_stream *streams;  /* newest first */
    struct bridge_stream *standing; /* for what belongs to no request */
    struct bridge_note *asks;       /* newest first */
    struct bridge_note *uris;
    uint64_t last_stream;
    size_t calls; /* open requests */
    bool old;     /* of old SSE */
    bool primed;  /* its revision has events without data */
    bool opened;  /* `initialize` was answered */
    bool ended;
    ev_tstamp used; /* when the client last sent something */
    ev_tstamp left; /* when it closed its own stream, and was not heard of since; 0: it did not */
};

/* A session on that link. 0, -EDQUOT (too many), -ENOMEM. */
int bridge_session_open(struct bridge_link *link, struct slice app, struct slice owner, bool old,
                        struct bridge_session **out);
struct bridge_session *bridge_session_find(struct bridge *bridge, struct slice id, struct slice app,
                                           struct slice owner);
/* Frees it; its streams end, its requests are cancelled. NULL and ended ones are ignored. */
void bridge_session_end(struct bridge_session *session);
/* Its client closed its own stream, as one does that ends: it has leave_timeout to come back. */
void bridge_session_left(struct bridge_session *session);
/* Ends those that nobody uses. */
void bridge_session_sweep(struct bridge *bridge);

/* A stream of it. NULL: out of memory. */
struct bridge_stream *bridge_session_stream(struct bridge_session *session,
                                            enum bridge_stream_kind kind);
struct bridge_stream *bridge_session_find_stream(struct bridge_session *session, uint64_t number);
/* A stream is over: only a few such are kept. */
void bridge_session_stream_over(struct bridge_session *session);

/* Notes: false when there is none (take), or no room (put). */
bool bridge_note_put(struct bridge_note **notes, struct slice text, size_t max);
bool bridge_note_has(const struct bridge_note *notes, struct slice text);
bool bridge_note_take(struct bridge_note **notes, struct slice text);

#endif
