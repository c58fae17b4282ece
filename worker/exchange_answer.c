/* What an exchange answers itself: errors, challenges, metadata, health, the debug app. */
#include "worker/exchange.h"

#include "shared/log.h"
#include "worker/cors.h"
#include "worker/forward.h"
#include "worker/issuer_list.h"
#include "worker/page.h"
#include "worker/refusal_log.h"

#include <errno.h>

void exchange_count_status(struct exchange *exchange, unsigned status)
{
    if (exchange->client->admin)
        return;
    exchange->request->note.status = (uint16_t)status;
    if (status >= 500)
        worker_count(exchange->worker, COUNT_RESPONSES_5XX);
    else if (status >= 400)
        worker_count(exchange->worker, COUNT_RESPONSES_4XX);
    else
        worker_count(exchange->worker, COUNT_RESPONSES_2XX);
}

/* Whether all of the request is here: only then can another follow it. */
static bool exchange_is_whole(const struct exchange *exchange)
{
    if (!exchange->request->in_place)
        return exchange->state != EXCHANGE_BODY;
    if (exchange->request->body_framing == HTTP_BODY_CHUNKED)
        return false;
    return exchange->request->body_framing != HTTP_BODY_LENGTH ||
           exchange->request->body_size <=
               buffer_size(&exchange->client->in) - exchange->request->head_size;
}

/* Consumes the request; false when another cannot follow it. */
static bool exchange_skip_request(struct exchange *exchange)
{
    exchange_audit_note(exchange);
    if (!exchange_is_whole(exchange))
        return false;
    if (exchange->request->in_place)
        buffer_consume(&exchange->client->in,
                       exchange->request->head_size + (size_t)exchange->request->body_size);
    exchange->request->in_place = false;
    return true;
}

void exchange_answered(struct exchange *exchange, unsigned status, bool close)
{
    struct client *client = exchange->client;

    exchange_count_status(exchange, status);
    client_flush(client);
    if (exchange->state != EXCHANGE_OVER)
        exchange_end(exchange, close);
}

void exchange_error(struct exchange *exchange, struct reply_error *error)
{
    exchange->request->note.refused = true;
    if (exchange->audit.reason == NULL)
        exchange->audit.reason = error->message;
    error->json_rpc = exchange->mcp;
    if (exchange->request->rpc.id.size <= EXCHANGE_ID_MAX)
        error->id = exchange_part(exchange, exchange->request->rpc.id);
    error->cors = exchange_origin(exchange);
    error->head_only = exchange->method == HTTP_HEAD;
    error->close =
        !exchange_is_whole(exchange) || !exchange->keep_alive || exchange->worker->draining;
    if (reply_error(&exchange->client->out, error) != 0) {
        client_close(exchange->client);
        return;
    }
    exchange_skip_request(exchange);
    exchange_answered(exchange, error->status, error->close);
}

void exchange_refuse(struct exchange *exchange, unsigned status, const char *message,
                     unsigned retry_after, const char *origin)
{
    struct reply_error error = {
        .status = status, .message = message, .retry_after = retry_after, .origin = origin};

    exchange_error(exchange, &error);
}

void exchange_refuse_method(struct exchange *exchange, const char *allow)
{
    struct reply_error error = {
        .status = 405, .message = "this method is not served here", .allow = allow};

    exchange_error(exchange, &error);
}

struct slice exchange_origin(const struct exchange *exchange)
{
    return slice_from(exchange->request->cors_origin);
}

static void exchange_preflight(struct exchange *exchange, struct slice origin, const char *methods)
{
    struct worker *worker = exchange->worker;
    bool close = !exchange->keep_alive || worker->draining ||
                 exchange->request->body_framing == HTTP_BODY_CHUNKED ||
                 exchange->request->body_size > 0;

    if (cors_append_preflight(&exchange->client->out, &worker->request, origin, methods, close) !=
        0) {
        client_close(exchange->client);
        return;
    }
    if (!close)
        exchange_skip_request(exchange);
    exchange_answered(exchange, 204, close);
}

bool exchange_cors(struct exchange *exchange, const char *methods)
{
    const struct worker *worker = exchange->worker;
    struct slice origin;

    switch (cors_judge(&worker->child.settings, &worker->request, &origin)) {
    case CORS_NONE:
        return true;
    case CORS_REFUSED:
        refusal_log(&exchange->worker->refusals, LOG_INFO, "origin_refused",
                    "client %s: Origin %.*s", exchange->client->address, (int)origin.size,
                    origin.data);
        exchange_refuse(exchange, 403, "this origin is not allowed here", 0, NULL);
        return false;
    case CORS_ALLOWED:
        break;
    }
    if (cors_is_preflight(&worker->request)) {
        exchange_preflight(exchange, origin, methods);
        return false;
    }
    /* The head may be gone when the answer comes. Without memory, the page cannot read it. */
    exchange->request->cors_origin = strndup(origin.data, origin.size);
    return true;
}

void exchange_challenge(struct exchange *exchange, struct slice app, const char *error_code,
                        const char *description)
{
    const struct issuer_list *issuers = catalog_issuers(exchange->worker->catalog, app);
    struct reply_error error = {.status = 401, .message = description};
    struct buffer challenge = {0};

    if (reply_challenge(&challenge, exchange->worker->child.settings.public_addr, app, error_code,
                        error_code == NULL ? NULL : description,
                        issuers == NULL ? slice_make(NULL, 0) : issuers->scope) != 0) {
        buffer_free(&challenge);
        client_close(exchange->client);
        return;
    }
    error.challenge = buffer_slice(&challenge);
    exchange_error(exchange, &error);
    buffer_free(&challenge);
}

/* Appends a scope that is not there yet; scopes are separated by a space (RFC 6749, 3.3). */
static int exchange_add_scope(struct buffer *scopes, struct slice scope)
{
    struct slice rest = buffer_slice(scopes);

    while (rest.size > 0) {
        const char *space = memchr(rest.data, ' ', rest.size);
        size_t size = space == NULL ? rest.size : (size_t)(space - rest.data);

        if (slice_equal(slice_make(rest.data, size), scope))
            return 0;
        rest = slice_skip(rest, size + 1);
    }
    if (buffer_size(scopes) > 0 && buffer_append_text(scopes, " ") != 0)
        return -ENOMEM;
    return buffer_append_slice(scopes, scope);
}

void exchange_ask_scopes(struct exchange *exchange, struct slice app,
                         const struct auth_config_record *config,
                         const struct policy_decision *decision, struct slice body)
{
    static const char message[] = "the token lacks a scope that is needed here";
    struct reply_error error = {.status = 403, .message = message, .body = body};
    struct buffer scopes = {0};
    struct buffer challenge = {0};
    int failure = 0;

    for (size_t i = 0; config != NULL && failure == 0 && i < config->required_scope_count; i++)
        failure = exchange_add_scope(&scopes, config->required_scopes[i]);
    for (size_t i = 0; decision != NULL && failure == 0 && i < decision->scope_count; i++)
        failure = exchange_add_scope(&scopes, decision->scopes[i]);
    if (failure == 0)
        failure = reply_challenge(&challenge, exchange->worker->child.settings.public_addr, app,
                                  "insufficient_scope", message, buffer_slice(&scopes));
    error.challenge = buffer_slice(&challenge);
    if (failure == 0)
        exchange_error(exchange, &error);
    else
        client_close(exchange->client);
    buffer_free(&scopes);
    buffer_free(&challenge);
}

bool exchange_store_failed(struct exchange *exchange)
{
    if (catalog_error(exchange->worker->catalog) == 0)
        return false;
    exchange_refuse(exchange, 503, "the gateway's store is unavailable", EXCHANGE_RETRY_AFTER,
                    NULL);
    return true;
}

static void exchange_content(struct exchange *exchange, const char *media_type, struct buffer *body,
                             const char *extra, unsigned status)
{
    bool close =
        !exchange_skip_request(exchange) || !exchange->keep_alive || exchange->worker->draining;
    int error = reply_content(&exchange->client->out, media_type, buffer_slice(body), extra,
                              exchange->method == HTTP_HEAD, close);

    buffer_free(body);
    if (error != 0)
        client_close(exchange->client);
    else
        exchange_answered(exchange, status, close);
}

void exchange_acknowledge(struct exchange *exchange)
{
    struct buffer nothing = {0}, lines = {0};

    if (cors_append(&lines, exchange_origin(exchange)) != 0 || buffer_append(&lines, "", 1) != 0)
        client_close(exchange->client);
    else
        exchange_content(exchange, "application/json", &nothing, buffer_data(&lines), 200);
    buffer_free(&lines);
}

void exchange_metadata(struct exchange *exchange, struct slice app)
{
    const struct issuer_list *issuers;
    struct buffer body = {0};

    /* Public: a page of any origin may read it, to find out where to log in. */
    if (cors_is_preflight(&exchange->worker->request)) {
        exchange_preflight(exchange, slice_from("*"), "GET, HEAD");
        return;
    }
    if (exchange->method != HTTP_GET && exchange->method != HTTP_HEAD) {
        exchange_refuse_method(exchange, "GET, HEAD");
        return;
    }
    issuers = catalog_issuers(exchange->worker->catalog, app);
    if (issuers == NULL) {
        exchange_store_failed(exchange);
        return;
    }
    if (reply_metadata(&body, exchange->worker->child.settings.public_addr, app, issuers->issuers,
                       issuers->count, issuers->scopes, issuers->scope_count) != 0) {
        buffer_free(&body);
        client_close(exchange->client);
        return;
    }
    exchange_content(exchange, "application/json", &body, "Access-Control-Allow-Origin: *\r\n",
                     200);
}

void exchange_admin(struct exchange *exchange)
{
    struct worker *worker = exchange->worker;
    struct buffer body = {0};
    const char *media_type = "text/plain; charset=utf-8";

    if (exchange->route == ROUTE_NONE) {
        exchange_refuse(exchange, 404, "not found", 0, NULL);
        return;
    }
    if (exchange->method != HTTP_GET && exchange->method != HTTP_HEAD) {
        exchange_refuse_method(exchange, "GET, HEAD");
        return;
    }
    if (exchange->route == ROUTE_LIVEZ) {
        buffer_append_text(&body, "ok\n");
    } else if (exchange->route == ROUTE_METRICS) {
        worker_gauges(worker);
        page_metrics(&body, worker->child.public, worker->child.work);
        media_type = "text/plain; version=0.0.4; charset=utf-8";
    } else if (worker->draining || !page_ready(&body, worker->child.public, worker->child.work)) {
        buffer_free(&body);
        exchange_refuse(exchange, 503, "not ready", EXCHANGE_RETRY_AFTER, NULL);
        return;
    }
    exchange_content(exchange, media_type, &body, NULL, 200);
}

void exchange_debug(struct exchange *exchange, const struct session_record *session)
{
    static const struct app_endpoint nowhere = {.host = {.data = "debug.invalid", .size = 13},
                                                .port = 80,
                                                .path = {.data = "/", .size = 1}};
    struct forward_request forward = {
        .request = &exchange->worker->request,
        .app = &exchange->app->record,
        .endpoint = &nowhere,
        .client_address = slice_from(exchange->client->address),
        .client_tls = exchange->client->connection.tls != NULL,
    };
    struct buffer head = {0};
    struct buffer body = {0};
    const char *media_type = NULL;

    if (forward_request_head(&head, &forward) != 0 ||
        page_debug(&body, buffer_slice(&head), session, &exchange->worker->request, &media_type) !=
            0) {
        buffer_free(&head);
        buffer_free(&body);
        client_close(exchange->client);
        return;
    }
    buffer_free(&head);
    exchange_content(exchange, media_type, &body, "Cache-Control: no-store\r\n", 200);
}
