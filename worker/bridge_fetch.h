/* bridge_fetch.h: one request of the bridge to a server over HTTP, and its response, on a
 * connection of its own.
 *
 * The response's body comes in pieces, without its framing. Waits a bounded time for a connection
 * and for the response's head; an event stream may then be silent as long as it likes. Follows no
 * redirect, and resolves no name.
 */
#ifndef GATEHOUSE_WORKER_BRIDGE_FETCH_H
#define GATEHOUSE_WORKER_BRIDGE_FETCH_H

#include "shared/buffer.h"
#include "worker/bridge.h"
#include "worker/connection.h"
#include "worker/deadline.h"
#include "worker/http_chunk.h"
#include "worker/http_head.h"

#include <netinet/in.h>

enum { BRIDGE_ADDRESSES_SIZE = 8 * (INET6_ADDRSTRLEN + 1) };

struct bridge_target {
    char addresses[BRIDGE_ADDRESSES_SIZE]; /* numeric, with commas between; tried in this order */
    uint16_t port;
    struct tls_client *trust; /* NULL: plain */
    char host[256];           /* for SNI and verification */
};

enum bridge_fetch_state {
    BRIDGE_FETCH_CONNECT,
    BRIDGE_FETCH_HANDSHAKE,
    BRIDGE_FETCH_SEND,
    BRIDGE_FETCH_HEAD,
    BRIDGE_FETCH_BODY,
    BRIDGE_FETCH_CLOSED,
};

struct bridge_fetch {
    struct bridge_remains remains;
    struct bridge *bridge;
    struct bridge_target target;
    struct connection connection;
    struct deadline deadline;
    enum bridge_fetch_state state;
    size_t tried; /* bytes of target.addresses */
    struct buffer out, in;
    enum http_body body; /* of the response */
    uint64_t left;
    struct http_chunk_decoder decoder;
    bool event_stream;
    bool paused;
    /* Its owner's. Each may close the fetch. */
    void *owner;
    void (*head)(struct bridge_fetch *fetch, const struct http_response *response);
    void (*data)(struct bridge_fetch *fetch, struct slice data);
    /* It is over, and closes itself behind this; `failure` NULL: the response was whole. */
    void (*done)(struct bridge_fetch *fetch, const char *failure);
};

/* Sends `request` (head and body; moved). Callbacks are to be set by the caller, who gets none
 * before the next turn. NULL: out of memory, or of descriptors. */
struct bridge_fetch *bridge_fetch_start(struct bridge *bridge, const struct bridge_target *target,
                                        struct buffer *request);
void bridge_fetch_pause(struct bridge_fetch *fetch, bool paused);
/* Without `done`. NULL and closed ones are ignored. */
void bridge_fetch_close(struct bridge_fetch *fetch);

#endif
