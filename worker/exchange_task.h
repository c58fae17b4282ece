/* exchange_task.h: tasks of MCP servers, and who may name them: an exchange's part.
 *
 * A task belongs to who made it: its id is on record before the client learns it, and a request
 * that names one goes on only for its owner, to the server that made it, and while the owner's
 * roles list its tool. Otherwise the answer is a server's that knows no such task. Lists lose the
 * tasks of others. Called by exchange_mcp.c and exchange_reading.c.
 *
 * notifications/tasks/status is not read for this: a stream belongs to its owner's session, or to a
 * request whose every task was checked.
 */
#ifndef GATEHOUSE_WORKER_EXCHANGE_TASK_H
#define GATEHOUSE_WORKER_EXCHANGE_TASK_H

#include "worker/exchange.h"
#include "worker/mcp_response.h"

/* The gate admitted the request: false when a task that it names is not the caller's (and the
 * exchange has ended). Pins it to that task's server. */
bool exchange_task_admits(struct exchange *exchange, const struct mcp_gate *gate);
/* An observer of responses that may tell of tasks: EXCHANGE_LOOKS_TASKS. */
enum mcp_verdict exchange_task_message(struct exchange *exchange, struct slice text,
                                       struct buffer *out);
/* Forgets what the response was to be asked for. */
void exchange_task_dispose(struct exchange *exchange);

#endif
