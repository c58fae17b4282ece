/* What MCP's own rules, and a policy's, say to the request of an exchange. */
#include "worker/exchange.h"

#include "shared/json.h"
#include "shared/log.h"
#include "shared/session_store.h"
#include "worker/exchange_reading.h"
#include "worker/exchange_task.h"
#include "worker/exchange_tool.h"

#include <stdlib.h>

/* Scopes that one answer names for a batch: more than any issuer grants. */
enum { EXCHANGE_SCOPES_MAX = 64 };

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

/* The caller's session, read when a rule needs the token's scopes. */
struct mcp_caller {
    const struct exchange *exchange;
    struct session_record session;
};

static int exchange_mcp_scopes(void *context, const struct slice **scopes, size_t *count)
{
    struct mcp_caller *caller = context;
    const struct exchange *exchange = caller->exchange;
    int error =
        session_store_find(exchange->worker->sessions, &exchange->session, &caller->session);

    *scopes = caller->session.scopes;
    *count = error == 0 ? caller->session.scope_count : 0;
    return error;
}

/* One error for each request of a batch that does not go on, so that each gets its answer. */
static int exchange_mcp_batch(const struct mcp_gate *gate, struct buffer *out)
{
    struct mcp_message message;
    struct mcp_reader reader;
    int error = buffer_append_text(out, "[");

    mcp_reader_begin(&reader, gate->body, true);
    while (error == 0 && mcp_reader_next(&reader, &message) == 1) {
        struct reply_error each = {.json_rpc = true,
                                   .code = MCP_INVALID_REQUEST,
                                   .message = "Not run: another message of this batch was refused",
                                   .id = message.id};

        if (message.kind != MCP_REQUEST)
            continue;
        if (slice_equal(message.id, gate->refusal.id)) {
            each.code = gate->refusal.code;
            each.message = gate->refusal.reason;
            each.detail = gate->refusal.detail;
        }
        if (buffer_size(out) > 1)
            error = buffer_append_text(out, ",");
        if (error == 0)
            error = reply_error_body(out, &each);
    }
    return error == 0 ? buffer_append_text(out, "]") : error;
}

/* Every scope that messages of the batch need, each once, as far as they fit: one new token is to
 * be enough for all. */
static size_t exchange_mcp_batch_scopes(const struct mcp_gate *gate,
                                        struct slice out[EXCHANGE_SCOPES_MAX])
{
    struct mcp_message message;
    struct mcp_reader reader;
    size_t count = 0;

    mcp_reader_begin(&reader, gate->body, true);
    while (mcp_reader_next(&reader, &message) == 1) {
        struct mcp_ruling ruling;

        mcp_policy_judge(gate->policy, &message, &ruling);
        if (ruling.kind != MCP_RULING_SCOPE)
            continue;
        for (size_t i = 0; i < ruling.decision.scope_count; i++) {
            struct slice scope = ruling.decision.scopes[i];
            size_t at = 0;

            while (at < count && !slice_equal(out[at], scope))
                at++;
            if (at == count && count < EXCHANGE_SCOPES_MAX)
                out[count++] = scope;
        }
    }
    return count;
}

static void exchange_mcp_ask_scopes(struct exchange *exchange, const struct mcp_gate *gate,
                                    struct slice body)
{
    const struct mcp_caller *caller = gate->policy->context;
    struct slice app = exchange->app->record.name;
    const struct catalog_binding *binding =
        catalog_binding_find(exchange->worker->catalog, app, caller->session.issuer);
    struct policy_decision decision = gate->ruling.decision;
    struct slice scopes[EXCHANGE_SCOPES_MAX];

    if (gate->batch) {
        decision.scopes = scopes;
        decision.scope_count = exchange_mcp_batch_scopes(gate, scopes);
    }
    exchange_ask_scopes(exchange, app, binding == NULL ? NULL : &binding->config, &decision, body);
}

/* What the answer says besides the reason: of a batch, the body; of a version, which there are. */
static int exchange_mcp_more(const struct mcp_gate *gate, struct buffer *data, struct buffer *body)
{
    if (gate->refusal.code == MCP_VERSION_UNSUPPORTED)
        return exchange_mcp_versions(gate, data);
    if (gate->refusal.code == MCP_CAPABILITY_MISSING)
        return buffer_append_text(data, mcp_gate_capabilities);
    if (gate->requests > 0 && (gate->refusal.status == 200 || gate->refusal.status == 403))
        return exchange_mcp_batch(gate, body);
    return 0;
}

static void exchange_mcp_refuse(struct exchange *exchange, const struct mcp_gate *gate)
{
    const struct mcp_refusal *refusal = &gate->refusal;
    struct reply_error error = {.status = refusal->status,
                                .code = refusal->code,
                                .message = refusal->reason,
                                .detail = refusal->detail};
    struct slice app = exchange->app->record.name;
    struct buffer data = {0};
    struct buffer body = {0};

    if (gate->ruling.kind != MCP_RULING_PASS && gate->ruling.kind != MCP_RULING_FAILED)
        worker_count(exchange->worker, COUNT_POLICY_REFUSED);
    log_info("mcp_refused", "app %.*s, client %s: %u %s", (int)app.size, app.data,
             exchange->client->address, refusal->status, refusal->reason);
    if (exchange_mcp_more(gate, &data, &body) != 0) {
        client_close(exchange->client);
    } else if (gate->ruling.kind == MCP_RULING_SCOPE) {
        exchange_mcp_ask_scopes(exchange, gate, buffer_slice(&body));
    } else {
        if (refusal->status == 405)
            error.allow = "POST";
        if (refusal->status == 503)
            error.retry_after = EXCHANGE_RETRY_AFTER;
        if (buffer_size(&body) > 0)
            error.status = 200;
        error.data = buffer_slice(&data);
        error.body = buffer_slice(&body);
        if (!exchange_bridge_refuse(exchange, &error))
            exchange_error(exchange, &error);
    }
    buffer_free(&data);
    buffer_free(&body);
}

/* Where a part of the body stands; bodies are below 4 GiB (settings' body_size). */
static struct exchange_span exchange_mcp_span(struct slice body, struct slice part)
{
    if (part.size == 0)
        return (struct exchange_span){0};
    return (struct exchange_span){(uint32_t)(part.data - body.data), (uint32_t)part.size};
}

/* What the response's readers and the records need of the request. */
static void exchange_mcp_note(struct exchange *exchange, const struct mcp_gate *gate)
{
    const struct policy_decision *decision = &gate->ruling.decision;
    const struct json_value *target = mcp_gate_target(&gate->message);
    struct exchange_rpc *rpc = &exchange->request->rpc;

    rpc->batch = gate->batch;
    rpc->refusal = gate->refusal.reason;
    rpc->outcome = decision->outcome;
    rpc->rule = decision->rule;
    rpc->role = decision->role;
    rpc->place = decision->place;
    rpc->policy = policy_set_hold(exchange->policy);
    if (gate->batch)
        return;
    exchange->mcp_method = gate->message.known;
    rpc->name = exchange_mcp_span(gate->body, gate->message.method.text);
    rpc->id = exchange_mcp_span(gate->body, gate->id);
    if (target != NULL)
        rpc->target = exchange_mcp_span(gate->body, target->text);
    rpc->arguments = exchange_mcp_span(gate->body, gate->message.arguments.text);
}

/* The lists that a batch asks for and that the policy narrows. false: out of memory. */
static bool exchange_mcp_lists(struct exchange *exchange, const struct mcp_gate *gate)
{
    struct exchange_rpc *rpc = &exchange->request->rpc;
    struct mcp_message message;
    struct mcp_reader reader;

    if (gate->requests == 0)
        return true;
    mcp_reader_begin(&reader, gate->body, true);
    while (mcp_reader_next(&reader, &message) == 1) {
        if (message.kind != MCP_REQUEST || message.known == NULL || !message.known->lists ||
            policy_set_is_open(exchange->policy, message.known->kind))
            continue;
        if (rpc->lists == NULL)
            rpc->lists = calloc(gate->requests, sizeof(*rpc->lists));
        if (rpc->lists == NULL)
            return false;
        rpc->lists[rpc->list_count++] = (struct exchange_list){
            .method = message.known, .id = exchange_mcp_span(gate->body, message.id)};
    }
    return true;
}

/* Under a name of its own an app's server is reached at every path. A POST is judged wherever it
 * goes; a GET or DELETE says nothing that a rule could judge, so that callers whom one narrows have
 * them where the server speaks MCP alone. */
static bool exchange_mcp_strays(const struct exchange *exchange)
{
    const struct app_record *app = &exchange->app->record;

    if (exchange->route != ROUTE_HOST || exchange->method == HTTP_POST ||
        exchange->bridge != NULL || exchange->old != ROUTE_OLD_NONE ||
        !exchange_reading_narrows(exchange->policy))
        return false;
    for (size_t i = 0; i < app->endpoint_count; i++) {
        if (slice_equal(exchange->worker->request.path, app->endpoints[i].path))
            return false;
    }
    return true;
}

bool exchange_mcp_admits(struct exchange *exchange, struct slice body)
{
    struct mcp_caller caller;
    struct mcp_policy policy = {
        .set = exchange->policy, .scopes = exchange_mcp_scopes, .context = &caller};
    struct mcp_gate gate = {.request = &exchange->worker->request,
                            .body = body,
                            .negotiated = exchange->request->negotiated,
                            .policy = &policy,
                            .methods = exchange->app->record.methods,
                            .method_count = exchange->app->record.method_count};
    bool admitted;

    if (exchange_mcp_strays(exchange)) {
        exchange_refuse(exchange, 404, "this caller has MCP here, at the server's own path", 0,
                        NULL);
        return false;
    }
    caller.exchange = exchange;
    admitted = mcp_gate_admits(&gate);
    exchange->mcp_modern = gate.revision == MCP_2026_07_28;
    exchange_mcp_note(exchange, &gate);
    if (!admitted) {
        exchange_mcp_refuse(exchange, &gate);
        return false;
    }
    if (!exchange_mcp_lists(exchange, &gate)) {
        client_close(exchange->client);
        return false;
    }
    return exchange_tool_admits(exchange, &gate) && exchange_task_admits(exchange, &gate);
}

bool exchange_mcp_admits_again(struct exchange *exchange)
{
    exchange_mcp_forget(exchange);
    exchange_task_dispose(exchange);
    policy_set_release(exchange->request->rpc.policy);
    exchange->request->rpc.policy = NULL;
    return exchange_mcp_admits(exchange, exchange_body(exchange));
}

void exchange_mcp_forget(struct exchange *exchange)
{
    struct exchange_rpc *rpc = &exchange->request->rpc;

    rpc->name = rpc->id = rpc->target = rpc->arguments = (struct exchange_span){0};
    free(rpc->lists);
    rpc->lists = NULL;
    rpc->list_count = 0;
}
