/* route.h: which resource a request names. Pure: knows paths, not apps' content.
 *
 *     /mcp/apps/<app>                                               ROUTE_MCP
 *     /mcp/apps/<app>/sse, /mcp/apps/<app>/sse/message              ROUTE_MCP, for old clients
 *     /.well-known/oauth-protected-resource/mcp/apps/<app>          ROUTE_METADATA (RFC 9728)
 *     anything else on the gate's own host                          ROUTE_NONE
 *     anything, when Host is another name                           ROUTE_HOST
 *     /sse, /sse/message there                                      ROUTE_HOST, for old clients
 * On the admin listener: /livez, /readyz, /metrics.
 */
#ifndef GATEHOUSE_WORKER_ROUTE_H
#define GATEHOUSE_WORKER_ROUTE_H

#include "worker/http_head.h"

enum route_kind {
    ROUTE_NONE,     /* 404 */
    ROUTE_MCP,      /* app is set */
    ROUTE_METADATA, /* app is set */
    ROUTE_HOST,     /* host is set: an app's public_addr, perhaps */
    ROUTE_LIVEZ,
    ROUTE_READYZ,
    ROUTE_METRICS,
};

/* HTTP+SSE of 2024-11-05. */
enum route_old {
    ROUTE_OLD_NONE,    /* Streamable HTTP */
    ROUTE_OLD_STREAM,  /* the stream */
    ROUTE_OLD_MESSAGE, /* where its messages are posted */
};

struct route {
    enum route_kind kind;
    enum route_old old; /* of ROUTE_MCP; of ROUTE_HOST, when the app is an MCP server */
    struct slice app;   /* borrowed from the request: a DNS label */
    char host[256];     /* lower case, without port, NUL-terminated */
    size_t host_size;
};

struct route_hosts {
    struct slice own; /* of public_addr */
    const struct slice *more;
    size_t more_count;
};

/* `hosts`: names of the gate. Without public_addr's own name in Host, an IP address or
 * localhost counts as the gate itself. */
void route_find(struct route *route, const struct http_request *request,
                const struct route_hosts *hosts, bool admin);

#endif
