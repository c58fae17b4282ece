/* bridge_remote.h: a link to a server over HTTP, held for one session.
 *
 * Two kinds. `sse`: a server of HTTP+SSE (2024-11-05): one stream brings all messages, and its
 * first event says where ours are posted, which must be of the same origin. `http`: a server of
 * Streamable HTTP, for an old client, whose session outlives no request: the bridge is its client.
 * The endpoint, the address among it, comes from the app's record by way of the worker.
 */
#ifndef GATEHOUSE_WORKER_BRIDGE_REMOTE_H
#define GATEHOUSE_WORKER_BRIDGE_REMOTE_H

#include "worker/bridge_client.h"
#include "worker/bridge_link.h"

/* `endpoint`, `trust`: as the worker's headers say them; `request`: the client's, whose other
 * headers go with every request to the server. NULL with *reason (a literal) when it cannot be. */
struct bridge_link *bridge_remote_open(struct bridge *bridge, struct slice endpoint,
                                       struct slice trust, const struct http_request *request,
                                       const char **reason);

#endif
