#include "worker/reopening.h"

#include "shared/log.h"
#include "worker/endpoint.h"
#include "worker/mcp_identity.h"
#include "worker/mcp_replay.h"
#include "worker/upstream_call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct reopening {
    struct remains remains;
    struct worker *worker;
    struct reopening *next, **link;
    struct reopening_waiter *waiters;
    struct catalog_app *app; /* held */
    struct store_key key;
    struct buffer bytes;              /* of `record` */
    struct mcp_session_record record; /* as it was found */
    struct buffer head;               /* of the request that waited first; wiped */
    char client_address[INET6_ADDRSTRLEN];
    bool client_tls;
    bool path;
    bool forgotten;
    ev_tstamp until; /* loop time */
    /* Where it is tried. */
    struct endpoint_trials trials;
    int endpoint;               /* of the app's; -1: none yet */
    size_t address;             /* of the endpoint: the next to be tried */
    bool tried;                 /* an address of it was, and could not be reached */
    struct endpoint_seen *seen; /* NULL: not remembered */
    struct upstream_target target;
    struct upstream_call *call;
    /* What that server said. */
    unsigned status;
    size_t session_size; /* 0: it began none */
    char session[MCP_SESSION_ID_MAX];
    bool answered; /* with a result, or an error */
    bool same;     /* a result, of the same server in the same version */
};

static void reopening_try(struct reopening *reopening);

static struct reopening **reopening_bucket(struct worker *worker, const struct store_key *key)
{
    size_t hash = 0;

    for (size_t i = 0; i < key->size; i++)
        hash = hash * 31 + (unsigned char)key->text[i];
    return &worker->reopenings[hash % WORKER_REOPENINGS];
}

static void waiter_add(struct reopening *reopening, struct reopening_waiter *waiter)
{
    waiter->reopening = reopening;
    waiter->next = reopening->waiters;
    waiter->link = &reopening->waiters;
    if (waiter->next != NULL)
        waiter->next->link = &waiter->next;
    reopening->waiters = waiter;
}

void reopening_leave(struct reopening_waiter *waiter)
{
    if (waiter->reopening == NULL)
        return;
    *waiter->link = waiter->next;
    if (waiter->next != NULL)
        waiter->next->link = waiter->link;
    waiter->reopening = NULL;
}

bool reopening_join(struct worker *worker, const struct store_key *key,
                    struct reopening_waiter *waiter)
{
    struct reopening *reopening = *reopening_bucket(worker, key);

    while (reopening != NULL &&
           !slice_equal(store_key_slice(&reopening->key), store_key_slice(key)))
        reopening = reopening->next;
    if (reopening != NULL)
        waiter_add(reopening, waiter);
    return reopening != NULL;
}

static void reopening_free(struct reopening *reopening)
{
    if (reopening->link != NULL) {
        *reopening->link = reopening->next;
        if (reopening->next != NULL)
            reopening->next->link = reopening->link;
    }
    upstream_call_stop(reopening->call);
    endpoint_end(reopening->seen);
    catalog_app_release(reopening->app);
    buffer_free(&reopening->bytes);
    buffer_wipe(&reopening->head);
    worker_bury(reopening->worker, &reopening->remains);
}

/* Whoever waits may begin another one, of the same session. */
static void reopening_finish(struct reopening *reopening, enum reopening_end end)
{
    struct reopening_waiter *waiters = reopening->waiters;

    if (waiters != NULL)
        waiters->link = &waiters;
    reopening_free(reopening);
    while (waiters != NULL) {
        struct reopening_waiter *waiter = waiters;

        reopening_leave(waiter);
        waiter->done(waiter, end);
    }
}

static void reopening_tell(struct reopening *reopening, enum audit_mcp_change change,
                           const struct mcp_session_record *record, const char *reason)
{
    const struct reopening_waiter *waiter = reopening->waiters;

    audit_mcp_session(&reopening->worker->audit, change, reopening->app->record.name,
                      reopening->record.id, waiter == NULL ? NULL : waiter->client->caller, record,
                      reason);
}

/* No server can be had: a request that comes later tries again. */
static void reopening_give_up(struct reopening *reopening, const char *reason)
{
    struct slice app = reopening->app->record.name;

    worker_count(reopening->worker, COUNT_MCP_SESSIONS_REINITIALIZE_FAILED);
    log_warning("mcp_session_waits", "app %.*s: a session of a lost server cannot go on now: %s",
                (int)app.size, app.data, reason);
    reopening_finish(reopening, REOPENING_UNAVAILABLE);
}

/* A change of the record by another worker counts more than what was found here. */
static enum reopening_end reopening_beaten(int error)
{
    if (error == -EEXIST)
        return REOPENING_MOVED;
    return error == -ENOENT ? REOPENING_OVER : REOPENING_UNAVAILABLE;
}

/* No server may go on with it. `reason`: a literal. */
static void reopening_abandon(struct reopening *reopening, const char *reason)
{
    struct mcp_session_home from = mcp_session_record_home(&reopening->record);
    struct slice app = reopening->app->record.name;
    int error = mcp_sessions_move(&reopening->worker->mcp_sessions, &reopening->key, &from, NULL);

    if (error != 0) {
        reopening_finish(reopening, reopening_beaten(error));
        return;
    }
    worker_count(reopening->worker, COUNT_MCP_SESSIONS_REINITIALIZE_FAILED);
    log_warning("mcp_session_not_reopened", "app %.*s, %s port %u: a session ends: %s",
                (int)app.size, app.data, reopening->target.address, reopening->target.port, reason);
    reopening_tell(reopening, AUDIT_MCP_END, &reopening->record, reason);
    reopening_finish(reopening, REOPENING_OVER);
}

/* milliseconds; 0: none */
static uint64_t reopening_left(const struct reopening *reopening)
{
    ev_tstamp left = reopening->until - ev_now(reopening->worker->loop);

    return left <= 0 ? 0 : (uint64_t)(left * 1000.) + 1;
}

/* A message to the present target: of the session that it began, once it has. */
static int reopening_request(const struct reopening *reopening, const char *method,
                             struct slice body, struct buffer *out)
{
    const struct app_record *app = &reopening->app->record;
    struct mcp_replay replay = {
        .head = buffer_slice(&reopening->head),
        .app = app,
        .endpoint = &app->endpoints[reopening->endpoint],
        .path = reopening->path,
        .client_address = slice_from(reopening->client_address),
        .client_tls = reopening->client_tls,
        .method = method,
        .session = slice_make(reopening->session, reopening->session_size),
        .version = reopening->record.version,
        .body = body,
    };

    return mcp_replay_append(out, &replay, &reopening->worker->request);
}

/* false: it cannot be. */
static bool reopening_call(struct reopening *reopening, const char *method, struct slice body,
                           const struct upstream_call_hooks *hooks)
{
    struct buffer request = {0};

    if (reopening_request(reopening, method, body, &request) != 0) {
        buffer_wipe(&request);
        return false;
    }
    reopening->call = upstream_call_start(reopening->worker, &reopening->target, &request,
                                          reopening_left(reopening), hooks, reopening);
    return reopening->call != NULL;
}

/* Nobody needs what was begun there; nobody waits for the answer either. */
static void reopening_undo(struct reopening *reopening)
{
    static const struct upstream_call_hooks none = {0};
    struct buffer request = {0};

    if (reopening->session_size > 0 &&
        reopening_request(reopening, "DELETE", slice_make(NULL, 0), &request) == 0)
        (void)upstream_call_start(reopening->worker, &reopening->target, &request,
                                  worker_limits(reopening->worker)->reinitialize_timeout, &none,
                                  NULL);
    buffer_wipe(&request);
    reopening->session_size = 0;
}

static void reopening_failed(struct reopening *reopening, enum endpoint_failure failure)
{
    endpoint_failed(reopening->seen, &reopening->app->record.health, failure,
                    ev_now(reopening->worker->loop));
}

/* The server cannot go on with it now: another is tried. */
static void reopening_pass(struct reopening *reopening, const char *reason)
{
    struct slice app = reopening->app->record.name;

    log_warning("mcp_session_not_taken", "app %.*s, %s port %u: %s", (int)app.size, app.data,
                reopening->target.address, reopening->target.port, reason);
    reopening_try(reopening);
}

static void reopening_commit(struct reopening *reopening)
{
    struct worker *worker = reopening->worker;
    struct mcp_session_home from = mcp_session_record_home(&reopening->record);
    struct mcp_session_home to = {slice_make(reopening->session, reopening->session_size),
                                  slice_from(reopening->target.address), reopening->target.port,
                                  reopening->app->record.endpoints[reopening->endpoint].id};
    struct mcp_session_record moved = reopening->record;
    struct slice app = reopening->app->record.name;
    int error = mcp_sessions_move(&worker->mcp_sessions, &reopening->key, &from, &to);

    endpoint_succeeded(reopening->seen);
    if (error != 0) {
        if (error != -EEXIST && error != -ENOENT)
            log_error("mcp_session_not_written", "an MCP session's server cannot be recorded: %s",
                      strerror(-error));
        reopening_undo(reopening);
        reopening_finish(reopening, reopening_beaten(error));
        return;
    }
    moved.origin.address = to.address;
    moved.origin.port = to.port;
    worker_count(worker, COUNT_MCP_SESSIONS_REINITIALIZED);
    log_info("mcp_session_reopened", "app %.*s: a session of %.*s port %u goes on at %s port %u",
             (int)app.size, app.data, (int)from.address.size, from.address.data, from.port,
             reopening->target.address, reopening->target.port);
    reopening_tell(reopening, AUDIT_MCP_REOPEN, &moved, NULL);
    reopening_finish(reopening, REOPENING_MOVED);
}

static void reopening_on_head(void *context, const struct http_response *response)
{
    struct reopening *reopening = context;
    const struct http_header *header =
        http_find(response->headers, response->header_count, HTTP_MCP_SESSION_ID);

    reopening->status = response->status;
    /* Of a server's whose session goes on, a second one is not asked for. */
    if (reopening->session_size > 0 || header == NULL || !mcp_session_id_is_valid(header->value))
        return;
    reopening->session_size = header->value.size;
    memcpy(reopening->session, header->value.data, header->value.size);
}

static void reopening_on_initialized(void *context, enum upstream_call_end end, const char *reason)
{
    struct reopening *reopening = context;

    reopening->call = NULL;
    if (end == UPSTREAM_CALL_ANSWERED && reopening->status < 300) {
        reopening_commit(reopening);
        return;
    }
    if (end != UPSTREAM_CALL_ANSWERED)
        reopening_failed(reopening, ENDPOINT_MISBEHAVED);
    reopening_undo(reopening);
    reopening_pass(reopening, reason != NULL ? reason : "it refused notifications/initialized");
}

static void reopening_go_on(struct reopening *reopening)
{
    static const char initialized[] =
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}";
    static const struct upstream_call_hooks hooks = {.head = reopening_on_head,
                                                     .done = reopening_on_initialized};

    if (!reopening_call(reopening, "POST", slice_from(initialized), &hooks))
        reopening_pass(reopening, "it could not be asked again");
}

/* The answer to `initialize`, when it has come; a new session has no other. */
static bool reopening_on_message(void *context, struct slice text)
{
    static const char *const names[] = {"method", "error"};
    struct reopening *reopening = context;
    char identity[DIGEST_HEX_SIZE + 1];
    struct json_value root, members[2], version;
    struct mcp_result result;
    const char *reason;

    if (mcp_result_read(text, &result)) {
        version = mcp_result_version(&result);
        reopening->same = mcp_identity_of(&result, identity) &&
                          slice_is(reopening->record.identity, identity) &&
                          json_string_is(&version, reopening->record.version);
        reopening->answered = true;
    } else if (json_parse(text, &root, &reason) == 0 &&
               json_members(&root, names, 2, members) == 0) {
        reopening->answered = members[0].kind == JSON_INVALID && members[1].kind != JSON_INVALID;
    }
    return reopening->answered;
}

/* Whether a status says that the server may take the session another time. */
static bool status_is_passing(unsigned status)
{
    return status >= 500 || status == 401 || status == 403 || status == 408 || status == 429;
}

static void reopening_on_answer(void *context, enum upstream_call_end end, const char *reason)
{
    struct reopening *reopening = context;

    reopening->call = NULL;
    if (end == UPSTREAM_CALL_UNREACHED) {
        reopening->tried = true;
        reopening_pass(reopening, reason);
    } else if (end == UPSTREAM_CALL_BROKEN) {
        reopening_failed(reopening, ENDPOINT_MISBEHAVED);
        reopening_undo(reopening);
        reopening_pass(reopening, reason);
    } else if (status_is_passing(reopening->status)) {
        reopening_pass(reopening, "it does not begin sessions just now");
    } else if (reopening->status == 200 && !reopening->answered) {
        reopening_undo(reopening);
        reopening_pass(reopening, "it did not answer initialize");
    } else if (reopening->same && reopening->session_size > 0) {
        reopening_go_on(reopening);
    } else {
        reopening_undo(reopening);
        reopening_abandon(reopening, reopening->same || !reopening->answered
                                         ? "the other server began no session"
                                         : "the other server is not the same");
    }
}

/* Whether the session was lost at that address. */
static bool reopening_lost_at(const struct reopening *reopening,
                              const struct app_endpoint *endpoint, size_t address)
{
    const struct mcp_origin *origin = &reopening->record.origin;

    return !reopening->forgotten && endpoint->port == origin->port &&
           (origin->endpoint == 0 || origin->endpoint == endpoint->id) &&
           slice_equal(endpoint->addresses[address], origin->address);
}

/* The next address of the present endpoint. false: none is left. */
static bool reopening_next_address(struct reopening *reopening)
{
    const struct app_record *app = &reopening->app->record;
    const struct app_endpoint *endpoint;

    if (reopening->endpoint < 0)
        return false;
    endpoint = &app->endpoints[reopening->endpoint];
    while (reopening->address < endpoint->address_count) {
        size_t address = reopening->address++;

        if (!reopening_lost_at(reopening, endpoint, address) &&
            upstream_target_at(reopening->worker, app, endpoint, address, &reopening->target))
            return true;
    }
    if (reopening->tried)
        reopening_failed(reopening, ENDPOINT_UNREACHABLE);
    return false;
}

static bool reopening_next_endpoint(struct reopening *reopening)
{
    struct worker *worker = reopening->worker;
    const struct app_record *app = &reopening->app->record;

    endpoint_end(reopening->seen);
    reopening->seen = NULL;
    reopening->endpoint = endpoint_choose(worker->endpoints, &worker->child.public->health, app,
                                          &reopening->trials, ev_now(worker->loop));
    reopening->address = 0;
    reopening->tried = false;
    /* As for requests: what only one server can do is not remembered of it. */
    if (reopening->endpoint >= 0 && app->endpoint_count > 1)
        reopening->seen = endpoint_begin(worker->endpoints, app->endpoints[reopening->endpoint].id);
    return reopening->endpoint >= 0;
}

/* Sends `initialize` to the next server. false: none is left. */
static bool reopening_ask(struct reopening *reopening)
{
    static const struct upstream_call_hooks hooks = {
        .head = reopening_on_head, .message = reopening_on_message, .done = reopening_on_answer};

    while (reopening_left(reopening) > 0) {
        if (!reopening_next_address(reopening)) {
            if (!reopening_next_endpoint(reopening))
                return false;
            continue;
        }
        reopening->status = 0;
        reopening->session_size = 0;
        reopening->answered = reopening->same = false;
        if (reopening_call(reopening, "POST", reopening->record.opening, &hooks))
            return true;
        reopening->tried = true;
    }
    return false;
}

static void reopening_try(struct reopening *reopening)
{
    if (!reopening_ask(reopening))
        reopening_give_up(reopening, "no other server can be had in time");
}

/* What outlives the request that waits. */
static bool reopening_copy(struct reopening *reopening, const struct reopening_order *order,
                           const struct client *client)
{
    snprintf(reopening->client_address, sizeof(reopening->client_address), "%s", client->address);
    reopening->client_tls = client->connection.tls != NULL;
    reopening->path = order->path;
    reopening->forgotten = order->forgotten;
    reopening->key = *order->key;
    return mcp_session_record_encode(order->record, &reopening->bytes) == 0 &&
           mcp_session_record_decode(buffer_slice(&reopening->bytes), &reopening->record) == 0 &&
           buffer_append_slice(&reopening->head, order->head) == 0;
}

bool reopening_start(struct worker *worker, const struct reopening_order *order,
                     struct reopening_waiter *waiter)
{
    struct reopening *reopening = calloc(1, sizeof(*reopening));
    struct reopening **bucket = reopening_bucket(worker, order->key);

    if (reopening == NULL)
        return false;
    reopening->worker = worker;
    reopening->endpoint = -1;
    reopening->until =
        ev_now(worker->loop) + (ev_tstamp)worker_limits(worker)->reinitialize_timeout / 1000.;
    reopening->app = catalog_app_find(worker->catalog, order->app);
    if (reopening->app == NULL || reopening->app->record.birth != order->record->birth ||
        !reopening_copy(reopening, order, waiter->client) || !reopening_ask(reopening)) {
        worker_count(worker, COUNT_MCP_SESSIONS_REINITIALIZE_FAILED);
        reopening_free(reopening);
        return false;
    }
    reopening->next = *bucket;
    reopening->link = bucket;
    if (reopening->next != NULL)
        reopening->next->link = &reopening->next;
    *bucket = reopening;
    waiter_add(reopening, waiter);
    return true;
}
