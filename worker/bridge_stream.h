/* bridge_stream.h: the messages that answer one request of a client, or that come on its standing
 * stream: sent as events (or one as plain JSON), and kept for a while to be sent again.
 *
 * A stream outlives its connection: messages that come while nobody reads wait, and a client that
 * comes back with Last-Event-ID gets those behind it, of this stream alone (2025-11-25,
 * transports). What is kept is bounded by stream_buffer and, of all streams, by memory: the oldest
 * goes first. A stream belongs to a session; one without (2026-07-28) ends with its connection.
 */
#ifndef GATEHOUSE_WORKER_BRIDGE_STREAM_H
#define GATEHOUSE_WORKER_BRIDGE_STREAM_H

#include "worker/bridge_client.h"
#include "worker/deadline.h"

struct bridge_link;
struct bridge_session;
struct bridge_event;

enum bridge_stream_kind {
    BRIDGE_STREAM_ANSWER,   /* of a request */
    BRIDGE_STREAM_PLAIN,    /* of `initialize`: never as events, and never again */
    BRIDGE_STREAM_MODERN,   /* of a request of 2026-07-28: no ids, no replay */
    BRIDGE_STREAM_STANDING, /* a session's, which a GET opens */
    BRIDGE_STREAM_OLD,      /* all of an old SSE client's: no ids, no replay */
};

struct bridge_stream {
    struct bridge_remains remains;
    struct bridge *bridge;
    struct bridge_session *session;     /* NULL: modern */
    struct bridge_link *server;         /* whose messages they are */
    struct bridge_stream *next, **link; /* of the session's */
    enum bridge_stream_kind kind;
    uint64_t number;              /* in its session */
    struct bridge_client *client; /* that reads; NULL: nobody */
    unsigned calls;               /* requests that are to be answered on it */
    bool primed;                  /* events may be empty: the client is of 2025-11-25 */
    /* private */
    bool begun;   /* as events, to this client */
    bool over;    /* nothing more will come */
    bool stalled; /* holds its server back */
    bool freed;
    uint64_t last; /* the event that came last; they count from 1 */
    uint64_t sent; /* the event that was sent last */
    struct bridge_event *events, **tail;
    size_t kept, unsent;      /* bytes */
    struct deadline patience; /* for one answer that could go as JSON */
};

/* NULL: out of memory. Freed by bridge_stream_free, or (kinds PLAIN and MODERN) by itself, when it
 * is over or its connection ends. */
struct bridge_stream *bridge_stream_new(struct bridge *bridge, enum bridge_stream_kind kind);
/* Ends it for whoever reads. */
void bridge_stream_free(struct bridge_stream *stream);

/* The client's request is answered by this stream; `after` is the event that it saw last, or
 * BRIDGE_STREAM_ON: from where the stream stands. */
#define BRIDGE_STREAM_ON UINT64_MAX
void bridge_stream_attach(struct bridge_stream *stream, struct bridge_client *client,
                          uint64_t after);
/* The connection is gone: what belongs to a connection ends with it. `left`: because its client
 * closed it. */
void bridge_stream_detached(struct bridge_stream *stream, bool left);
/* The worker took what was written. */
void bridge_stream_pump(struct bridge_stream *stream);
/* Answers as events from now on, even when one answer might come soon. */
void bridge_stream_begin(struct bridge_stream *stream);
/* A message, on one line. `status`: of its HTTP answer when it is the last (the stream is over
 * then), and may go alone; 0: more will come. */
void bridge_stream_put(struct bridge_stream *stream, struct slice text, unsigned status);
/* An event of another name, without an id: `endpoint`. */
void bridge_stream_name(struct bridge_stream *stream, const char *event, struct slice data);
/* Nothing more will come: ends when everything was sent. */
void bridge_stream_finish(struct bridge_stream *stream);

/* "<stream>-<event>". false: it is no id of ours. */
bool bridge_stream_event_id(struct slice text, uint64_t *number, uint64_t *event);

#endif
