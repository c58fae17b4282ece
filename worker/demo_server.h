/* demo_server.h: `gatehouse demo-server`: a small MCP server over HTTP, of both eras, to try the
 * gateway with. On loopback only; one process. Its entry, demo_server_main, is in roles.h.
 *
 * It is no part of the gateway: no worker calls it, and it knows no token.
 */
#ifndef GATEHOUSE_WORKER_DEMO_SERVER_H
#define GATEHOUSE_WORKER_DEMO_SERVER_H

#include "worker/demo_session.h"

#include <ev.h>

struct demo_connection;

struct demo_server {
    struct ev_loop *loop;
    struct ev_io listener;
    struct ev_signal terminate, interrupt;
    struct demo_connection *connections; /* each removes itself when it closes */
    size_t connection_count;
    struct demo_sessions sessions;
};

#endif
