/* MCP's part of an exchange: what the protocol's own rules say to a request, and whose session it
 * goes to. */
#include "worker/exchange.h"

#include "shared/clock.h"
#include "shared/json.h"
#include "shared/log.h"
#include "shared/session_store.h"
#include "worker/mcp_gate.h"

#include <errno.h>
#include <stdlib.h>

/* The MCP session that an event stream belongs to: open streams keep it alive. */
struct mcp_use {
    int64_t used; /* wall seconds, as it is on record */
    struct store_key key;
};

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
    const struct json_value *target = mcp_gate_target(&gate->message);
    struct exchange_rpc *rpc = &exchange->rpc;

    rpc->batch = gate->batch;
    rpc->refusal = gate->reason;
    if (gate->batch)
        return;
    rpc->method = gate->message.known;
    rpc->name = exchange_mcp_span(gate->body, gate->message.method.text);
    if (gate->id.size <= EXCHANGE_ID_MAX)
        rpc->id = exchange_mcp_span(gate->body, gate->id);
    if (target != NULL)
        rpc->target = exchange_mcp_span(gate->body, target->text);
}

bool exchange_mcp_admits(struct exchange *exchange, struct slice body)
{
    struct mcp_gate gate = {.request = &exchange->worker->request,
                            .body = body,
                            .negotiated = exchange->negotiated};
    bool admitted = mcp_gate_admits(&gate);

    exchange->mcp_modern = gate.revision == MCP_2026_07_28;
    exchange_mcp_note(exchange, &gate);
    if (!admitted)
        exchange_mcp_refuse(exchange, &gate);
    return admitted;
}

/* Alike for a session that never was, that is over, and that is another caller's. */
static bool exchange_mcp_lost(struct exchange *exchange)
{
    struct reply_error error = {
        .status = 404, .code = MCP_SESSION_NOT_FOUND, .message = "Session not found"};

    exchange_error(exchange, &error);
    return false;
}

static int exchange_mcp_find(struct exchange *exchange, const struct store_key *key,
                             struct slice id, struct mcp_session_record *record)
{
    struct mcp_sessions *sessions = &exchange->worker->mcp_sessions;
    int error = mcp_session_find(sessions->store, key, id, record);

    if (error == 0 && mcp_session_is_idle(record, clock_wall_seconds(), sessions->idle))
        error = -ENOENT;
    return error;
}

/* The server that made the session, when the app still has it. */
static bool exchange_mcp_pin(struct exchange *exchange, const struct mcp_session_record *record)
{
    const struct app_record *app = &exchange->app->record;

    for (size_t i = 0; i < app->endpoint_count; i++) {
        const struct app_endpoint *endpoint = &app->endpoints[i];

        for (size_t j = 0; endpoint->port == record->port && j < endpoint->address_count; j++) {
            if (!slice_equal(endpoint->addresses[j], record->address))
                continue;
            exchange->pinned = true;
            exchange->start = (unsigned)i;
            exchange->address = (unsigned)j;
            return true;
        }
    }
    return false;
}

static bool exchange_mcp_owns(struct exchange *exchange, const struct store_key *key,
                              const struct mcp_session_record *record,
                              const struct session_record *caller)
{
    struct mcp_sessions *sessions = &exchange->worker->mcp_sessions;
    struct slice app = exchange->app->record.name;

    if (!mcp_session_record_is_of(record, caller)) {
        log_warning("mcp_session_foreign", "app %.*s, client %s: user %.*s named a session of %.*s",
                    (int)app.size, app.data, exchange->client->address, (int)caller->user.size,
                    caller->user.data, (int)record->user.size, record->user.data);
        return false;
    }
    if (!exchange_mcp_pin(exchange, record))
        return false;
    exchange->negotiated = mcp_gate_revision_of(record->version);
    /* Without memory it is just not noted. */
    if (mcp_session_wants_touch(record->used, clock_wall_seconds(), sessions->idle))
        mcp_sessions_queue(sessions, MCP_SESSION_TOUCH, key, NULL);
    return true;
}

bool exchange_mcp_session(struct exchange *exchange, const struct session_record *caller)
{
    struct worker *worker = exchange->worker;
    const struct http_header *header =
        http_find(worker->request.headers, worker->request.header_count, HTTP_MCP_SESSION_ID);
    struct mcp_session_record record;
    struct session_record again;
    struct store_key key;
    int error;

    if (header == NULL || mcp_gate_revision(&worker->request) == MCP_2026_07_28)
        return true;
    mcp_session_key(&key, exchange->app->record.name, header->value);
    error = exchange_mcp_find(exchange, &key, header->value, &record);
    if (error == -ENOENT) {
        /* Another worker may have made it in this very moment. What was read before is gone. */
        error = store_refresh(worker->sessions);
        if (error == 0)
            error = exchange_mcp_find(exchange, &key, header->value, &record);
        if (error == 0)
            error = session_store_find(worker->sessions, &exchange->session, &again);
        caller = &again;
    }
    if (error != 0 && error != -ENOENT) {
        exchange_refuse(exchange, 503, "the gateway's store is unavailable", EXCHANGE_RETRY_AFTER,
                        NULL);
        return false;
    }
    if (error == -ENOENT || !exchange_mcp_owns(exchange, &key, &record, caller))
        return exchange_mcp_lost(exchange);
    exchange->mcp_id_at = (size_t)(header->value.data - buffer_data(&exchange->client->in));
    exchange->mcp_id_size = header->value.size;
    return true;
}

/* The Mcp-Session-Id of the request; empty: none. */
static struct slice exchange_mcp_id(const struct exchange *exchange)
{
    struct slice head = exchange_head(exchange);

    if (exchange->mcp_id_size == 0)
        return slice_make(NULL, 0);
    return slice_make(head.data + exchange->mcp_id_at, exchange->mcp_id_size);
}

static void exchange_mcp_written(void *context, int error)
{
    struct exchange *exchange = context;
    struct client *client = exchange->client;
    struct slice app = exchange->app->record.name;

    exchange->write = NULL;
    exchange->recorded = true;
    if (error == 0) {
        exchange_response_resume(exchange);
    } else if (error == -EEXIST) {
        log_error("mcp_session_repeated", "app %.*s gave out a session of another caller",
                  (int)app.size, app.data);
        exchange_refuse(exchange, 502, "the app's server repeated a session", 0, NULL);
    } else {
        exchange_refuse(exchange, 503, "the session cannot be recorded", EXCHANGE_RETRY_AFTER,
                        NULL);
    }
    client_update(client);
}

/* Holds the response until the change is committed. Always false. */
static bool exchange_mcp_hold(struct exchange *exchange, struct slice data,
                              enum mcp_session_change change, const struct store_key *key,
                              const struct mcp_session_record *record)
{
    struct mcp_session_write *write =
        mcp_sessions_queue(&exchange->worker->mcp_sessions, change, key, record);

    if (write == NULL || buffer_append_slice(&exchange->upstream->in, data) != 0) {
        client_close(exchange->client);
        return false;
    }
    write->done = exchange_mcp_written;
    write->context = exchange;
    exchange->write = write;
    exchange->held_in = exchange->state;
    exchange->state = EXCHANGE_RECORD;
    connection_want(&exchange->upstream->connection, 0);
    return false;
}

/* The server began a session: it is the caller's. Always false. */
static bool exchange_mcp_record(struct exchange *exchange, struct slice data, struct slice id)
{
    const struct upstream_target *target = &exchange->upstream->target;
    struct session_record caller;
    struct mcp_session_record record;
    struct store_key key;

    if (!mcp_session_id_is_valid(id)) {
        exchange_refuse(exchange, 502, "the app's server named no valid session", 0, NULL);
        return false;
    }
    if (session_store_find(exchange->worker->sessions, &exchange->session, &caller) != 0) {
        exchange_refuse(exchange, 503, "the caller's session is over", EXCHANGE_RETRY_AFTER, NULL);
        return false;
    }
    record = (struct mcp_session_record){.id = id,
                                         .issuer = caller.issuer,
                                         .subject = caller.subject,
                                         .user = caller.user,
                                         .address = slice_from(target->address),
                                         .port = target->port,
                                         .created = clock_wall_seconds()};
    record.used = record.created;
    mcp_session_key(&key, exchange->app->record.name, id);
    return exchange_mcp_hold(exchange, data, MCP_SESSION_PUT, &key, &record);
}

bool exchange_mcp_response(struct exchange *exchange, struct slice data)
{
    const struct http_response *response = &exchange->worker->response;
    const struct http_header *header;
    struct slice id;

    if (!exchange->mcp || exchange->mcp_modern || exchange->recorded || response->status >= 300)
        return true;
    id = exchange_mcp_id(exchange);
    if (exchange->method == HTTP_DELETE && id.size > 0) {
        struct store_key key;

        mcp_session_key(&key, exchange->app->record.name, id);
        return exchange_mcp_hold(exchange, data, MCP_SESSION_DELETE, &key, NULL);
    }
    header = http_find(response->headers, response->header_count, HTTP_MCP_SESSION_ID);
    if (header == NULL || exchange->method != HTTP_POST || slice_equal(header->value, id))
        return true;
    return exchange_mcp_record(exchange, data, header->value);
}

void exchange_mcp_stream(struct exchange *exchange)
{
    struct slice id = exchange_mcp_id(exchange);

    if (id.size == 0)
        return;
    exchange->use = malloc(sizeof(*exchange->use));
    if (exchange->use == NULL)
        return; /* it just does not keep its session alive */
    exchange->use->used = clock_wall_seconds();
    mcp_session_key(&exchange->use->key, exchange->app->record.name, id);
}

void exchange_mcp_touch(struct exchange *exchange)
{
    struct mcp_sessions *sessions = &exchange->worker->mcp_sessions;
    int64_t now = clock_wall_seconds();

    if (exchange->use == NULL || !mcp_session_wants_touch(exchange->use->used, now, sessions->idle))
        return;
    mcp_sessions_queue(sessions, MCP_SESSION_TOUCH, &exchange->use->key, NULL);
    exchange->use->used = now;
}

void exchange_mcp_forget(struct exchange *exchange)
{
    struct exchange_rpc *rpc = &exchange->rpc;

    rpc->name = rpc->id = rpc->target = (struct exchange_span){0};
    free(rpc->lists);
    rpc->lists = NULL;
    rpc->list_count = 0;
}

void exchange_mcp_dispose(struct exchange *exchange)
{
    exchange_mcp_forget(exchange);
    if (exchange->write != NULL)
        exchange->write->done = NULL;
    exchange->write = NULL;
    free(exchange->use);
    exchange->use = NULL;
}
