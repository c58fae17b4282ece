/* demo_connection.h: a client connection of the demo server: bytes in, requests out of them, bytes
 * out. What a request means is demo_exchange.h's; what a stream sends, demo_stream.h's.
 *
 * A connection is made when it is accepted and frees itself when it ends. Requests that come while
 * an answer streams wait.
 */
#ifndef GATEHOUSE_WORKER_DEMO_CONNECTION_H
#define GATEHOUSE_WORKER_DEMO_CONNECTION_H

#include "shared/buffer.h"
#include "worker/demo_server.h"
#include "worker/demo_tools.h"
#include "worker/http_chunk.h"
#include "worker/http_head.h"

enum demo_state {
    DEMO_HEAD,   /* awaits a request's head */
    DEMO_BODY,   /* has the head, awaits the body */
    DEMO_STREAM, /* an event stream is being sent */
    DEMO_LAST,   /* closes when everything is written */
};

struct demo_stream {
    char session[DEMO_SESSION_ID_SIZE + 1]; /* "" when modern */
    struct buffer id;                       /* the request's, as JSON; empty: a GET's stream */
    struct buffer token;                    /* for progress, as JSON; empty: none wanted */
    struct demo_count count;
    int64_t at; /* steps done */
    bool modern;
    bool chunked;
    bool over; /* somebody ended it: the next tick does the rest */
};

struct demo_connection {
    struct demo_server *server; /* borrowed */
    struct demo_connection *next, **link;
    int fd;
    enum demo_state state;
    struct ev_io reader, writer;
    struct ev_timer timer; /* idle time, or the stream's steps */
    struct buffer in;
    struct buffer head; /* request's slices point here */
    struct buffer body;
    struct buffer out;
    struct http_request request;
    struct http_chunk_decoder decoder;
    uint64_t left; /* bytes of a body of known length */
    struct demo_stream stream;
    bool failed; /* no memory for an answer: ends without it */
};

/* Takes the socket over, non-blocking already; closes it when there is no memory. */
void demo_connection_open(struct demo_server *server, int fd);
void demo_connection_close(struct demo_connection *connection);

/* The timer again, from now on every `milliseconds`. */
void demo_connection_time(struct demo_connection *connection, int64_t milliseconds);

#endif
