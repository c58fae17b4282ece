/* bridge_probe.h: which era a stdio server is of, asked by server/discover, once an app.
 *
 * A client's own request might not tell. Requests wait until the server, its end or the time says
 * which: then they go on, or are refused. Called by bridge_link.c, and by who hears the answer.
 */
#ifndef GATEHOUSE_WORKER_BRIDGE_PROBE_H
#define GATEHOUSE_WORKER_BRIDGE_PROBE_H

#include "shared/buffer.h"
#include "worker/deadline.h"

struct bridge_held;
struct bridge_link;

/* Of one link. */
struct bridge_probe {
    struct deadline patience;
    struct bridge_held *held, **tail; /* requests that wait, the oldest first */
};

void bridge_probe_open(struct bridge_link *link);
/* Drops what waits. */
void bridge_probe_close(struct bridge_link *link);

/* Asks. 0 or -errno: nothing was sent. */
int bridge_probe_send(struct bridge_link *link);
/* The line waits; it is taken over. 0 or -EDQUOT. */
int bridge_probe_hold(struct bridge_link *link, struct buffer *line, uint64_t id);
/* The era is known: what was held goes on, or is refused, and then the link ends. `known`: and so
 * it will be the next time. */
void bridge_probe_judged(struct bridge_link *link, bool modern, bool known);

#endif
