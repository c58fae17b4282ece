/* mcp_replay.h: the head of a message of the gate's own in a client's MCP session. Pure.
 *
 * For opening a session anew (reopening.h): `initialize` as the client sent it once,
 * notifications/initialized, and DELETE. Made from the head of a request of that client's, so that
 * a server which asks for a header of the client's own finds it; what belongs to that one message
 * is said anew. What no server may see goes, as always (forward.h).
 */
#ifndef GATEHOUSE_WORKER_MCP_REPLAY_H
#define GATEHOUSE_WORKER_MCP_REPLAY_H

#include "worker/forward.h"

struct mcp_replay {
    struct slice head; /* of the client's request, whole */
    const struct app_record *app;
    const struct app_endpoint *endpoint;
    bool path; /* the endpoint's own path; else the request's */
    struct slice client_address;
    bool client_tls;
    const char *method;   /* of HTTP */
    struct slice session; /* the server's id; empty: it begins one */
    struct slice version; /* of the protocol; for a session */
    struct slice body;    /* empty: none */
};

/* Appends head and body; `room` is for the parsed head. 0, -ENOMEM, or -EBADMSG when something of
 * it may not stand in a head. */
int mcp_replay_append(struct buffer *out, const struct mcp_replay *replay,
                      struct http_request *room);

#endif
