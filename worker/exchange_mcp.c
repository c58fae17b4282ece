/* MCP's part of an exchange: what the protocol's own rules say to a request. */
#include "worker/exchange.h"

#include "shared/json.h"
#include "shared/log.h"
#include "worker/mcp_gate.h"

/* What a client of an unsupported revision needs to choose another (2026-07-28, versioning). */
static int exchange_mcp_versions(const struct mcp_gate *gate, struct buffer *data)
{
    const struct http_header *header =
        http_find(gate->request->headers, gate->request->header_count, HTTP_MCP_PROTOCOL_VERSION);
    int error = buffer_append_text(data, "{\"supported\":");

    if (error == 0)
        error = buffer_append_text(data, mcp_gate_revisions);
    if (error == 0)
        error = buffer_append_text(data, ",\"requested\":");
    if (error == 0)
        error = json_append_string(data, header == NULL ? slice_make(NULL, 0) : header->value);
    return error == 0 ? buffer_append_text(data, "}") : error;
}

static void exchange_mcp_refuse(struct exchange *exchange, const struct mcp_gate *gate)
{
    struct reply_error error = {
        .status = gate->status, .code = gate->code, .message = gate->reason};
    struct slice app = exchange->app->record.name;
    struct buffer data = {0};

    log_info("mcp_refused", "app %.*s, client %s: %u %s", (int)app.size, app.data,
             exchange->client->address, gate->status, gate->reason);
    if (gate->code == MCP_VERSION_UNSUPPORTED && exchange_mcp_versions(gate, &data) != 0) {
        buffer_free(&data);
        client_close(exchange->client);
        return;
    }
    if (gate->status == 405)
        error.allow = "POST";
    error.data = buffer_slice(&data);
    exchange_error(exchange, &error);
    buffer_free(&data);
}

bool exchange_mcp_admits(struct exchange *exchange, struct slice body)
{
    struct mcp_gate gate = {.request = &exchange->worker->request, .body = body};
    bool admitted = mcp_gate_admits(&gate);

    exchange->mcp_modern = gate.revision == MCP_2026_07_28;
    if (gate.id.size > 0 && gate.id.size <= sizeof(exchange->rpc_id)) {
        memcpy(exchange->rpc_id, gate.id.data, gate.id.size);
        exchange->rpc_id_size = gate.id.size;
    }
    if (!admitted)
        exchange_mcp_refuse(exchange, &gate);
    return admitted;
}
