/* MCP's part of an exchange: what the protocol's own rules say to a request, and whose session it
 * goes to. */
#include "worker/exchange.h"

#include "shared/clock.h"
#include "shared/json.h"
#include "shared/log.h"
#include "shared/session_store.h"
#include "worker/exchange_reading.h"
#include "worker/exchange_reopen.h"
#include "worker/exchange_task.h"
#include "worker/exchange_tool.h"
#include "worker/mcp_identity.h"

#include <errno.h>
#include <stdlib.h>

enum {
    EXCHANGE_VERSION_MAX = 32, /* bytes of a protocol version that is kept: they are dates */
    EXCHANGE_SCOPES_MAX = 64,  /* that one answer names for a batch: more than any issuer grants */
};

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

bool exchange_mcp_lost(struct exchange *exchange)
{
    struct reply_error error = {
        .status = 404, .code = MCP_SESSION_NOT_FOUND, .message = "Session not found"};

    exchange_error(exchange, &error);
    return false;
}

/* `session`: as it is on record, or NULL. */
static void exchange_mcp_tell(struct exchange *exchange, enum audit_mcp_change change,
                              struct slice id, const struct mcp_session_record *session,
                              const char *reason)
{
    audit_mcp_session(&exchange->worker->audit, change, exchange->app->record.name, id,
                      exchange->client->caller, session, reason);
}

static int exchange_mcp_find(struct exchange *exchange, const struct store_key *key,
                             struct slice id, struct mcp_session_record *record)
{
    struct mcp_sessions *sessions = &exchange->worker->mcp_sessions;
    int error = mcp_session_find(sessions->store, key, id, record);
    const char *over = NULL;

    if (error != 0)
        return error;
    if (record->birth != exchange->app->record.birth)
        over = "its app was removed";
    else if (mcp_session_is_idle(record, clock_wall_seconds(), sessions->idle))
        over = "nobody used it";
    if (over == NULL)
        return 0;
    exchange_mcp_tell(exchange, AUDIT_MCP_END, id, record, over);
    /* Told once: the janitor would say it again. Without memory it does. */
    mcp_sessions_queue(sessions, MCP_SESSION_DELETE, key, NULL);
    return -ENOENT;
}

/* By address and port alone when it was made by a program before this one. */
static bool exchange_mcp_made(const struct app_endpoint *endpoint, const struct mcp_origin *origin)
{
    return endpoint->port == origin->port &&
           (origin->endpoint == 0 || origin->endpoint == endpoint->id);
}

bool exchange_mcp_pin(struct exchange *exchange, const struct mcp_origin *origin)
{
    const struct app_record *app = &exchange->app->record;

    if (exchange->bridge != NULL)
        return exchange_bridge_made(origin->address);
    for (size_t i = 0; i < app->endpoint_count; i++) {
        const struct app_endpoint *endpoint = &app->endpoints[i];

        if (!exchange_mcp_made(endpoint, origin))
            continue;
        for (size_t j = 0; j < endpoint->address_count; j++) {
            if (!slice_equal(endpoint->addresses[j], origin->address))
                continue;
            exchange->request->pinned = true;
            exchange->endpoint = (unsigned)i;
            exchange->request->address = (unsigned)j;
            return true;
        }
    }
    return false;
}

struct mcp_origin exchange_mcp_origin(const struct exchange *exchange,
                                      const struct session_record *caller)
{
    const struct upstream_target *target = &exchange->upstream->server->target;
    const struct app_endpoint *endpoint = &exchange->app->record.endpoints[exchange->endpoint];

    /* What the bridge makes is found by the bridge. */
    return (struct mcp_origin){.issuer = caller->issuer,
                               .subject = caller->subject,
                               .user = caller->user,
                               .address = slice_from(target->address),
                               .port = target->port,
                               .endpoint = exchange->bridge != NULL ? 0 : endpoint->id};
}

/* 0; -ENOENT when the session is not theirs, or over; -ENOMEM. */
static int exchange_mcp_enter(struct exchange *exchange, const struct store_key *key,
                              const struct mcp_session_record *record,
                              const struct session_record *caller)
{
    struct mcp_sessions *sessions = &exchange->worker->mcp_sessions;
    struct slice app = exchange->app->record.name;
    bool pinned;
    int error;

    if (!mcp_origin_is_of(&record->origin, caller)) {
        log_warning("mcp_session_foreign", "app %.*s, client %s: user %.*s named a session of %.*s",
                    (int)app.size, app.data, exchange->client->address, (int)caller->user.size,
                    caller->user.data, (int)record->origin.user.size, record->origin.user.data);
        exchange->audit.reason = "the MCP session is another caller's";
        exchange_mcp_tell(exchange, AUDIT_MCP_FOREIGN, record->id, record, exchange->audit.reason);
        return -ENOENT;
    }
    pinned = exchange_mcp_pin(exchange, &record->origin);
    error = pinned ? 0 : -ENOENT;
    if (record->opening.size > 0 || record->upstream.size > 0)
        error = exchange_reopen_begin(exchange, record, pinned);
    if (error == -ENOENT) {
        exchange->audit.reason = "the app has the MCP session's server no longer";
        exchange_mcp_tell(exchange, AUDIT_MCP_END, record->id, record, exchange->audit.reason);
    }
    if (error != 0)
        return error;
    exchange->request->negotiated = mcp_gate_revision_of(record->version);
    /* Without memory it is just not noted. */
    if (mcp_session_wants_touch(record->used, clock_wall_seconds(), sessions->idle))
        mcp_sessions_queue(sessions, MCP_SESSION_TOUCH, key, NULL);
    return 0;
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

    if (header == NULL || exchange->old != ROUTE_OLD_NONE ||
        mcp_gate_revision(&worker->request) == MCP_2026_07_28)
        return true;
    exchange->request->mcp_id_at =
        (size_t)(header->value.data - buffer_data(&exchange->client->in));
    exchange->request->mcp_id_size = header->value.size;
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
    if (error == 0)
        error = exchange_mcp_enter(exchange, &key, &record, caller);
    if (error == -ENOENT)
        return exchange_mcp_lost(exchange);
    if (error != 0)
        exchange_refuse(exchange, 503, "the gateway's store is unavailable", EXCHANGE_RETRY_AFTER,
                        NULL);
    return error == 0;
}

struct slice exchange_mcp_id(const struct exchange *exchange)
{
    const char *text =
        exchange->request->kept != NULL ? exchange->request->kept : exchange_head(exchange).data;

    if (exchange->request->mcp_id_size == 0)
        return slice_make(NULL, 0);
    return slice_make(text + exchange->request->mcp_id_at, exchange->request->mcp_id_size);
}

void exchange_mcp_orphaned(struct exchange *exchange)
{
    struct slice id = exchange_mcp_id(exchange);
    struct store_key key;

    if (id.size == 0) { /* a task's server */
        exchange_refuse(exchange, 503, "the task's server cannot be reached", EXCHANGE_RETRY_AFTER,
                        NULL);
        return;
    }
    mcp_session_key(&key, exchange->app->record.name, id);
    exchange->audit.reason = "the MCP session's server cannot be reached";
    exchange_mcp_tell(exchange, AUDIT_MCP_END, id, NULL, exchange->audit.reason);
    /* Without memory it is found, and lost, again. */
    mcp_sessions_queue(&exchange->worker->mcp_sessions, MCP_SESSION_DELETE, &key, NULL);
    exchange_mcp_lost(exchange);
}

/* A session that the response begins. Its audit line waits for the version, which the server says
 * in the body; without one, for the response's end. */
struct mcp_begun {
    struct store_key key;
    struct upstream_target target;
    size_t id_size;
    char id[];
};

static bool exchange_mcp_begin(struct exchange *exchange, const struct store_key *key,
                               struct slice id)
{
    struct mcp_begun *begun = malloc(sizeof(*begun) + id.size);

    if (begun == NULL)
        return false;
    begun->key = *key;
    begun->target = exchange->upstream->server->target;
    begun->target.host = slice_make(NULL, 0); /* the connection's, which may end before */
    begun->id_size = id.size;
    memcpy(begun->id, id.data, id.size);
    exchange->begun = begun;
    exchange->looks |= EXCHANGE_LOOKS_VERSION;
    return true;
}

/* Of a session that is on record; once. */
static void exchange_mcp_tell_begun(struct exchange *exchange, struct slice version)
{
    struct mcp_begun *begun = exchange->begun;

    if (begun == NULL)
        return;
    exchange->begun = NULL;
    if (exchange->recorded) {
        struct mcp_session_record record = {
            .version = version,
            .origin = {.address = slice_from(begun->target.address), .port = begun->target.port}};

        exchange_mcp_tell(exchange, AUDIT_MCP_START, slice_make(begun->id, begun->id_size), &record,
                          NULL);
    }
    free(begun);
}

static void exchange_mcp_written(void *context, int error)
{
    struct exchange *exchange = context;
    struct client *client = exchange->client;
    struct slice app = exchange->app->record.name;

    if (error == 0 && exchange->request->write->change == MCP_SESSION_DELETE)
        exchange_mcp_tell(exchange, AUDIT_MCP_END, exchange_mcp_id(exchange), NULL,
                          "the client deleted it");
    exchange->request->write = NULL;
    exchange->recorded = error == 0;
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

    if (write == NULL || buffer_append_slice(&exchange->request->response_head, data) != 0) {
        client_close(exchange->client);
        return false;
    }
    write->done = exchange_mcp_written;
    write->context = exchange;
    exchange->request->write = write;
    exchange->held_in = exchange->state;
    exchange->state = EXCHANGE_RECORD;
    connection_want(&exchange->upstream->connection, 0);
    return false;
}

/* The server began a session: it is the caller's. Always false. */
static bool exchange_mcp_record(struct exchange *exchange, struct slice data, struct slice id)
{
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
                                         .origin = exchange_mcp_origin(exchange, &caller),
                                         .birth = exchange->app->record.birth,
                                         .created = clock_wall_seconds(),
                                         .opening = exchange_reopen_opening(exchange)};
    record.used = record.created;
    mcp_session_key(&key, exchange->app->record.name, id);
    if (!exchange_mcp_begin(exchange, &key, id)) {
        client_close(exchange->client);
        return false;
    }
    return exchange_mcp_hold(exchange, data, MCP_SESSION_PUT, &key, &record);
}

bool exchange_mcp_response(struct exchange *exchange, struct slice data)
{
    const struct http_response *response = &exchange->worker->response;
    const struct http_header *header;
    struct slice id;

    if (exchange->reopen != NULL && exchange_reopen_answers(exchange, data))
        return false;
    if (!exchange->mcp || exchange->mcp_modern || exchange->recorded || response->status >= 300)
        return true;
    id = exchange_mcp_id(exchange);
    if (exchange->method == HTTP_DELETE && id.size > 0) {
        struct store_key key;

        mcp_session_key(&key, exchange->app->record.name, id);
        return exchange_mcp_hold(exchange, data, MCP_SESSION_DELETE, &key, NULL);
    }
    header = http_find(response->headers, response->header_count, HTTP_MCP_SESSION_ID);
    if (header == NULL || exchange->method != HTTP_POST || slice_equal(header->value, id) ||
        slice_equal(header->value, exchange_reopen_upstream(exchange)))
        return true;
    return exchange_mcp_record(exchange, data, header->value);
}

enum mcp_verdict exchange_mcp_version(struct exchange *exchange, struct slice text,
                                      struct buffer *out)
{
    struct mcp_sessions *sessions = &exchange->worker->mcp_sessions;
    struct mcp_result result;
    struct json_value value;
    char version[EXCHANGE_VERSION_MAX], identity[DIGEST_HEX_SIZE + 1] = "";
    long size;
    int error;

    (void)out;
    if (exchange->begun == NULL || !mcp_result_read(text, &result))
        return MCP_PASSES;
    value = mcp_result_version(&result);
    size = json_string(&value, version, sizeof(version));
    /* Of a session without a version, nothing is allowed that one would have to allow. */
    if (size <= 0 || !http_is_token(slice_make(version, (size_t)size)))
        return MCP_PASSES;
    if (exchange->app->record.reinitialize)
        (void)mcp_identity_of(&result, identity);
    error = mcp_sessions_set_version(sessions, &exchange->begun->key,
                                     slice_make(version, (size_t)size), slice_from(identity));
    if (error != 0)
        log_error("mcp_session_unversioned", "an MCP session's version cannot be recorded: %s",
                  strerror(-error));
    exchange_mcp_tell_begun(exchange, slice_make(version, (size_t)size));
    return MCP_PASSES;
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

bool exchange_mcp_moved(struct exchange *exchange)
{
    struct mcp_session_record record;
    struct slice value;

    return exchange->reopen != NULL && exchange->use != NULL && exchange->method == HTTP_GET &&
           store_get(exchange->worker->sessions, STORE_MCP_SESSIONS, &exchange->use->key, &value) ==
               0 &&
           mcp_session_record_decode(value, &record) == 0 &&
           !exchange_reopen_is_home(exchange, &record);
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
    struct exchange_rpc *rpc = &exchange->request->rpc;

    rpc->name = rpc->id = rpc->target = rpc->arguments = (struct exchange_span){0};
    free(rpc->lists);
    rpc->lists = NULL;
    rpc->list_count = 0;
}

void exchange_mcp_dispose(struct exchange *exchange)
{
    free(exchange->use);
    exchange->use = NULL;
    exchange_reopen_dispose(exchange);
    exchange_mcp_tell_begun(exchange, slice_make(NULL, 0));
    exchange_task_dispose(exchange);
}
