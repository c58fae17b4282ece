/* Where an exchange's request goes: an endpoint, its addresses, and the next endpoint when they
 * fail.
 *
 * A request goes on to another server only when it cannot have run: no connection or no TLS was
 * had, or the kernel had not taken all of it when the connection ended; or when running it twice is
 * no harm (GET, HEAD). What the kernel took may have been read, whatever it says of
 * acknowledgements: a server that reads, runs and resets within the time of a delayed one leaves
 * the same trace as one that never read. */
#include "worker/exchange.h"

#include "shared/log.h"
#include "worker/exchange_mcp_session.h"
#include "worker/exchange_reopen.h"
#include "worker/forward.h"

#include <errno.h>
#include <stdio.h>

/* The bridge is one server, whatever is behind it. */
static bool exchange_has_others(const struct exchange *exchange)
{
    return exchange->bridge == NULL && exchange->app->record.endpoint_count > 1;
}

/* Writes the head for the endpoint; the request's own is in worker.request. false: it has ended. */
static bool exchange_aim(struct exchange *exchange)
{
    struct worker *worker = exchange->worker;
    const struct app_record *app = &exchange->app->record;
    struct forward_request forward = {
        .request = &worker->request,
        .app = app,
        .endpoint = &app->endpoints[exchange->endpoint],
        .mcp = exchange->route == ROUTE_MCP,
        .identity = exchange->mcp,
        .sessionless = exchange->mcp_modern,
        .client_address = slice_from(exchange->client->address),
        .client_tls = exchange->client->connection.tls != NULL,
        .body_size = exchange_bridge_body(exchange).size,
        .has_body = exchange->request->body_framing != HTTP_BODY_NONE,
    };
    struct buffer lines = {0};
    int error;

    if (exchange->reopen != NULL)
        exchange_reopen_request(exchange);
    error = exchange_bridge_forward(exchange, &forward, &lines);
    if (error == 0)
        error = forward_request_head(&exchange->request->upstream_head, &forward);
    buffer_free(&lines);
    if (error == -EHOSTUNREACH) {
        exchange_refuse(exchange, 503, "the app's server has no address just now",
                        EXCHANGE_RETRY_AFTER, NULL);
    } else if (error == -EBADMSG) {
        log_error("app_unusable", "app %.*s: its record cannot stand in a request's head",
                  (int)app->name.size, app->name.data);
        exchange_refuse(exchange, 502, "the app cannot be reached as it is configured", 0, NULL);
    } else if (error != 0) {
        client_close(exchange->client);
    }
    return error == 0;
}

/* Takes an endpoint that was not tried yet. false: there is none. */
static bool exchange_choose(struct exchange *exchange)
{
    struct worker *worker = exchange->worker;
    const struct app_record *app = &exchange->app->record;
    int chosen = endpoint_choose(worker->endpoints, &worker->child.public->health, app,
                                 &exchange->request->trials, ev_now(worker->loop));

    if (chosen < 0)
        return false;
    exchange->endpoint = (unsigned)chosen;
    exchange->request->tried = 0;
    exchange->request->fresh = false;
    endpoint_end(exchange->seen);
    exchange->seen = endpoint_begin(worker->endpoints, app->endpoints[chosen].id);
    return true;
}

/* For the bridge: only what opens a connection to a server needs a good one, the rest goes where
 * the bridge knows. What the bridge finds out of it is not remembered. false: there is none. */
static bool exchange_choose_behind(struct exchange *exchange)
{
    const struct app_record *app = &exchange->app->record;
    unsigned i = 0;

    if (app->endpoint_count < 2)
        return true;
    if (exchange->request->mcp_id_size == 0 && exchange->old != ROUTE_OLD_MESSAGE) {
        if (!exchange_choose(exchange))
            return false;
        endpoint_end(exchange->seen);
        exchange->seen = NULL;
        return true;
    }
    while (i + 1 < app->endpoint_count && app->endpoints[i].address_count == 0)
        i++;
    exchange->endpoint = i;
    return true;
}

/* false: there is none. */
static bool exchange_first(struct exchange *exchange)
{
    const struct app_record *app = &exchange->app->record;

    if (exchange->bridge != NULL)
        return exchange_choose_behind(exchange);
    if (!exchange_has_others(exchange))
        return true;
    if (!exchange->request->pinned)
        return exchange_choose(exchange);
    exchange->seen =
        endpoint_begin(exchange->worker->endpoints, app->endpoints[exchange->endpoint].id);
    return true;
}

void exchange_endpoint_failed(struct exchange *exchange, enum endpoint_failure failure)
{
    endpoint_failed(exchange->seen, &exchange->app->record.health, failure,
                    ev_now(exchange->worker->loop));
}

/* The endpoint's address that is to be tried now. false: none is left. */
static bool exchange_target(const struct exchange *exchange, struct upstream_target *target)
{
    const struct app_endpoint *endpoint = &exchange->app->record.endpoints[exchange->endpoint];
    unsigned count = exchange->request->pinned ? 1 : (unsigned)endpoint->address_count;
    unsigned first = exchange->request->pinned ? exchange->request->address : 0;

    if (exchange->bridge != NULL) {
        exchange_bridge_target(target);
        return exchange->request->tried == 0;
    }
    return exchange->request->tried < count &&
           upstream_target_at(exchange->worker, &exchange->app->record, endpoint,
                              first + exchange->request->tried, target);
}

static void exchange_unreachable(struct exchange *exchange, const struct upstream_target *target,
                                 const char *failure)
{
    struct slice name = exchange->app->record.name;

    log_warning("upstream_unreachable", "app %.*s, %s port %u: %s", (int)name.size, name.data,
                target->address, target->port, failure);
    worker_count(exchange->worker, COUNT_UPSTREAM_FAILED);
    exchange->request->tried++;
}

static void exchange_connect(struct exchange *exchange);

/* The endpoint cannot be had: the next one, whose host and path the head has to name. */
static void exchange_advance(struct exchange *exchange)
{
    struct worker *worker = exchange->worker;
    const char *reason;

    if (!exchange_choose(exchange)) {
        exchange_refuse(exchange, 503, "none of the app's servers can be reached",
                        EXCHANGE_RETRY_AFTER, NULL);
        return;
    }
    buffer_clear(&exchange->request->upstream_head);
    if (http_request_parse(exchange_head(exchange), worker_limits(worker)->head_size,
                           &worker->request, &reason) <= 0) {
        client_close(exchange->client);
        return;
    }
    if (exchange_aim(exchange))
        exchange_connect(exchange);
}

static void exchange_exhausted(struct exchange *exchange)
{
    bool tried = exchange->request->tried > 0;

    exchange_endpoint_failed(exchange, ENDPOINT_UNREACHABLE);
    if (exchange->reopen != NULL && exchange_reopen(exchange))
        return;
    if (exchange->request->pinned && exchange_has_others(exchange))
        exchange_mcp_orphaned(exchange);
    else if (exchange_has_others(exchange))
        exchange_advance(exchange);
    else if (tried)
        exchange_refuse(exchange, 502, "the app's server cannot be reached", 0, NULL);
    else
        exchange_refuse(exchange, 503, "the app's server has no address just now",
                        EXCHANGE_RETRY_AFTER, NULL);
}

static void exchange_opened(struct upstream *upstream, const char *failure)
{
    struct exchange *exchange = upstream->owner;

    if (failure == NULL) {
        exchange_send(exchange);
        return;
    }
    exchange_unreachable(exchange, &upstream->server->target, failure);
    upstream_close(upstream);
    exchange->upstream = NULL;
    exchange_connect(exchange);
}

/* The turn's end: what was read in it is judged, and goes out. */
static void exchange_send_queued(struct write_entry *entry)
{
    struct exchange *exchange = entry->owner;

    if (exchange->state != EXCHANGE_SEND)
        return; /* the server answered before it was asked: exchange_response_resume */
    if ((!exchange_has_others(exchange) && exchange->reopen == NULL) ||
        !upstream_has_ended(exchange->upstream)) {
        exchange_send(exchange);
        return;
    }
    upstream_close(exchange->upstream);
    exchange->upstream = NULL;
    exchange_connect(exchange);
}

static void exchange_send_later(struct exchange *exchange)
{
    exchange->state = EXCHANGE_SEND;
    exchange->request->sending.write = exchange_send_queued;
    exchange->request->sending.owner = exchange;
    write_queue_add(&exchange->worker->writes, &exchange->request->sending);
}

static void exchange_connect(struct exchange *exchange)
{
    struct upstream_target target;

    exchange->state = EXCHANGE_CONNECT;
    exchange->request->sent = 0;
    buffer_free(&exchange->request->response_head);
    while (exchange_target(exchange, &target)) {
        struct upstream *upstream;
        int error = upstream_take(exchange->worker, &target, exchange->request->fresh, &upstream);

        if (error != 0) {
            exchange_unreachable(exchange, &target, strerror(-error));
            continue;
        }
        exchange->upstream = upstream;
        upstream->owner = exchange;
        upstream->opened = exchange_opened;
        upstream->ready = exchange_upstream_ready;
        if (upstream->state == UPSTREAM_BUSY)
            exchange_send_later(exchange);
        return;
    }
    exchange_exhausted(exchange);
}

void exchange_dispatch(struct exchange *exchange)
{
    const struct app_record *app = &exchange->app->record;

    if (app->endpoint_count == 0 && app->transport != APP_MCP_STDIO) {
        exchange_refuse(exchange, 503, "the app has no endpoint", EXCHANGE_RETRY_AFTER, NULL);
        return;
    }
    if (exchange->reopen != NULL && exchange_reopen_first(exchange))
        return;
    if (!exchange_first(exchange)) {
        exchange_refuse(exchange, 503, "none of the app's servers is there just now",
                        EXCHANGE_RETRY_AFTER, NULL);
        return;
    }
    if (exchange_aim(exchange))
        exchange_connect(exchange);
}

/* Before any byte of a response. A kept connection's end says nothing of the server: a new one to
 * it is tried first. */
void exchange_lost(struct exchange *exchange, const char *reason)
{
    struct slice name = exchange->app->record.name;
    size_t whole =
        buffer_size(&exchange->request->upstream_head) + exchange_bridge_body(exchange).size;
    bool repeatable = exchange->request->sent < whole || exchange->method == HTTP_GET ||
                      exchange->method == HTTP_HEAD;
    bool reused = exchange->upstream->reused;

    write_queue_remove(&exchange->worker->writes, &exchange->request->sending);
    upstream_close(exchange->upstream);
    exchange->upstream = NULL;
    deadline_clear(&exchange->deadline);
    if (repeatable && reused) {
        exchange->request->fresh = true;
        exchange_connect(exchange);
        return;
    }
    log_warning("upstream_lost", "app %.*s: %s", (int)name.size, name.data, reason);
    if (!reused)
        exchange_endpoint_failed(exchange, ENDPOINT_MISBEHAVED);
    if (repeatable && exchange_has_others(exchange) && !exchange->request->pinned)
        exchange_advance(exchange);
    else
        exchange_refuse(exchange, 502, "the app's server ended the connection", 0, NULL);
}
