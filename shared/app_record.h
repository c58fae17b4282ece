/* app_record.h: what a worker needs of an app; the value in `apps`, keyed by the app's name.
 *
 * Written by the watcher (addresses already resolved), read by workers into their catalog. Slices
 * of a decoded record are borrowed from the bytes it was decoded from.
 */
#ifndef GATEHOUSE_SHARED_APP_RECORD_H
#define GATEHOUSE_SHARED_APP_RECORD_H

#include "shared/buffer.h"
#include "shared/label.h"
#include "shared/slice.h"

#include <stdint.h>

enum {
    APP_ENDPOINTS_MAX = 16,
    APP_ADDRESSES_MAX = 8, /* addresses of one endpoint that are tried */
    APP_HEADERS_MAX = 32,
    APP_METHODS_MAX = 32,      /* methods of an MCP server that are allowed besides our own list */
    APP_METHOD_NAME_MAX = 128, /* bytes of such a method's name */
    APP_CA_MAX = 24 * 1024,    /* bytes of a named CA bundle: it must fit in a record */
};

enum app_transport {
    APP_HTTP = 1,  /* http://, https://: a web app, served by Host */
    APP_MCP_HTTP,  /* mcp+http://, mcp+https://: Streamable HTTP */
    APP_DEBUG,     /* the built-in page that shows what an app would receive */
    APP_MCP_STDIO, /* mcp+stdio://: a server that the launcher starts; served by the bridge */
    APP_MCP_SSE,   /* mcp+sse+http://, mcp+sse+https://: HTTP+SSE of 2024-11-05; by the bridge */
};

/* How the watcher looks after the endpoints of an app. */
enum app_probe {
    APP_PROBE_OFF = 0, /* workers' own experience alone */
    APP_PROBE_TCP,     /* a connection can be made */
    APP_PROBE_HTTP,    /* GET of `path` is answered 2xx or 3xx */
    APP_PROBE_MCP,     /* server/discover is answered, or initialize */
};

struct app_health {
    enum app_probe probe;
    struct slice path; /* of APP_PROBE_HTTP; begins with '/' */
    uint32_t interval; /* milliseconds between two probes of an endpoint */
    uint32_t timeout;  /* milliseconds that a probe, or a message of one, may take */
    uint32_t rise;     /* good probes in a row after which a dead endpoint is alive */
    uint32_t fall;     /* failed probes in a row after which a live endpoint is dead */
};

/* Who said that an endpoint is to drain; either is enough. */
enum app_drain {
    APP_DRAIN_DOCUMENT = 1,
    APP_DRAIN_COMMAND = 2, /* goes on with the endpoint through changes of its app */
};

static inline bool app_transport_is_mcp(enum app_transport transport)
{
    return transport == APP_MCP_HTTP || transport == APP_MCP_STDIO || transport == APP_MCP_SSE;
}

struct app_endpoint {
    uint64_t id;       /* app_endpoint_id, by which health is published; of a decoded record */
    struct slice host; /* what the URI says: for Host, SNI and certificate checks; no brackets */
    uint16_t port;
    bool tls;
    struct slice path; /* begins with '/' */
    uint8_t draining;  /* enum app_drain; not 0: MCP sessions go on, nothing new is sent there */
    struct slice addresses[APP_ADDRESSES_MAX]; /* "127.0.0.1" or "::1"; in order of preference */
    size_t address_count;                      /* 0 while the name does not resolve */
};

struct app_header {
    struct slice name;
    struct slice value;
};

struct app_record {
    struct slice name;
    int64_t birth; /* another number than that of a removed app of this name; 0: unknown */
    struct slice description;
    struct slice public_addr; /* host name, lower case; empty when served under /mcp/apps only */
    enum app_transport transport;
    bool insecure_skip_verify;
    struct slice ca_pem;   /* empty: the system's bundle */
    struct slice revision; /* of a stdio server's command (stdio_app.h): what the bridge must have
                              in force; it has no endpoint. Empty for all others */
    struct app_endpoint endpoints[APP_ENDPOINTS_MAX];
    size_t endpoint_count;
    struct app_header headers[APP_HEADERS_MAX]; /* rewrite.headers: set on upstream requests */
    size_t header_count;
    struct label labels[LABELS_MAX];
    size_t label_count;
    struct slice methods[APP_METHODS_MAX]; /* mcp.allowed_methods */
    size_t method_count;
    struct app_health health;
    bool reinitialize; /* MCP sessions go on at another endpoint when theirs is lost */
};

/* The same for the same app, host, port, scheme and path, in every process; never 0. */
uint64_t app_endpoint_id(struct slice app, const struct app_endpoint *endpoint);

int app_record_encode(const struct app_record *app, struct buffer *out);
/* 0 or -EBADMSG. */
int app_record_decode(struct slice bytes, struct app_record *out);

#endif
