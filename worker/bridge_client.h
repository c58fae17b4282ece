/* bridge_client.h: a worker's connection to the bridge: requests out of bytes, answers into them.
 *
 * One request at a time. What a request means is bridge_exchange.h's; a stream that answers it
 * (bridge_stream.h) is attached here, and told when more can be written and when the worker is
 * gone. Output is bounded by who writes: see bridge_client_room.
 */
#ifndef GATEHOUSE_WORKER_BRIDGE_CLIENT_H
#define GATEHOUSE_WORKER_BRIDGE_CLIENT_H

#include "shared/buffer.h"
#include "worker/bridge.h"
#include "worker/http_head.h"
#include "worker/reply.h"

enum bridge_client_state {
    BRIDGE_CLIENT_HEAD,   /* awaits a request */
    BRIDGE_CLIENT_BODY,   /* awaits its body */
    BRIDGE_CLIENT_BUSY,   /* the answer has not begun */
    BRIDGE_CLIENT_EVENTS, /* the answer is an event stream */
    BRIDGE_CLIENT_LAST,   /* closes when everything is written */
    BRIDGE_CLIENT_CLOSED,
};

struct bridge_stream;

struct bridge_client {
    struct bridge_remains remains;
    struct bridge *bridge;
    struct bridge_client *next, **link;
    int fd;
    enum bridge_client_state state;
    struct ev_io reader, writer;
    struct buffer in;
    struct buffer head; /* the request's slices point here */
    struct buffer body;
    struct buffer out;
    struct http_request request;
    uint64_t left;                /* bytes of a body of known length */
    struct bridge_stream *stream; /* that answers; NULL: none */
    bool running;                 /* takes requests out of `in` just now */
    bool client_left;             /* the client behind the worker closed the connection itself */
};

/* Takes the socket over, non-blocking already; closes it when there is no memory. */
void bridge_client_open(struct bridge *bridge, int fd);
/* Detaches its stream. */
void bridge_client_close(struct bridge_client *client);

/* Whole answers. `extra`: header lines, each ended by CRLF, or NULL. An empty body has no media
 * type. */
void bridge_client_answer(struct bridge_client *client, unsigned status, const char *extra,
                          struct slice body);
/* json_rpc is filled in. */
void bridge_client_error(struct bridge_client *client, struct reply_error *error);
void bridge_client_refuse(struct bridge_client *client, unsigned status, int code,
                          const char *message, struct slice id);

/* An event stream: its head, its bytes, its end. */
void bridge_client_events(struct bridge_client *client);
void bridge_client_write(struct bridge_client *client, struct slice data);
void bridge_client_end(struct bridge_client *client);
/* Whether the worker took nearly all of what was written: more may follow. */
bool bridge_client_room(const struct bridge_client *client);

#endif
