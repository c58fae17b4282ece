/* forward.h: what crosses the gate, and what does not: heads rewritten both ways. Pure.
 *
 * Upstream never sees the client's Authorization, DPoP, Proxy-*, forwarding headers of the client's
 * own making, hop-by-hop headers, or Gatehouse's cookies; it sees X-Forwarded-For, -Proto, -Host,
 * -Port and X-Real-Ip from the real peer, the app's header rules, and the rest byte for byte. MCP
 * servers are asked for no encoding, since what they answer may have to be read.
 * The client never sees hop-by-hop headers, nor an upstream's challenge.
 */
#ifndef GATEHOUSE_WORKER_FORWARD_H
#define GATEHOUSE_WORKER_FORWARD_H

#include "shared/app_record.h"
#include "shared/buffer.h"
#include "worker/http_head.h"

struct forward_request {
    const struct http_request *request;
    const struct app_record *app;
    const struct app_endpoint *endpoint;
    bool mcp;                    /* the endpoint's own path; else the request's */
    bool identity;               /* what it answers may have to be read: unencoded */
    bool sessionless;            /* its revision of MCP ignores sessions: so name none */
    struct slice path;           /* to the bridge: path and query; empty: of the endpoint */
    struct slice own;            /* to the bridge: lines for it alone, each ended by CRLF */
    struct slice client_address; /* "203.0.113.9", no port */
    bool client_tls;
    uint64_t body_size; /* of the body in hand, sent as Content-Length */
    bool has_body;      /* false: neither Content-Length nor body */
};

/* Appends the upstream request's head. 0, -ENOMEM, or -EBADMSG when the app's record holds what a
 * head may not. */
int forward_request_head(struct buffer *out, const struct forward_request *forward);

struct forward_response {
    const struct http_response *response;
    enum http_body body; /* how the client will be sent the body */
    bool mcp;            /* of an MCP app: what it says of CORS is dropped */
    bool bridge;         /* the bridge's: it says itself whose an error is */
    /* Of a web app, the endpoint that answered: its clients are sent to their own origin, not to
     * this one. NULL: Location goes on as it is. */
    const struct app_endpoint *endpoint;
    struct slice cors; /* origin of a page that may read it; empty: none */
    size_t body_room;  /* bytes to make room for behind the head: of a body that is here */
    bool close;        /* the client connection ends after it */
};

/* Appends the client response's head. 0 or -ENOMEM. */
int forward_response_head(struct buffer *out, const struct forward_response *forward);

/* Cookies of ours begin with this; they are cut out of Cookie headers. */
#define FORWARD_COOKIE_PREFIX "__Host-gatehouse"

#endif
