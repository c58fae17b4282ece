/* probe_http.h: whether an endpoint answers HTTP, or speaks MCP.
 *
 * Called by prober.c. One connection at a time, closed after each message (http_fetch.h); no
 * redirect is followed; what is answered is not read. Headers of the app's own (rewrite.headers) go
 * along, as with requests.
 *
 * HTTP: GET; 2xx or 3xx is good. MCP: server/discover (2026-07-28); when the server does not know
 * it, initialize. A session that either began is ended with DELETE, before the probe is over.
 */
#ifndef GATEHOUSE_CONF_PROBE_HTTP_H
#define GATEHOUSE_CONF_PROBE_HTTP_H

#include "conf/probe_tcp.h"

struct probe_http;
struct http_fetcher;

/* The app, and `*legacy`, are borrowed until the end. *legacy: the server did not know
 * server/discover when it was asked last, so that it is not asked again. NULL: no memory. */
struct probe_http *probe_http_start(struct ev_loop *loop, struct http_fetcher *fetcher,
                                    const struct app_record *app, size_t endpoint, bool *legacy,
                                    probe_done done, void *context);
/* A session that the server began meanwhile is not ended. NULL is ignored. */
void probe_http_cancel(struct probe_http *probe);

#endif
