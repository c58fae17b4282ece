/* bridge_post.h: what a link to a server over HTTP has under way: each message is a request, with a
 * response that may be a stream; and the server's own stream is one that asks nothing.
 *
 * bridge_remote.c says when a message may go, and whose headers go with it. Here are responses:
 * their messages go to the link. A stream of Streamable HTTP that breaks before its answer was
 * there is resumed, where the server gave its events ids (2025-03-26 and later, transports); its
 * own stream is asked for again whatever happens to it, at growing intervals. Nothing is ever
 * posted twice.
 */
#ifndef GATEHOUSE_WORKER_BRIDGE_POST_H
#define GATEHOUSE_WORKER_BRIDGE_POST_H

#include "worker/bridge_fetch.h"
#include "worker/bridge_link.h"
#include "worker/event_stream.h"

enum {
    BRIDGE_POST_SESSION_MAX = 1024, /* bytes of a server's session id, as mcp_session_record.h */
    BRIDGE_POST_VERSION_MAX = 32,   /* bytes of a revision's name */
};

struct bridge_remote {
    struct bridge_remains remains;
    struct bridge *bridge;
    struct bridge_link *link; /* NULL: closed */
    bool sse;
    struct bridge_target target;
    bool tls;
    struct buffer path;                /* of the app's endpoint */
    struct buffer headers;             /* Host, and what the client sent along */
    struct buffer post_path;           /* sse: where messages go; empty: not known yet */
    struct bridge_post *posts, **tail; /* in order */
    size_t post_count;
    char session[BRIDGE_POST_SESSION_MAX + 1];
    char version[BRIDGE_POST_VERSION_MAX + 1];
    bool paused;
};

/* A message under way, or (id 0, no message) the standing stream. */
struct bridge_post {
    struct bridge_remains remains;
    struct bridge_post *next, **at;
    struct bridge_remote *remote;
    struct bridge_fetch *fetch; /* NULL: it waits for its turn, or to be resumed */
    struct buffer line;         /* that waits for its turn */
    uint64_t id;                /* of a request; 0: of none */
    bool initialize;
    bool barrier;  /* nothing else is sent before its response's head is here */
    bool standing; /* the stream that a GET opened */
    bool sent;     /* its message went, or is on its way */
    bool resumes;  /* a GET asks for the rest */
    unsigned status;
    struct event_stream events;
    struct buffer body; /* a response that is one document */
    /* To resume it. */
    struct buffer last_id;  /* of the last event that had one */
    uint64_t retry;         /* milliseconds, as the server said; 0: it did not */
    bool heard;             /* this connection brought an event */
    unsigned breaks;        /* connections in a row that brought none */
    unsigned silences;      /* in a row, of a resumed stream */
    struct deadline resume; /* when it is asked for, again */
};

/* NULL: out of memory. */
struct bridge_post *bridge_post_new(struct bridge_remote *remote);
void bridge_post_free(struct bridge_post *post);
/* Sends its message, or asks for its stream. */
void bridge_post_start(struct bridge_post *post);

/* bridge_remote.c: a request of its session. NULL: out of memory, or of descriptors. */
struct bridge_fetch *bridge_remote_fetch(struct bridge_remote *remote, const char *method,
                                         struct slice path, const char *accept,
                                         struct slice last_id, struct slice body);
/* bridge_remote.c: starts what may go, in order. */
void bridge_remote_run(struct bridge_remote *remote);
/* bridge_remote.c: the server cannot be used any more. */
void bridge_remote_lost(struct bridge_remote *remote, const char *what);

#endif
