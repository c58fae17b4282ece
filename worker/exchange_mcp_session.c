#include "worker/exchange_mcp_session.h"

#include "shared/clock.h"
#include "shared/json.h"
#include "shared/log.h"
#include "shared/session_store.h"
#include "worker/exchange_reading.h"
#include "worker/exchange_reopen.h"
#include "worker/exchange_task.h"
#include "worker/mcp_identity.h"

#include <errno.h>
#include <stdlib.h>

enum { EXCHANGE_VERSION_MAX = 32 }; /* bytes of a protocol version that is kept: they are dates */

/* The MCP session that an event stream belongs to: open streams keep it alive. */
struct mcp_use {
    int64_t used; /* wall seconds, as it is on record */
    struct store_key key;
};

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

/* The server began a session: it is the caller's. An empty id is none. Always false. */
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
    const struct http_header *header, *after;
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
    if (header == NULL || exchange->method != HTTP_POST)
        return true;
    after = header + 1;
    /* Of two, a client would make one that nobody knows. */
    if (http_find(after, response->header_count - (size_t)(after - response->headers),
                  HTTP_MCP_SESSION_ID) != NULL)
        return exchange_mcp_record(exchange, data, slice_make(NULL, 0));
    if (slice_equal(header->value, id) ||
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

void exchange_mcp_dispose(struct exchange *exchange)
{
    free(exchange->use);
    exchange->use = NULL;
    exchange_reopen_dispose(exchange);
    exchange_mcp_tell_begun(exchange, slice_make(NULL, 0));
    exchange_task_dispose(exchange);
}
