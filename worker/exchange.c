#include "worker/exchange.h"

#include "shared/clock.h"
#include "shared/log.h"
#include "worker/exchange_mcp_session.h"
#include "worker/exchange_reading.h"
#include "worker/exchange_stream.h"
#include "worker/refusal_log.h"

#include <stdlib.h>

enum {
    EXCHANGE_DRAIN_SPREAD = 5000, /* milliseconds over which drained streams end: no stampede */
};

static void exchange_late(struct deadline *deadline)
{
    struct exchange *exchange = deadline->owner;

    switch (exchange->state) {
    case EXCHANGE_SEND:
    case EXCHANGE_HEAD:
        log_warning("upstream_timeout", "app %.*s: no response head in time",
                    (int)exchange->app->record.name.size, exchange->app->record.name.data);
        exchange_endpoint_failed(exchange, ENDPOINT_MISBEHAVED);
        exchange_refuse(exchange, 504, "the app's server did not answer in time", 0, NULL);
        break;
    case EXCHANGE_STREAM:
        exchange_stream_late(exchange);
        break;
    case EXCHANGE_AUTH:
    case EXCHANGE_BODY:
    case EXCHANGE_REOPEN:
    case EXCHANGE_CONNECT:
    case EXCHANGE_RECORD:
    case EXCHANGE_OVER:
        break;
    }
}

/* Frees what it holds; the exchange's own memory lives to the turn's end. */
static void exchange_dispose(struct exchange *exchange)
{
    struct worker *worker = exchange->worker;

    if (exchange->state == EXCHANGE_STREAM && exchange->event_stream)
        worker->stream_count--;
    exchange->state = EXCHANGE_OVER;
    exchange_audit_end(exchange);
    exchange_mcp_dispose(exchange);
    exchange_reading_stop(exchange);
    if (exchange->upstream != NULL)
        upstream_close(exchange->upstream);
    exchange->upstream = NULL;
    endpoint_end(exchange->seen);
    exchange->seen = NULL;
    deadline_close(&exchange->deadline);
    exchange_bridge_dispose(exchange);
    catalog_app_release(exchange->app);
    exchange->app = NULL;
    policy_set_release(exchange->policy);
    exchange->policy = NULL;
    exchange_request_dispose(exchange);
    if (!exchange->client->admin)
        worker->exchange_count--;
    worker_bury(worker, &exchange->remains);
}

void exchange_abort(struct exchange *exchange)
{
    if (exchange->state != EXCHANGE_OVER)
        exchange_dispose(exchange);
}

void exchange_end(struct exchange *exchange, bool close)
{
    struct client *client = exchange->client;

    exchange_dispose(exchange);
    client_finished(client, close);
}

/* A stream ends with its token, and `stream_grace` later at most; one that was opened within the
 * skew that was allowed to the token ends with its session. */
static ev_tstamp exchange_stream_limit(const struct exchange *exchange,
                                       const struct session_record *session)
{
    int64_t grace = (int64_t)worker_limits(exchange->worker)->stream_grace / 1000;
    int64_t limit = session->expires_at + grace;

    if (limit <= clock_wall_seconds() || session->expires < limit)
        limit = session->expires;
    return (ev_tstamp)limit;
}

/* What the caller's roles permit at the app, as it is now. false: not known just now. */
static bool exchange_find_policy(struct exchange *exchange, const struct session_record *session)
{
    struct policy_set *policy =
        catalog_policy(exchange->worker->catalog, exchange->app->record.name, session);

    if (policy == NULL)
        return false;
    policy_set_release(exchange->policy);
    exchange->policy = policy;
    return true;
}

static void exchange_admitted(struct exchange *exchange, struct auth_attempt *attempt)
{
    struct worker *worker = exchange->worker;
    struct client *client = exchange->client;

    exchange->session = attempt->id;
    if (exchange->audit.begun != 0)
        client->caller = audit_caller_keep(client->caller, &attempt->id, attempt->session);
    exchange->ends = exchange_stream_limit(exchange, attempt->session);
    exchange->end_reason = "the access token expired";
    if (exchange->app == NULL)
        exchange->app = catalog_app_find(worker->catalog, attempt->app);
    if (exchange->app == NULL && exchange_store_failed(exchange))
        return;
    if (exchange->app == NULL) { /* removed between its binding and now */
        exchange_challenge(exchange, attempt->app, "invalid_token",
                           "the token does not open this app");
    } else if (!exchange_find_policy(exchange, attempt->session)) {
        exchange_refuse(exchange, 503, "the gateway's store is unavailable", EXCHANGE_RETRY_AFTER,
                        NULL);
    } else if (!app_transport_is_mcp(exchange->app->record.transport) &&
               !policy_set_admits(exchange->policy)) {
        worker_count(exchange->worker, COUNT_POLICY_REFUSED);
        exchange_refuse(exchange, 403, "your roles do not open this app", 0, NULL);
    } else if (exchange->app->record.transport == APP_DEBUG) {
        exchange_debug(exchange, attempt->session);
    } else if (exchange->route == ROUTE_MCP &&
               !app_transport_is_mcp(exchange->app->record.transport)) {
        exchange_refuse(exchange, 404, "this app is not an MCP server", 0, NULL);
    } else if (!exchange_bridge_begin(exchange, attempt->session)) {
        client_close(exchange->client);
    } else if (!exchange->mcp || exchange_mcp_session(exchange, attempt->session)) {
        exchange_collect(exchange);
    }
}

static void exchange_judged(struct exchange *exchange)
{
    struct authenticator *authenticator = exchange->worker->authenticator;
    struct auth_attempt *attempt = exchange->request->attempt;

    exchange->request->attempt = NULL;
    switch (attempt->verdict) {
    case AUTH_ACCEPTED:
        exchange_admitted(exchange, attempt);
        break;
    case AUTH_REFUSED:
        if (!http_is_b64token(attempt->token)) {
            exchange_refuse(exchange, 400, "the Authorization header is malformed", 0, NULL);
            break;
        }
        refusal_log(&exchange->worker->refusals, LOG_INFO, "token_refused",
                    "app %.*s, client %s: %s", (int)attempt->app.size, attempt->app.data,
                    exchange->client->address, attempt->description);
        if (attempt->reason == AUTH_SCOPE)
            exchange_ask_scopes(exchange, attempt->app, attempt->config, NULL, slice_make(NULL, 0));
        else
            exchange_challenge(exchange, attempt->app, "invalid_token", attempt->description);
        break;
    case AUTH_UNAVAILABLE:
    case AUTH_PENDING:
        refusal_log(&exchange->worker->refusals, LOG_WARNING, "token_unjudged", "app %.*s: %s",
                    (int)attempt->app.size, attempt->app.data, attempt->description);
        exchange_refuse(exchange, 503, "the token cannot be judged just now", EXCHANGE_RETRY_AFTER,
                        NULL);
        break;
    }
    auth_attempt_free(authenticator, attempt);
}

/* The verdict came later: the head still stands at the begin of the input. */
static void exchange_auth_done(struct auth_attempt *attempt)
{
    struct exchange *exchange = attempt->context;
    struct worker *worker = exchange->worker;
    struct client *client = exchange->client;
    const char *reason;

    http_request_parse(buffer_slice(&client->in), worker_limits(worker)->head_size,
                       &worker->request, &reason);
    exchange_judged(exchange);
    client_update(client);
}

static void exchange_authenticate(struct exchange *exchange, struct slice app)
{
    struct client *client = exchange->client;
    struct auth_attempt *attempt;
    struct slice token;
    int found = http_bearer(&exchange->worker->request, &token);

    exchange_audit_app(exchange, app);
    if (exchange_audit_refuses(exchange)) {
        exchange_refuse(exchange, 503, "the gateway cannot record this just now",
                        EXCHANGE_RETRY_AFTER, NULL);
        return;
    }
    if (found < 0) {
        exchange_refuse(exchange, 400, "the Authorization header is malformed", 0, NULL);
        return;
    }
    if (found == 0) {
        worker_count(exchange->worker, COUNT_TOKEN_REFUSED_MISSING);
        exchange_challenge(exchange, app, NULL, "a bearer token is required");
        return;
    }
    attempt = auth_attempt_make(exchange->worker->authenticator);
    if (attempt == NULL) {
        client_close(client);
        return;
    }
    attempt->app = app;
    attempt->token = token;
    attempt->client_address = slice_from(client->address);
    attempt->memo = &client->memo;
    attempt->done = exchange_auth_done;
    attempt->context = exchange;
    exchange->request->attempt = attempt;
    if (authenticate(exchange->worker->authenticator, attempt) != AUTH_PENDING)
        exchange_judged(exchange);
}

static bool exchange_serves(const struct exchange *exchange)
{
    if (exchange->old != ROUTE_OLD_NONE)
        return exchange->method == (exchange->old == ROUTE_OLD_STREAM ? HTTP_GET : HTTP_POST);
    return exchange->method == HTTP_GET || exchange->method == HTTP_POST ||
           exchange->method == HTTP_DELETE;
}

static void exchange_route_mcp(struct exchange *exchange, struct slice app)
{
    static const char *const methods[] = {"GET, POST, DELETE", "GET", "POST"}; /* by route_old */

    exchange->mcp = true;
    if (!exchange_cors(exchange, methods[exchange->old]))
        return;
    if (!exchange_serves(exchange))
        exchange_refuse_method(exchange, methods[exchange->old]);
    else
        exchange_authenticate(exchange, app);
}

/* Under an app's own name: a web app has its paths to itself, and so has a server of Streamable
 * HTTP whose own path that is. */
static bool exchange_is_old(const struct exchange *exchange)
{
    const struct app_record *app = &exchange->app->record;

    if (!app_transport_is_mcp(app->transport))
        return false;
    return app->transport != APP_MCP_HTTP || app->endpoint_count == 0 ||
           !slice_equal(app->endpoints[0].path, exchange->worker->request.path);
}

static void exchange_route_host(struct exchange *exchange, struct slice host)
{
    struct worker *worker = exchange->worker;

    exchange->app = catalog_app_find_host(worker->catalog, host);
    if (exchange->app == NULL) {
        if (exchange_store_failed(exchange))
            return;
        /* A name that is no app's may be a stranger's, rebound to our address. */
        exchange->mcp = slice_has_prefix(worker->request.path, slice_from("/mcp/apps/"));
        exchange_refuse(exchange, 403, "this host is not served here", 0, NULL);
        return;
    }
    if (!exchange_is_old(exchange))
        exchange->old = ROUTE_OLD_NONE;
    if (app_transport_is_mcp(exchange->app->record.transport))
        exchange_route_mcp(exchange, exchange->app->record.name);
    else if (exchange->method == HTTP_CONNECT || exchange->method == HTTP_TRACE)
        exchange_refuse_method(exchange, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    else
        exchange_authenticate(exchange, exchange->app->record.name);
}

static void exchange_route(struct exchange *exchange, const struct route *route)
{
    switch (route->kind) {
    case ROUTE_MCP:
        exchange_route_mcp(exchange, route->app);
        break;
    case ROUTE_METADATA:
        exchange_metadata(exchange, route->app);
        break;
    case ROUTE_HOST:
        exchange_route_host(exchange, slice_make(route->host, route->host_size));
        break;
    case ROUTE_NONE:
    case ROUTE_LIVEZ:
    case ROUTE_READYZ:
    case ROUTE_METRICS:
        exchange_refuse(exchange, 404, "not found", 0, NULL);
        break;
    }
}

void exchange_start(struct client *client, size_t head_size)
{
    struct worker *worker = client->worker;
    const struct http_request *request = &worker->request;
    struct exchange *exchange = malloc(sizeof(*exchange));
    struct route_hosts hosts = {.own = worker->child.settings.public_host,
                                .more = worker->child.settings.allowed_hosts,
                                .more_count = worker->child.settings.allowed_host_count};
    struct route route;

    if (exchange == NULL) {
        client_close(client);
        return;
    }
    *exchange = (struct exchange){
        .worker = worker,
        .client = client,
        .request = exchange_request_make(request, head_size),
        .state = EXCHANGE_AUTH,
        .method = request->method,
        /* What we forward never says keep-alive, and a client of HTTP/1.0 would wait to hear it. */
        .keep_alive = request->keep_alive && request->minor_version >= 1,
    };
    if (exchange->request == NULL) {
        free(exchange);
        client_close(client);
        return;
    }
    deadline_open(&exchange->deadline, worker->loop, exchange_late, exchange);
    client->exchange = exchange;
    if (!client->admin)
        worker->exchange_count++;
    exchange_audit_begin(exchange);
    route_find(&route, request, &hosts, client->admin);
    exchange->route = route.kind;
    exchange->old = route.old;
    if (client->admin)
        exchange_admin(exchange);
    else
        exchange_route(exchange, &route);
}

size_t exchange_input_limit(const struct exchange *exchange, size_t pipeline)
{
    if (exchange->state == EXCHANGE_AUTH)
        return 0;
    if (exchange->request != NULL && exchange->request->in_place)
        return exchange->request->head_size + (size_t)exchange->request->body_size + pipeline;
    return pipeline;
}

bool exchange_review(struct exchange *exchange)
{
    const char *description = NULL;
    struct session_record session;
    enum auth_reason reason;

    if (exchange->state == EXCHANGE_AUTH || exchange->state == EXCHANGE_OVER ||
        exchange->app == NULL)
        return true;
    reason = authenticator_review(exchange->worker->authenticator, &exchange->session,
                                  exchange->app->record.name, &session, &description);
    if (reason == AUTH_STORE || (reason == AUTH_OK && !exchange_find_policy(exchange, &session)))
        return false;
    if (reason == AUTH_OK && policy_set_admits(exchange->policy)) {
        exchange_reading_review(exchange);
        return true;
    }
    if (reason == AUTH_OK)
        description = "your roles do not open this app any more";
    /* A stream that has not begun yet ends as soon as it does. */
    exchange->ends = ev_now(exchange->worker->loop);
    exchange->end_reason = description;
    if (exchange->state == EXCHANGE_STREAM && exchange->event_stream) {
        log_info("stream_ended", "app %.*s, client %s: %s", (int)exchange->app->record.name.size,
                 exchange->app->record.name.data, exchange->client->address, description);
        exchange_stream_end(exchange);
    }
    return true;
}

void exchange_drain(struct exchange *exchange)
{
    struct worker *worker = exchange->worker;
    uint64_t patience = worker_limits(worker)->drain_timeout * 9 / 10;

    exchange->keep_alive = false;
    if (exchange->state != EXCHANGE_STREAM || !exchange->event_stream)
        return;
    /* A stream that waits for events never ends by itself; an answer in progress may yet. */
    if (exchange->method == HTTP_GET) {
        if (patience > EXCHANGE_DRAIN_SPREAD)
            patience = EXCHANGE_DRAIN_SPREAD;
        patience = (uint64_t)rand() % (patience + 1);
    }
    exchange->ends = ev_now(worker->loop) + (ev_tstamp)patience / 1000.;
    exchange->end_reason = "the gateway is restarting";
    deadline_set(&exchange->deadline, patience);
}
