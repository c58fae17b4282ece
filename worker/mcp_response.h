/* mcp_response.h: the messages of an MCP server's response, shown to who looks at them. Pure.
 *
 * A response is one JSON document (a message, or in 2025-03-26 a batch of them) or a stream of
 * events, each with such a document. Every message is shown to `look`, which lets it pass, replaces
 * it or drops it; what passes goes on byte for byte, and as soon as its event is complete. Knows no
 * policy, no HTTP. Made for an exchange only when somebody wants to look: other responses are never
 * read. What is no JSON is shown as it is: whether that may pass is for who looks.
 */
#ifndef GATEHOUSE_WORKER_MCP_RESPONSE_H
#define GATEHOUSE_WORKER_MCP_RESPONSE_H

#include "worker/event_stream.h"

enum mcp_verdict {
    MCP_PASSES,
    MCP_REPLACED, /* by what was appended to `out` */
    MCP_DROPPED,
    MCP_FAILED, /* no memory: nothing may go on */
};

struct mcp_response {
    /* To be set. */
    size_t limit;  /* bytes of the largest event, and of the largest document */
    void *context; /* of both functions */
    /* `text`: one message, borrowed. `out` is empty; used with MCP_REPLACED alone. */
    enum mcp_verdict (*look)(void *context, struct slice text, struct buffer *out);
    /* Takes what goes on to the client; false: it takes no more. */
    bool (*put)(void *context, struct slice bytes);
    /* private; zeroed */
    struct event_stream events;
    struct buffer body; /* a document's; owned */
};

/* Bytes of an event stream: what passes is put. 0; -EMSGSIZE when an event is too large, -ENOMEM,
 * -ECANCELED when `put` refused. */
int mcp_response_events(struct mcp_response *response, struct slice input);
/* The stream's end: what it left unfinished is shown as if it were whole. As above. */
int mcp_response_events_end(struct mcp_response *response);

/* Bytes of a document. 0, -EMSGSIZE, -ENOMEM. */
int mcp_response_collect(struct mcp_response *response, struct slice input);
/* The document is complete: *out is what goes on (borrowed until the response is freed), unless it
 * was dropped or failed. One without a byte passes. */
enum mcp_verdict mcp_response_document(struct mcp_response *response, struct slice *out);

/* Bytes of memory that it holds. */
size_t mcp_response_held(const struct mcp_response *response);
void mcp_response_free(struct mcp_response *response);

#endif
