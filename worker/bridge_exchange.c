#include "worker/bridge_exchange.h"

#include "shared/log.h"
#include "worker/bridge_app.h"
#include "worker/bridge_delivery.h"
#include "worker/bridge_remote.h"
#include "worker/bridge_session.h"
#include "worker/bridge_stream.h"
#include "worker/mcp_gate.h"

#include <stdio.h>

/* Where an old client posts its messages: beside its stream. */
#define EXCHANGE_OLD_PATH "/sse/message?sessionId=%s"
#define EXCHANGE_OLD_APP "/mcp/apps/"

/* What a worker says of a request, beside the request itself. */
struct bridge_exchange {
    struct bridge_client *client;
    struct bridge *bridge;
    struct slice app;
    struct slice owner;
    struct slice revision; /* of a stdio app's command */
    struct slice endpoint; /* of a server over HTTP; empty: it is a stdio server */
    struct slice trust;    /* by what its certificate is believed */
    bool modern;
    bool hosted; /* the client came by a name of the app's own: its paths begin there */
};

static void exchange_refuse(const struct bridge_exchange *exchange, unsigned status, int code,
                            const char *message)
{
    bridge_client_refuse(exchange->client, status, code, message, slice_make(NULL, 0));
}

static void exchange_lost(const struct bridge_exchange *exchange)
{
    exchange_refuse(exchange, 404, MCP_SESSION_NOT_FOUND, "Session not found");
}

static void exchange_accepted(const struct bridge_exchange *exchange)
{
    bridge_client_answer(exchange->client, 202, NULL, slice_make(NULL, 0));
}

static void exchange_refused(const struct bridge_exchange *exchange,
                             const struct bridge_refusal *refusal, struct slice id)
{
    struct reply_error error = {.status = refusal->status,
                                .code = refusal->code,
                                .message = refusal->message,
                                .retry_after = refusal->retry_after,
                                .id = id};

    bridge_client_error(exchange->client, &error);
}

static struct slice exchange_header(const struct http_request *request, enum http_field field)
{
    const struct http_header *header = http_find(request->headers, request->header_count, field);

    return header == NULL ? slice_make(NULL, 0) : header->value;
}

/* Headers that only workers set: last of all, behind what the client and the app's rules say. */
static struct slice exchange_own(const struct http_request *request, const char *name)
{
    for (size_t i = request->header_count; i > 0; i--) {
        const struct http_header *header = &request->headers[i - 1];

        if (header->field == HTTP_GATEHOUSE && slice_equal_nocase(header->name, slice_from(name)))
            return header->value;
    }
    return slice_make(NULL, 0);
}

static bool exchange_accepts(const struct http_request *request, const char *media_type)
{
    for (size_t i = 0; i < request->header_count; i++) {
        struct slice value = request->headers[i].value;

        if (request->headers[i].field != HTTP_ACCEPT || value.size == 0)
            continue;
        if (memmem(value.data, value.size, media_type, strlen(media_type)) != NULL ||
            memmem(value.data, value.size, "*/*", 3) != NULL)
            return true;
    }
    return false;
}

static struct bridge_link *exchange_remote(const struct bridge_exchange *exchange,
                                           struct bridge_refusal *refusal)
{
    *refusal = (struct bridge_refusal){
        .status = 400, .code = BRIDGE_NOT_INITIALIZED, .message = BRIDGE_NOT_MODERN};
    if (exchange->modern)
        return NULL;
    *refusal = (struct bridge_refusal){.status = 502, .code = BRIDGE_INTERNAL_ERROR};
    return bridge_remote_open(exchange->bridge, exchange->endpoint, exchange->trust,
                              &exchange->client->request, &refusal->message);
}

/* The server that is to answer: a shared one, or a new one. NULL after the refusal. */
static struct bridge_link *exchange_link(const struct bridge_exchange *exchange, struct slice id)
{
    struct bridge_refusal refusal;
    struct bridge_link *link;

    if (exchange->endpoint.size > 0)
        link = exchange_remote(exchange, &refusal);
    else
        link = bridge_app_link(exchange->bridge, exchange->app, exchange->revision, exchange->owner,
                               exchange->modern, &refusal);
    if (link == NULL) {
        log_info("bridge_refused", "app %.*s: %u %s", (int)exchange->app.size, exchange->app.data,
                 refusal.status, refusal.message);
        exchange_refused(exchange, &refusal, id);
    }
    return link;
}

static struct bridge_session *exchange_open(const struct bridge_exchange *exchange, bool old,
                                            struct slice id)
{
    struct bridge_link *link = exchange_link(exchange, id);
    struct bridge_session *session;

    if (link == NULL)
        return NULL;
    if (bridge_session_open(link, exchange->app, exchange->owner, old, &session) == 0)
        return session;
    if (!link->common)
        bridge_link_end(link, "the bridge has no room for its session");
    bridge_client_refuse(exchange->client, 503, BRIDGE_INTERNAL_ERROR,
                         "the bridge has no room for a session", id);
    return NULL;
}

static void exchange_initialize(const struct bridge_exchange *exchange,
                                const struct bridge_message *message)
{
    struct bridge_session *session = exchange_open(exchange, false, message->id);

    if (session != NULL)
        bridge_delivery_open(exchange->client, session, message);
}

static void exchange_modern(const struct bridge_exchange *exchange,
                            const struct bridge_message *message)
{
    struct bridge_link *link;

    /* This revision has no notification that means anything over HTTP. */
    if (message->kind != BRIDGE_REQUEST) {
        exchange_accepted(exchange);
        return;
    }
    link = exchange_link(exchange, message->id);
    if (link != NULL)
        bridge_delivery_modern(exchange->client, link, message);
}

static void exchange_post(const struct bridge_exchange *exchange)
{
    const struct http_request *request = &exchange->client->request;
    struct slice id = exchange_header(request, HTTP_MCP_SESSION_ID);
    struct bridge_session *session;
    struct bridge_message message;
    const char *reason;

    if (!exchange_accepts(request, "application/json") ||
        !exchange_accepts(request, "text/event-stream")) {
        exchange_refuse(exchange, 406, BRIDGE_NOT_INITIALIZED,
                        "Accept must list application/json and text/event-stream");
        return;
    }
    if (id.size > 0 && !exchange->modern) {
        session = bridge_session_find(exchange->bridge, id, exchange->app, exchange->owner);
        if (session == NULL || session->old)
            exchange_lost(exchange);
        else
            bridge_delivery_send(exchange->client, session);
        return;
    }
    if (bridge_message_read(buffer_slice(&exchange->client->body), &message, &reason) != 0)
        exchange_refuse(exchange, 400, MCP_INVALID_REQUEST, reason);
    else if (exchange->modern)
        exchange_modern(exchange, &message);
    else if (message.kind == BRIDGE_REQUEST && bridge_message_is(&message, "initialize"))
        exchange_initialize(exchange, &message);
    else
        exchange_refuse(exchange, 400, BRIDGE_NOT_INITIALIZED,
                        "Bad Request: Mcp-Session-Id is missing: initialize first");
}

/* The stream that the client comes back to; NULL after the refusal. */
static struct bridge_stream *exchange_resume(const struct bridge_exchange *exchange,
                                             struct bridge_session *session, struct slice last,
                                             uint64_t *after)
{
    struct bridge_stream *stream = NULL;
    uint64_t number;

    if (bridge_stream_event_id(last, &number, after))
        stream = bridge_session_find_stream(session, number);
    if (stream == NULL) {
        exchange_refuse(exchange, 400, BRIDGE_NOT_INITIALIZED,
                        "Last-Event-ID is of no stream of this session");
        return NULL;
    }
    /* The connection of before is not known to be gone yet. */
    if (stream->client != NULL)
        bridge_client_close(stream->client);
    return stream;
}

static void exchange_get(const struct bridge_exchange *exchange)
{
    const struct http_request *request = &exchange->client->request;
    struct slice last = exchange_header(request, HTTP_LAST_EVENT_ID);
    struct bridge_session *session =
        bridge_session_find(exchange->bridge, exchange_header(request, HTTP_MCP_SESSION_ID),
                            exchange->app, exchange->owner);
    struct bridge_stream *stream;
    uint64_t after = 0;

    if (session == NULL || session->old) {
        exchange_lost(exchange);
        return;
    }
    if (!exchange_accepts(request, "text/event-stream")) {
        exchange_refuse(exchange, 406, BRIDGE_NOT_INITIALIZED,
                        "Accept must list text/event-stream");
        return;
    }
    stream = session->standing;
    if (last.size > 0) {
        stream = exchange_resume(exchange, session, last, &after);
    } else if (stream->client != NULL) {
        exchange_refuse(exchange, 409, BRIDGE_NOT_INITIALIZED,
                        "Conflict: only one stream is allowed a session");
        return;
    } else {
        after = BRIDGE_STREAM_ON; /* what was sent before is for those who say what they saw */
    }
    if (stream != NULL)
        bridge_stream_attach(stream, exchange->client, after);
}

static void exchange_delete(const struct bridge_exchange *exchange)
{
    struct slice id = exchange_header(&exchange->client->request, HTTP_MCP_SESSION_ID);
    struct bridge_session *session =
        bridge_session_find(exchange->bridge, id, exchange->app, exchange->owner);

    if (session == NULL || session->old) {
        exchange_lost(exchange);
        return;
    }
    bridge_session_end(session);
    bridge_client_answer(exchange->client, 204, NULL, slice_make(NULL, 0));
}

static void exchange_old_stream(const struct bridge_exchange *exchange)
{
    struct bridge_session *session;
    char path[256];
    int size;

    if (!exchange_accepts(&exchange->client->request, "text/event-stream")) {
        exchange_refuse(exchange, 406, BRIDGE_NOT_INITIALIZED,
                        "Accept must list text/event-stream");
        return;
    }
    session = exchange_open(exchange, true, slice_make(NULL, 0));
    if (session == NULL)
        return;
    size = snprintf(path, sizeof(path), "%s%s" EXCHANGE_OLD_PATH,
                    exchange->hosted ? "" : EXCHANGE_OLD_APP, exchange->hosted ? "" : session->app,
                    session->id);
    bridge_stream_attach(session->standing, exchange->client, 0);
    bridge_stream_name(session->standing, "endpoint", slice_make(path, (size_t)size));
}

static struct bridge_session *exchange_old_session(const struct bridge_exchange *exchange)
{
    struct slice name = slice_from("sessionId=");
    struct slice query = exchange->client->request.query;
    struct bridge_session *session = NULL;

    if (slice_has_prefix(query, name))
        session = bridge_session_find(exchange->bridge, slice_skip(query, name.size), exchange->app,
                                      exchange->owner);
    return session != NULL && session->old ? session : NULL;
}

static void exchange_old_message(const struct bridge_exchange *exchange)
{
    struct bridge_session *session = exchange_old_session(exchange);

    if (session == NULL)
        exchange_lost(exchange);
    else
        bridge_delivery_send(exchange->client, session);
}

/* One message, or several in an array. */
static void exchange_old_answer(const struct bridge_exchange *exchange)
{
    struct bridge_session *session = exchange_old_session(exchange);
    struct slice body = buffer_slice(&exchange->client->body);
    struct json_iterator iterator;
    struct json_value value;
    const char *reason;

    if (session == NULL) {
        exchange_lost(exchange);
    } else if (json_parse(body, &value, &reason) != 0) {
        exchange_refuse(exchange, 400, MCP_INVALID_REQUEST, reason);
    } else if (value.kind == JSON_ARRAY) {
        json_iterate(&iterator, &value);
        while (!session->ended && json_next(&iterator, NULL, NULL, &value) == 1)
            bridge_stream_put(session->standing, value.text, 0);
        exchange_accepted(exchange);
    } else {
        bridge_stream_put(session->standing, value.text, 0);
        exchange_accepted(exchange);
    }
}

static void exchange_allow(const struct bridge_exchange *exchange, const char *allow)
{
    struct reply_error error = {
        .status = 405, .message = "this method is not served here", .allow = allow};

    bridge_client_error(exchange->client, &error);
}

static void exchange_dispatch(const struct bridge_exchange *exchange)
{
    const struct http_request *request = &exchange->client->request;
    bool old = slice_is(request->path, "/sse");

    if (request->method == HTTP_POST && slice_is(request->path, "/sse/message")) {
        exchange_old_message(exchange);
    } else if (request->method == HTTP_POST && slice_is(request->path, "/sse/answer")) {
        exchange_old_answer(exchange);
    } else if (old && request->method == HTTP_GET) {
        exchange_old_stream(exchange);
    } else if (old) {
        exchange_allow(exchange, "GET");
    } else if (request->method == HTTP_POST) {
        exchange_post(exchange);
    } else if (request->method == HTTP_GET && !exchange->modern) {
        exchange_get(exchange);
    } else if (request->method == HTTP_DELETE && !exchange->modern) {
        exchange_delete(exchange);
    } else {
        exchange_allow(exchange, exchange->modern ? "POST" : "GET, POST, DELETE");
    }
}

void bridge_exchange_run(struct bridge_client *client)
{
    const struct http_request *request = &client->request;
    struct bridge_exchange exchange = {
        .client = client,
        .bridge = client->bridge,
        .app = exchange_own(request, "Gatehouse-App"),
        .owner = exchange_own(request, "Gatehouse-Owner"),
        .revision = exchange_own(request, "Gatehouse-Revision"),
        .endpoint = exchange_own(request, "Gatehouse-Endpoint"),
        .trust = exchange_own(request, "Gatehouse-Trust"),
        .modern = mcp_gate_revision(request) == MCP_2026_07_28,
        .hosted = slice_is(exchange_own(request, "Gatehouse-Place"), "host"),
    };

    if (exchange.app.size == 0 || exchange.owner.size != BRIDGE_OWNER_SIZE) {
        exchange_refuse(&exchange, 400, MCP_INVALID_REQUEST, "this is no request of a worker");
        return;
    }
    exchange_dispatch(&exchange);
}
