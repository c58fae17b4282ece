/* connect_link.h: a client's HTTP/1.1 exchanges with one server: connected, pooled while idle.
 *
 * upstream.h's smaller sister for a program of its own: one origin, names resolved when connecting
 * (blocking: a bridge has one master), no settings. A link serves one exchange: it writes the
 * request, reads the response, and says how it ended; its connection then goes back to the pool.
 * Knows nothing of MCP. Called by connect_call.c.
 */
#ifndef GATEHOUSE_WORKER_CONNECT_LINK_H
#define GATEHOUSE_WORKER_CONNECT_LINK_H

#include "shared/buffer.h"
#include "worker/connect_address.h"
#include "worker/connect_grave.h"
#include "worker/connection.h"
#include "worker/deadline.h"
#include "worker/http_chunk.h"
#include "worker/http_head.h"

struct connect_link;

/* The origin and its idle connections. */
struct connect_links {
    struct ev_loop *loop; /* all borrowed */
    struct connect_grave *grave;
    const struct uri *uri;
    struct tls_client *tls; /* NULL: plain */
    /* private */
    struct connect_link *idle, *busy;
    size_t idle_count;
    bool paused;
};

/* How an exchange ended. */
enum connect_end {
    CONNECT_WHOLE,   /* the response was read to its end */
    CONNECT_UNSENT,  /* the server cannot have acted: the request never reached it in full */
    CONNECT_LOST,    /* the connection broke after that */
    CONNECT_GARBAGE, /* an answer that is not HTTP, or not ours to understand */
};

/* Called in this order; after `end`, or connect_link_cancel, nothing is called any more. */
struct connect_listener {
    void *context;
    void (*head)(void *context, const struct http_response *response);
    void (*data)(void *context, struct slice bytes);
    void (*end)(void *context, enum connect_end end, const char *reason);
};

/* Begins an exchange. `head` is taken over (and wiped: it bears a credential); `body` is borrowed
 * until the end. `wait`: milliseconds until the response's head must be there; 0: as long as it
 * takes. NULL: out of memory. Every call-back comes later. */
struct connect_link *connect_link_open(struct connect_links *links, struct buffer *head,
                                       struct slice body, uint64_t wait,
                                       const struct connect_listener *listener);
void connect_link_cancel(struct connect_link *link);

/* Stops reading from all of them while the reader behind us is slow, and goes on. */
void connect_links_pause(struct connect_links *links, bool paused);
/* Closes every connection. */
void connect_links_close(struct connect_links *links);

#endif
