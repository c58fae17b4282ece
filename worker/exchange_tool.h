/* exchange_tool.h: what an exchange has to do with tools whose calls repeat arguments in headers.
 *
 * Calls of tools that tool_table.h knows are compared (mcp_param.h); lists of tools that pass are
 * learned from now and then. Only of the revision that has such headers. Called by exchange_mcp.c
 * and exchange_reading.c.
 */
#ifndef GATEHOUSE_WORKER_EXCHANGE_TOOL_H
#define GATEHOUSE_WORKER_EXCHANGE_TOOL_H

#include "worker/exchange.h"
#include "worker/mcp_response.h"

/* The gate admitted the request: false when its headers do not repeat its arguments (and the
 * exchange has ended). */
bool exchange_tool_admits(struct exchange *exchange, const struct mcp_gate *gate);
/* An observer of tools/list results: EXCHANGE_LOOKS_TOOLS. */
enum mcp_verdict exchange_tool_message(struct exchange *exchange, struct slice text,
                                       struct buffer *out);

#endif
