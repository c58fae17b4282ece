#include "worker/demo_exchange.h"

#include "shared/uri.h"
#include "worker/demo_answer.h"
#include "worker/demo_stream.h"

/* Whether an Accept header admits a media type; quality values are not weighed. */
static bool exchange_accepts(const struct http_request *request, const char *media_type)
{
    size_t size = strlen(media_type);

    for (size_t i = 0; i < request->header_count; i++) {
        struct slice value = request->headers[i].value;

        if (request->headers[i].field != HTTP_ACCEPT || value.size == 0)
            continue;
        if (memmem(value.data, value.size, media_type, size) != NULL ||
            memmem(value.data, value.size, "*/*", 3) != NULL)
            return true;
    }
    return false;
}

static bool exchange_is_json(const struct http_request *request)
{
    static const char json[] = "application/json";
    const struct http_header *header =
        http_find(request->headers, request->header_count, HTTP_CONTENT_TYPE);
    size_t size = sizeof(json) - 1;

    return header != NULL && header->value.size >= size &&
           strncasecmp(header->value.data, json, size) == 0 &&
           (header->value.size == size || header->value.data[size] == ';' ||
            header->value.data[size] == ' ');
}

/* MCP asks servers on loopback to refuse what DNS rebinding brings: a foreign Origin or Host. */
static bool exchange_is_local(const struct http_request *request)
{
    const struct http_header *origin =
        http_find(request->headers, request->header_count, HTTP_ORIGIN);
    const char *colon = NULL;
    struct uri uri = {.host = request->host};
    const char *reason;

    if (uri.host.size > 0 && uri.host.data[0] == '[') {
        const char *end = memchr(uri.host.data, ']', uri.host.size);

        if (end != NULL)
            uri.host = slice_make(uri.host.data + 1, (size_t)(end - uri.host.data) - 1);
    } else if (uri.host.size > 0) {
        colon = memchr(uri.host.data, ':', uri.host.size);
    }
    if (colon != NULL)
        uri.host.size = (size_t)(colon - uri.host.data);
    if (uri.host.size > 0 && !uri_is_loopback(&uri))
        return false;
    return origin == NULL ||
           (uri_parse(origin->value, &uri, &reason) == 0 && uri_is_loopback(&uri));
}

/* 2026-07-28 has neither streams of GET nor sessions to delete. */
static bool exchange_is_modern(const struct http_request *request)
{
    const struct http_header *version =
        http_find(request->headers, request->header_count, HTTP_MCP_PROTOCOL_VERSION);

    return version != NULL && !demo_version_is_legacy(version->value);
}

static void exchange_answer(struct demo_connection *connection, const struct demo_answer *given,
                            struct slice body)
{
    struct demo_answer answer = *given;

    answer.close = connection->state == DEMO_LAST;
    if (demo_answer_json(&connection->out, &answer, body) != 0)
        connection->failed = true;
}

static void exchange_status(struct demo_connection *connection, unsigned status)
{
    struct demo_answer answer = {.status = status};

    exchange_answer(connection, &answer, slice_make(NULL, 0));
}

static void exchange_error(struct demo_connection *connection, struct slice id,
                           const struct demo_error *error)
{
    struct demo_answer answer = {.close = connection->state == DEMO_LAST};

    if (error->status == 405)
        answer.allow = exchange_is_modern(&connection->request) ? "POST" : "GET, POST, DELETE";
    if (demo_answer_error(&connection->out, &answer, id, error) != 0)
        connection->failed = true;
}

static void exchange_refuse(struct demo_connection *connection, unsigned status,
                            enum demo_code code, const char *message)
{
    struct demo_error error;

    demo_refuse(&error, status, code, message);
    exchange_error(connection, slice_make(NULL, 0), &error);
}

/* The session that a legacy request must name; false after the refusal. */
static bool exchange_session(struct demo_connection *connection, struct slice id,
                             struct slice *session)
{
    const struct http_request *request = &connection->request;
    const struct http_header *header =
        http_find(request->headers, request->header_count, HTTP_MCP_SESSION_ID);
    struct demo_error error;

    if (header == NULL) {
        demo_refuse(&error, 400, DEMO_REFUSED, "Mcp-Session-Id is missing: initialize first");
    } else if (!demo_session_exists(&connection->server->sessions, header->value)) {
        demo_refuse(&error, 404, DEMO_SESSION_NOT_FOUND, "Session not found");
    } else {
        *session = header->value;
        return true;
    }
    exchange_error(connection, id, &error);
    return false;
}

static void exchange_result(struct demo_connection *connection, const struct demo_message *message,
                            struct slice result)
{
    struct demo_answer answer = {.status = 200};
    struct buffer body = {0};

    if (json_string_is(&message->method, slice_from("initialize")))
        answer.session = demo_session_add(&connection->server->sessions);
    if (demo_answer_result(&body, message->id, result) != 0)
        connection->failed = true;
    else
        exchange_answer(connection, &answer, buffer_slice(&body));
    buffer_free(&body);
}

static void exchange_request(struct demo_connection *connection, const struct demo_message *message,
                             struct slice session)
{
    struct demo_count count;
    struct demo_error error;
    struct buffer result = {0};

    if (!demo_tools_result(message, &result, &count, &error))
        exchange_error(connection, message->id, &error);
    else if (count.to > 0)
        demo_stream_begin(connection, message, session, count);
    else
        exchange_result(connection, message, buffer_slice(&result));
    buffer_free(&result);
}

static void exchange_cancel(struct demo_connection *connection, const struct demo_message *message,
                            struct slice session)
{
    static const char *const name[] = {"requestId"};
    struct json_value id = {.kind = JSON_INVALID};

    if (json_string_is(&message->method, slice_from("notifications/cancelled")) &&
        message->params.kind == JSON_OBJECT && json_members(&message->params, name, 1, &id) == 0 &&
        id.kind != JSON_INVALID)
        demo_stream_end(connection->server, session, id.text);
}

static void exchange_post(struct demo_connection *connection)
{
    const struct http_request *request = &connection->request;
    struct slice session = slice_make(NULL, 0);
    struct demo_message message;
    struct demo_error error;

    if (!exchange_is_json(request)) {
        exchange_refuse(connection, 415, DEMO_REFUSED, "Content-Type must be application/json");
        return;
    }
    if (!exchange_accepts(request, "application/json") ||
        !exchange_accepts(request, "text/event-stream")) {
        exchange_refuse(connection, 406, DEMO_REFUSED,
                        "Accept must list application/json and text/event-stream");
        return;
    }
    if (!demo_message_read(request, buffer_slice(&connection->body), &message, &error)) {
        exchange_error(connection, message.id, &error);
        return;
    }
    if (!message.modern && !json_string_is(&message.method, slice_from("initialize")) &&
        !exchange_session(connection, message.id, &session))
        return;
    if (message.kind == DEMO_REQUEST) {
        exchange_request(connection, &message, session);
        return;
    }
    if (!message.modern && message.kind == DEMO_NOTIFICATION)
        exchange_cancel(connection, &message, session);
    exchange_status(connection, 202);
}

static void exchange_get(struct demo_connection *connection)
{
    struct slice none = slice_make(NULL, 0);
    struct slice session;

    if (!exchange_accepts(&connection->request, "text/event-stream"))
        exchange_refuse(connection, 406, DEMO_REFUSED, "Accept must list text/event-stream");
    else if (exchange_session(connection, none, &session))
        demo_stream_begin(connection, NULL, session, (struct demo_count){0});
}

static void exchange_delete(struct demo_connection *connection)
{
    struct slice none = slice_make(NULL, 0);
    struct slice session;

    if (!exchange_session(connection, none, &session))
        return;
    demo_session_remove(&connection->server->sessions, session);
    demo_stream_end(connection->server, session, none);
    exchange_status(connection, 204);
}

void demo_exchange_run(struct demo_connection *connection)
{
    const struct http_request *request = &connection->request;
    bool stateful = !exchange_is_modern(request);

    if (!exchange_is_local(request))
        exchange_refuse(connection, 403, DEMO_REFUSED, "Origin or Host is not of this machine");
    else if (!slice_is(request->path, "/mcp"))
        exchange_refuse(connection, 404, DEMO_INVALID_REQUEST, "Nothing is here: try /mcp");
    else if (request->method == HTTP_POST)
        exchange_post(connection);
    else if (request->method == HTTP_GET && stateful)
        exchange_get(connection);
    else if (request->method == HTTP_DELETE && stateful)
        exchange_delete(connection);
    else
        exchange_refuse(connection, 405, DEMO_INVALID_REQUEST, "Method not allowed");
}
