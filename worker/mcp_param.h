/* mcp_param.h: the arguments that a tools/call repeats in headers, compared. Pure: no allocation.
 *
 * MCP 2026-07-28, streamable HTTP: a header Mcp-Param-<x> is there exactly when its argument is,
 * and says the same. Only for tools whose schema is known: other such headers pass untouched, and
 * are the server's to judge. Called by exchange_tool.c.
 */
#ifndef GATEHOUSE_WORKER_MCP_PARAM_H
#define GATEHOUSE_WORKER_MCP_PARAM_H

#include "worker/http_head.h"
#include "worker/tool_schema.h"

enum mcp_param_verdict {
    MCP_PARAM_AGREES,
    MCP_PARAM_DIFFERS,   /* one is missing, says something else, or is not encoded as it must be */
    MCP_PARAM_AMBIGUOUS, /* an argument is there twice, or in another case */
};

/* `arguments`: of params; JSON_INVALID when there are none. *reason: a literal for the client,
 * unless they agree. */
enum mcp_param_verdict mcp_params_compare(const struct tool_schema *schema,
                                          const struct http_request *request,
                                          const struct json_value *arguments, const char **reason);

#endif
