/* page.h: pages that a worker makes itself: health, metrics, and the debug app. Pure but for the
 * scoreboard that it reads.
 */
#ifndef GATEHOUSE_WORKER_PAGE_H
#define GATEHOUSE_WORKER_PAGE_H

#include "shared/buffer.h"
#include "shared/scoreboard.h"
#include "shared/session_record.h"
#include "worker/forward.h"

/* /metrics: text in the OpenMetrics/Prometheus exposition format 0.0.4, names gatehouse_*. */
int page_metrics(struct buffer *out, const struct scoreboard_public *public,
                 const struct scoreboard_work *work);
/* /readyz: "ok\n" and true when this worker may take traffic (it may when its store is readable
 * and the watcher published at least once). */
bool page_ready(struct buffer *out, const struct scoreboard_public *public,
                const struct scoreboard_work *work);
/* The debug app: an HTML page (or JSON, when Accept asks for it) with the request line and headers
 * an app would receive, and who the caller is. `head`: the upstream head as forward made it. Every
 * byte from outside is escaped. `session`: NULL when there is none. *media_type is a literal. */
int page_debug(struct buffer *out, struct slice head, const struct session_record *session,
               const struct http_request *request, const char **media_type);

#endif
