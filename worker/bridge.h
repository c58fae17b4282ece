/* bridge.h: the bridge process: what its parts share.
 *
 * The bridge owns what must outlive a worker: the pipes of stdio servers, the streams of servers of
 * legacy HTTP+SSE, and the sessions of old clients. To workers it is one more Streamable HTTP
 * endpoint, over STATE/bridge/socket; they have authenticated and judged every request before it
 * comes here, and say for whom it is: Gatehouse-App, Gatehouse-Owner, Gatehouse-Endpoint,
 * Gatehouse-Trust, Gatehouse-Place. It opens no store, sees no token and resolves no name.
 *
 *     bridge_client   a worker's connection     bridge_exchange  one request
 *     bridge_session  an MCP session            bridge_stream    an event stream, and its replay
 *     bridge_link     messages to a server      bridge_call      requests that await its answer
 *     bridge_server   a stdio server's pipes    bridge_remote    a server over HTTP
 *     bridge_app      who shares which server
 */
#ifndef GATEHOUSE_WORKER_BRIDGE_H
#define GATEHOUSE_WORKER_BRIDGE_H

#include "shared/child.h"
#include "worker/tls_trust.h"

#include <ev.h>

enum {
    BRIDGE_BUCKETS = 1024,      /* of sessions by id */
    BRIDGE_SCRATCH = 64 * 1024, /* bytes read at once */
    BRIDGE_RETRY_AFTER = 2,     /* seconds that a client should wait for what we lack just now */
    BRIDGE_SESSIONS_MAX = 16 * 1024, /* in all: each costs some KiB, and descriptors */
};

/* Bytes of all messages that are kept to be sent (again): beyond it, the oldest of a stream go. */
static const uint64_t bridge_memory = UINT64_C(256) << 20;

/* First member of what callbacks may still hold when it ends: freed at the turn's end. */
struct bridge_remains {
    struct bridge_remains *next;
};

struct bridge {
    struct ev_loop *loop;
    struct child child;
    struct tls_trust *trust;
    struct bridge_app *apps;
    struct bridge_client *clients;
    struct bridge_link *links;
    size_t server_count;
    struct bridge_session *sessions[BRIDGE_BUCKETS];
    size_t session_count;
    uint64_t last_id;           /* of a request to a server */
    uint32_t last_start;        /* of a server that the launcher was asked for; begins at random */
    uint64_t buffered;          /* bytes of all streams' messages */
    uint64_t queued;            /* lines that wait for servers to read them */
    struct server_board *board; /* of the work scoreboard; NULL: nobody looks */
    bool draining;
    struct bridge_remains *remains;
    char scratch[BRIDGE_SCRATCH]; /* lent for one callback */
};

/* The object (which begins with struct bridge_remains, from malloc) is freed at the turn's end. */
void bridge_bury(struct bridge *bridge, struct bridge_remains *remains);

#endif
