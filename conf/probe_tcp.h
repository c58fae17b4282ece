/* probe_tcp.h: whether a connection to an endpoint can be made.
 *
 * Called by prober.c. Tries the endpoint's addresses one after the other, one connection at a time,
 * sends nothing, and closes what it opened. Never blocks.
 */
#ifndef GATEHOUSE_CONF_PROBE_TCP_H
#define GATEHOUSE_CONF_PROBE_TCP_H

#include "shared/app_record.h"

struct ev_loop;
struct probe_tcp;

/* Called once, from the loop, unless the probe was cancelled; it is over. `failed`: why, or NULL;
 * borrowed for the call. */
typedef void (*probe_done)(void *context, const char *failed);

/* The endpoint is borrowed until the end. `timeout`: milliseconds for all addresses. NULL: no
 * memory. */
struct probe_tcp *probe_tcp_start(struct ev_loop *loop, const struct app_endpoint *endpoint,
                                  uint32_t timeout, probe_done done, void *context);
void probe_tcp_cancel(struct probe_tcp *probe); /* NULL is ignored */

#endif
