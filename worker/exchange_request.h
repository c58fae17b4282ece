/* exchange_request.h: what of an exchange belongs to its request alone.
 *
 * Begins with the exchange, and lasts until nothing can ask for the request any more: to the
 * exchange's own end, or until its response is an event stream that goes on. Streams are silent for
 * hours, and most of a worker's memory; so from then on exchange.request is NULL, and what runs
 * while a stream does must not touch it (exchange_response.c, exchange_reading.c, the observers of
 * messages, exchange_review, exchange_drain, and the ends of all). Owned by the exchange; its
 * memory lives to the turn's end, as the exchange's does.
 *
 * What the request's text says is given back before that, as soon as it was sent or answered:
 * exchange_release_request.
 */
#ifndef GATEHOUSE_WORKER_EXCHANGE_REQUEST_H
#define GATEHOUSE_WORKER_EXCHANGE_REQUEST_H

#include "shared/buffer.h"
#include "shared/policy.h"
#include "worker/endpoint.h"
#include "worker/exchange_audit.h"
#include "worker/http_head.h"
#include "worker/mcp_gate.h"
#include "worker/worker.h"
#include "worker/write_queue.h"

/* A request in a batch whose result is a list. */
struct exchange_list {
    const struct mcp_method *method;
    struct exchange_span id;
};

/* What a POST to an MCP server says, and what was decided: filled by exchange_mcp_admits, empty for
 * other requests. Spans are cleared, and `lists` freed, when the response's stream begins and the
 * body goes: who needs them longer copies them before (exchange_mcp_stream). */
struct exchange_rpc {
    struct exchange_span name;      /* the one message's method, as JSON text with its quotes */
    struct exchange_span id;        /* the one request's id, as JSON text */
    struct exchange_span target;    /* what it acts on (mcp_gate_target), as JSON text */
    struct exchange_span arguments; /* of a tool or prompt, as JSON text */
    bool batch;
    enum policy_outcome outcome;    /* of a batch: of the message that decided */
    const char *refusal;            /* why it was refused: a literal; NULL: it was not */
    const struct policy_rule *rule; /* that decided; NULL: none. Borrowed from `policy` */
    struct slice role, place;       /* of what decided; empty: nothing did. Borrowed likewise */
    struct policy_set *policy;      /* that judged; held; NULL: nothing was judged */
    struct exchange_list *lists;    /* of a batch that asks for lists which the policy narrows */
    size_t list_count;
};

struct exchange_request {
    struct remains remains;
    int minor_version;
    bool expect_continue;
    bool pinned;                     /* to the server that made its MCP session: see start */
    enum mcp_revision negotiated;    /* of that session, as in struct mcp_gate */
    struct auth_attempt *attempt;    /* owned; NULL once it was judged */
    char *cors_origin;               /* of a page that may read the answer; owned; NULL: none */
    struct exchange_rpc rpc;         /* of an MCP server's request */
    size_t mcp_id_at, mcp_id_size;   /* Mcp-Session-Id, in the head; 0: none */
    struct mcp_session_write *write; /* that is awaited in EXCHANGE_RECORD; the queue's */

    /* Its text. While `in_place`, head and body stand at the begin of the client's input. */
    bool in_place;
    enum http_body body_framing;
    size_t head_size;
    uint64_t body_size;    /* of a body in place, or with a length */
    struct buffer head;    /* a copy, when not in place */
    struct buffer body;    /* when not in place */
    uint64_t body_charged; /* bytes counted in worker.body_bytes */
    char *kept; /* owned; what spans lie in, and Mcp-Session-Id, once a call was sent; else NULL */

    /* Where it goes. */
    struct buffer upstream_head;
    struct write_entry sending;    /* waits for the turn's end, in EXCHANGE_SEND */
    size_t sent;                   /* bytes of head and body that were written */
    unsigned address;              /* pinned: of the endpoint */
    unsigned tried;                /* addresses of the endpoint that were tried */
    bool fresh;                    /* no pooled connection to the endpoint any more */
    struct endpoint_trials trials; /* of an app of several endpoints */

    struct buffer response_head; /* as far as it is here, while it is not complete or waits */
    struct exchange_note note;   /* for its line in the audit trail */
};

struct exchange;

/* Of the head in worker.request, which is `head_size` bytes at the begin of the client's input.
 * NULL: out of memory. */
struct exchange_request *exchange_request_make(const struct http_request *head, size_t head_size);
/* The exchange is over, or its response is an event stream that goes on. exchange.request is NULL
 * when it returns, and may have been before. */
void exchange_request_dispose(struct exchange *exchange);
/* The request is admitted, its app held, and its head in worker.request: collects the body. */
void exchange_collect(struct exchange *exchange);
/* Writes what is left of the request. */
void exchange_send(struct exchange *exchange);
/* Where the request's head and its body stand, and a part of that body. */
struct slice exchange_head(const struct exchange *exchange);
struct slice exchange_body(const struct exchange *exchange);
struct slice exchange_part(const struct exchange *exchange, struct exchange_span span);
/* Gives the request's memory back; the input that it stood in is consumed. */
void exchange_release_request(struct exchange *exchange);

#endif
