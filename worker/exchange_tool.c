#include "worker/exchange_tool.h"

#include "shared/clock.h"
#include "shared/log.h"
#include "worker/exchange_reading.h"
#include "worker/mcp_param.h"
#include "worker/mcp_result.h"

static bool tool_refuse(struct exchange *exchange, int code, const char *reason)
{
    struct reply_error error = {.status = 400, .code = code, .message = reason};
    struct slice app = exchange->app->record.name;

    log_info("mcp_refused", "app %.*s, client %s: 400 %s", (int)app.size, app.data,
             exchange->client->address, reason);
    exchange->request->rpc.refusal = reason;
    exchange_error(exchange, &error);
    return false;
}

bool exchange_tool_admits(struct exchange *exchange, const struct mcp_gate *gate)
{
    struct tool_table *tools = exchange->worker->tools;
    struct slice app = exchange->app->record.name;
    const struct mcp_method *known = gate->message.known;
    const struct tool_schema *schema;
    const char *reason = NULL;

    if (!exchange->mcp_modern || known == NULL || gate->message.kind != MCP_REQUEST)
        return true;
    if (known->lists && known->kind == POLICY_TOOL &&
        tool_table_wants(tools, app, clock_wall_seconds()))
        exchange->looks |= EXCHANGE_LOOKS_TOOLS;
    if (!known->calls)
        return true;
    schema = tool_table_find(tools, app, &gate->message.name, clock_wall_seconds());
    if (schema == NULL)
        return true;
    switch (mcp_params_compare(schema, gate->request, &gate->message.arguments, &reason)) {
    case MCP_PARAM_AGREES:
        break;
    case MCP_PARAM_AMBIGUOUS:
        return tool_refuse(exchange, MCP_INVALID_REQUEST, reason);
    case MCP_PARAM_DIFFERS:
        /* The client asks for the list again (2026-07-28, client behavior); so do we. */
        tool_table_doubt(tools, app);
        return tool_refuse(exchange, MCP_HEADER_MISMATCH, reason);
    }
    return true;
}

enum mcp_verdict exchange_tool_message(struct exchange *exchange, struct slice text,
                                       struct buffer *out)
{
    struct mcp_result result;

    (void)out;
    if (mcp_result_read(text, &result))
        tool_table_learn(exchange->worker->tools, exchange->app->record.name, result.result.text,
                         clock_wall_seconds());
    return MCP_PASSES;
}
