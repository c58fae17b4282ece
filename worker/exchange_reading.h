/* exchange_reading.h: who reads an MCP server's response, and what becomes of it.
 *
 * Most responses are not read at all: their bytes pass as they come, and exchange.reading is NULL.
 * Interest is known when the response's head is: from the request (exchange.looks, set while the
 * request is judged) and from the caller's policy. Then each message is shown to the observers that
 * are interested, in the order of their table; a later one sees what an earlier one put in the
 * message's place.
 *
 * A stream of events goes on event by event, a document when it is complete: its head waits for it,
 * since its length may change. What is held counts as a body (limits.body_memory). An event or
 * document beyond limits.event_size is an error of the server's: 502, or a stream's last event.
 *
 * The policy is the caller's when a message comes, not when the stream began. An open stream that a
 * new policy begins to narrow is read from its next event on; one that stands amid an event ends.
 * Called by exchange_response.c and exchange.c.
 */
#ifndef GATEHOUSE_WORKER_EXCHANGE_READING_H
#define GATEHOUSE_WORKER_EXCHANGE_READING_H

#include "worker/exchange.h"
#include "worker/mcp_response.h"

/* Bits of exchange.looks: one for each observer. */
enum exchange_look {
    EXCHANGE_LOOKS_POLICY = 1,  /* the caller is narrowed; never set by a request */
    EXCHANGE_LOOKS_TOOLS = 2,   /* a list of tools is learned from: exchange_tool.h */
    EXCHANGE_LOOKS_VERSION = 4, /* a session begins, in a version that its server names */
    EXCHANGE_LOOKS_TASKS = 8,   /* tasks may be made or listed: exchange_task.h */
};

struct exchange_observer {
    unsigned look;
    /* As mcp_response.look: `text` is one message, of which nothing was checked. May read the
     * exchange, its policy and its `reading`; must not answer or end it. */
    enum mcp_verdict (*message)(struct exchange *exchange, struct slice text, struct buffer *out);
};

struct exchange_reading {
    struct remains remains;
    struct mcp_response response;
    uint64_t charged; /* bytes counted in worker.body_bytes */
    unsigned looks;   /* of this response */
    bool logged;      /* that a message was refused */
    bool document;    /* else events; its head waits in request.response_head */
    uint16_t id_size; /* 0: there is none, it is a batch, or too long */
    char id[];        /* JSON text of the request's id: the body does not live as long */
};

/* Whether a rule narrows what callers of that policy (NULL: none) may do. */
bool exchange_reading_narrows(const struct policy_set *policy);

/* A response's head was parsed into worker.response, and is `head`; framing is known: reads its
 * body when somebody is interested. false: it was refused (and ended). */
bool exchange_reading_begin(struct exchange *exchange, struct slice head);
/* Whether the response's head waits. */
bool exchange_reading_waits(const struct exchange *exchange);
/* Bytes of the body. false: the exchange has ended. */
bool exchange_reading_take(struct exchange *exchange, struct slice data);
/* The body is complete. For a document, *body is what goes to the client, and worker.response its
 * head. false: the exchange has ended. */
bool exchange_reading_complete(struct exchange *exchange, struct slice *body);
/* The caller's policy has changed. May end the stream. */
void exchange_reading_review(struct exchange *exchange);
/* What is still held never goes on. */
void exchange_reading_stop(struct exchange *exchange);

#endif
