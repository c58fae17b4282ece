/* exchange.h: one request and its response, from a parsed head to the last byte.
 *
 * The order of things is the design's, section 4: route, token, session, body, endpoint, stream.
 * exchange.c decides, exchange_answer.c answers what is ours to answer; exchange_request.c collects
 * the body and sends it to the server that exchange_endpoint.c found; exchange_mcp.c judges it in
 * between, when the app is an MCP server, and exchange_mcp_session.c finds whose session it is of;
 * exchange_response.c relays what comes back, which exchange_reading.c reads when somebody wants to
 * know what it says, and exchange_stream.c keeps alive and ends. Belongs to one client; ends
 * itself, and tells the client so (client_finished), or is aborted by it. No body byte is taken
 * before the token is accepted.
 */
#ifndef GATEHOUSE_WORKER_EXCHANGE_H
#define GATEHOUSE_WORKER_EXCHANGE_H

#include "shared/buffer.h"
#include "worker/client.h"
#include "worker/deadline.h"
#include "worker/endpoint.h"
#include "worker/exchange_audit.h"
#include "worker/exchange_request.h"
#include "worker/forward.h"
#include "worker/http_chunk.h"
#include "worker/mcp_gate.h"
#include "worker/mcp_response.h"
#include "worker/reply.h"
#include "worker/route.h"
#include "worker/upstream.h"
#include "worker/write_queue.h"

enum { EXCHANGE_RETRY_AFTER = 2 }; /* seconds that a client should wait for what we lack just now */

enum exchange_state {
    EXCHANGE_AUTH,    /* the verdict is awaited; the head stays where it was parsed */
    EXCHANGE_BODY,    /* the request's body is collected */
    EXCHANGE_REOPEN,  /* its MCP session is opened anew: exchange_reopen.h */
    EXCHANGE_CONNECT, /* an upstream connection opens */
    EXCHANGE_SEND,    /* the request is written upstream */
    EXCHANGE_HEAD,    /* the response's head is awaited */
    EXCHANGE_RECORD,  /* the response waits until its MCP session is on record */
    EXCHANGE_STREAM,  /* the response's body is relayed */
    EXCHANGE_OVER,
};

enum { EXCHANGE_ID_MAX = MCP_ID_MAX }; /* bytes of a JSON-RPC id that errors repeat */

struct exchange {
    struct remains remains;
    struct worker *worker;
    struct client *client;
    struct exchange_request *request; /* owned; NULL while an event stream goes on: see there */
    struct catalog_app *app;          /* held; NULL until it is known */
    struct policy_set *policy; /* of the caller at the app, as it is now; held; NULL before */
    const struct mcp_method *mcp_method; /* of the one message; NULL: a batch, or unknown */
    struct exchange_reopen *reopen;      /* owned; NULL: its MCP session has one server, or none */
    struct exchange_task *task;          /* that the response may tell of; owned; NULL: none */
    struct mcp_begun *begun;    /* the MCP session that the response begins; owned; NULL: none */
    struct mcp_use *use;        /* of an event stream; owned; NULL: of no session */
    struct upstream *upstream;  /* NULL while there is none */
    struct endpoint_seen *seen; /* as the worker remembers it; NULL: it does not */
    struct exchange_bridge *bridge;   /* owned; NULL: it goes to the app's server itself */
    struct exchange_reading *reading; /* owned; NULL: the body passes unread */
    const char *end_reason;           /* what its last event says; a literal */
    ev_tstamp ends;                   /* wall time at which a stream ends; 0: no such time */
    struct deadline deadline;         /* response head, silence, keep-alive, end */
    struct exchange_audit audit;
    uint64_t body_left;                /* of the response */
    struct http_chunk_decoder decoder; /* of the request's body, then of the response's */
    uint32_t upstream_idle; /* milliseconds for which the upstream connection may be kept */
    unsigned endpoint;      /* of the app's; pinned: the only one */

    enum exchange_state state : 8;
    enum exchange_state held_in : 8; /* the state before EXCHANGE_RECORD */
    enum route_kind route : 8;
    enum route_old old : 8; /* which transport the client speaks */
    enum http_method method : 8;
    enum http_body response_body : 8; /* as it comes */
    enum http_body client_body : 8;   /* as it goes */
    unsigned looks : 8;               /* who reads the response: bits of exchange_look */
    bool keep_alive;                  /* the client wants, and we can, go on after this one */
    bool upstream_keep;               /* the upstream connection may serve on */
    bool mcp;                         /* of an MCP server: errors are JSON-RPC's */
    bool mcp_modern;                  /* of a revision without sessions */
    bool recorded;                    /* what the response says of an MCP session is on record */
    bool event_stream;
    char tail[4];              /* the last bytes of an event stream: whether an event is complete */
    struct session_id session; /* once it was accepted */
};

/* A head of `head_size` bytes stands at the begin of the client's input, and is parsed in
 * worker.request. May be over when it returns. */
void exchange_start(struct client *client, size_t head_size);
/* The client has more input. */
void exchange_input(struct exchange *exchange);
/* How many bytes of input the client may hold: 0 while they are borrowed, and must not move. */
size_t exchange_input_limit(const struct exchange *exchange, size_t pipeline);
/* The client takes no more just now. */
void exchange_blocked(struct exchange *exchange);
/* All output was taken by the client. */
void exchange_written(struct exchange *exchange);
/* The body's next byte did not come in time. */
void exchange_body_late(struct exchange *exchange);
/* The config or the revocations changed: judges its session anew, and ends an event stream whose
 * session no longer stands. Nothing before the verdict. false when it could not be judged just now:
 * to be asked again. */
bool exchange_review(struct exchange *exchange);
/* The worker drains: streams get an end. */
void exchange_drain(struct exchange *exchange);
/* The client is gone. */
void exchange_abort(struct exchange *exchange);

/* Among these files. */

/* 405 with what is allowed. */
void exchange_refuse_method(struct exchange *exchange, const char *allow);
/* 401 with a challenge; alike for an unknown app and for one that the issuer is not bound to.
 * `error_code` NULL: no token was sent. */
void exchange_challenge(struct exchange *exchange, struct slice app, const char *error_code,
                        const char *description);
/* 403: the token lacks a scope that the operation needs. Names those that the config requires of
 * every token, and those of the decision (NULL: none), so that one new token is enough. `body`: see
 * reply_error. */
void exchange_ask_scopes(struct exchange *exchange, struct slice app,
                         const struct auth_config_record *config,
                         const struct policy_decision *decision, struct slice body);
/* An app was not found: true, and 503 was answered, when the store could not be read. */
bool exchange_store_failed(struct exchange *exchange);
void exchange_metadata(struct exchange *exchange, struct slice app);
void exchange_admin(struct exchange *exchange);
/* The debug app's page, with the head that a server would have been sent. */
void exchange_debug(struct exchange *exchange, const struct session_record *session);

/* Answers with this error, and ends; the error's json_rpc, id, head_only and close are filled in.
 */
void exchange_error(struct exchange *exchange, struct reply_error *error);
/* Answers with an error of ours, and ends. `origin` NULL: the gateway's. */
void exchange_refuse(struct exchange *exchange, unsigned status, const char *message,
                     unsigned retry_after, const char *origin);
/* 200 without a body. */
void exchange_acknowledge(struct exchange *exchange);
/* What was appended to the client's output is the answer: counts it, flushes it, and ends. */
void exchange_answered(struct exchange *exchange, unsigned status, bool close);
/* The exchange is over; its client goes on, or closes. */
void exchange_end(struct exchange *exchange, bool close);
void exchange_count_status(struct exchange *exchange, unsigned status);
/* Host and Origin of a request to an MCP app: false when it was answered: refused, or a preflight.
 */
bool exchange_cors(struct exchange *exchange, const char *methods);
/* The origin that answers are to name; empty: none. */
struct slice exchange_origin(const struct exchange *exchange);
/* The server did something that others must not be sent to meet: see endpoint.h. */
void exchange_endpoint_failed(struct exchange *exchange, enum endpoint_failure failure);
/* The request to an MCP server is in hand, its head in worker.request: false when it was refused
 * (and ended). */
bool exchange_mcp_admits(struct exchange *exchange, struct slice body);
/* The same once more: the caller's policy changed while the request waited. */
bool exchange_mcp_admits_again(struct exchange *exchange);
/* The request's body goes away. */
void exchange_mcp_forget(struct exchange *exchange);
/* A response that was held goes on. */
void exchange_response_resume(struct exchange *exchange);
/* The response is complete; `rest` bytes came behind it and belong to nobody. */
void exchange_response_complete(struct exchange *exchange, size_t rest);
/* exchange_bridge.c. The caller was admitted: notes what the bridge must know of them, when it is
 * the bridge that serves the request. false: out of memory. */
bool exchange_bridge_begin(struct exchange *exchange, const struct session_record *caller);
/* Fills in path and lines for the bridge; `lines` holds them. 0, -ENOMEM, or -EHOSTUNREACH: the
 * server has no address just now. */
int exchange_bridge_forward(const struct exchange *exchange, struct forward_request *forward,
                            struct buffer *lines);
/* An old client looks for answers on its stream alone: has the bridge put this one there. false: it
 * is to be answered as it is. */
bool exchange_bridge_refuse(struct exchange *exchange, struct reply_error *error);
/* What is sent as the request's body. */
struct slice exchange_bridge_body(const struct exchange *exchange);
/* Its client closed the connection: what the bridge holds for it need not wait for it long. */
void exchange_bridge_left(struct exchange *exchange);
void exchange_bridge_dispose(struct exchange *exchange);
void exchange_bridge_target(struct upstream_target *target);
/* Whether an MCP session's record names the bridge. */
bool exchange_bridge_made(struct slice address);
/* The upstream connection has something to say. */
void exchange_upstream_ready(struct upstream *upstream, int events);
/* The request may go: its head is in worker.request, its body in hand. Finds an endpoint, and sends
 * it there. */
void exchange_dispatch(struct exchange *exchange);
void exchange_receive(struct exchange *exchange);
/* The upstream connection ended without a response: tries another, or answers 502. */
void exchange_lost(struct exchange *exchange, const char *reason);
/* Appends body bytes in the client's framing. 0 or -ENOMEM. */
int exchange_append(struct exchange *exchange, struct slice data);

#endif
