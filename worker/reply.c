#include "worker/reply.h"

#include "shared/clock.h"
#include "shared/json.h"
#include "worker/cors.h"
#include "worker/http_date.h"

#include <stdio.h>

#define REPLY_APPS "/mcp/apps/"
#define REPLY_WELL_KNOWN "/.well-known/oauth-protected-resource"

/* JSON-RPC 2.0, 5.1: the only predefined codes that fit; MCP forbids new ones of a server's own. */
enum { RPC_INVALID_REQUEST = -32600, RPC_INTERNAL_ERROR = -32603 };

/* Appends one after another; the first failure sticks. */
struct reply_writer {
    struct buffer *out; /* borrowed */
    int error;
};

static void reply_put(struct reply_writer *writer, struct slice text)
{
    if (writer->error == 0)
        writer->error = buffer_append_slice(writer->out, text);
}

static void reply_text(struct reply_writer *writer, const char *text)
{
    reply_put(writer, slice_from(text));
}

static void reply_string(struct reply_writer *writer, struct slice text)
{
    if (writer->error == 0)
        writer->error = json_append_string(writer->out, text);
}

static void reply_line(struct reply_writer *writer, const char *name, struct slice value)
{
    reply_text(writer, name);
    reply_text(writer, ": ");
    reply_put(writer, value);
    reply_text(writer, "\r\n");
}

static void reply_number(struct reply_writer *writer, const char *name, size_t value)
{
    if (writer->error == 0)
        writer->error = buffer_append_format(writer->out, "%s: %zu\r\n", name, value);
}

const char *reply_phrase(unsigned status)
{
    static const struct {
        unsigned status;
        const char *phrase;
    } phrases[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };

    for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++) {
        if (phrases[i].status == status)
            return phrases[i].phrase;
    }
    return "";
}

/* The lines that every answer of ours has. The media type is always what we say it is. */
static void reply_head(struct reply_writer *writer, unsigned status, const char *media_type,
                       size_t body_size, bool close)
{
    char date[HTTP_DATE_SIZE];

    if (writer->error == 0)
        writer->error =
            buffer_append_format(writer->out, "HTTP/1.1 %u %s\r\n", status, reply_phrase(status));
    http_date(clock_wall_seconds(), date);
    reply_line(writer, "Date", slice_from(date));
    reply_line(writer, "Content-Type", slice_from(media_type));
    reply_number(writer, "Content-Length", body_size);
    reply_line(writer, "X-Content-Type-Options", slice_from("nosniff"));
    if (close)
        reply_line(writer, "Connection", slice_from("close"));
}

/* Clients show the body and forget the status: so it says both, unless a code says it better. */
static void reply_error_message(const struct reply_error *error, char *out, size_t room)
{
    if (error->code != 0)
        snprintf(out, room, "%s", error->message);
    else
        snprintf(out, room, "%s: %s", reply_phrase(error->status), error->message);
}

int reply_error_body(struct buffer *out, const struct reply_error *error)
{
    struct reply_writer writer = {.out = out};
    int code = error->status >= 500 ? RPC_INTERNAL_ERROR : RPC_INVALID_REQUEST;
    char message[256];

    reply_error_message(error, message, sizeof(message));
    if (error->body.size > 0) {
        reply_put(&writer, error->body);
        return writer.error;
    }
    if (!error->json_rpc) {
        reply_text(&writer, message);
        reply_text(&writer, "\n");
        return writer.error;
    }
    if (error->code != 0)
        code = error->code;
    writer.error =
        buffer_append_format(out, "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":%d,\"message\":", code);
    if (error->detail.size == 0) {
        reply_string(&writer, slice_from(message));
    } else { /* such messages need no escapes */
        reply_text(&writer, "\"");
        reply_text(&writer, message);
        reply_text(&writer, ": ");
        reply_put(&writer, error->detail);
        reply_text(&writer, "\"");
    }
    if (error->data.size > 0) {
        reply_text(&writer, ",\"data\":");
        reply_put(&writer, error->data);
    }
    reply_text(&writer, "},\"id\":");
    reply_put(&writer, error->id.size > 0 ? error->id : slice_from("null"));
    reply_text(&writer, "}");
    return writer.error;
}

int reply_error(struct buffer *out, const struct reply_error *error)
{
    struct reply_writer writer = {.out = out};
    struct buffer body = {0};
    const char *origin = error->origin == NULL ? "gateway" : error->origin;

    writer.error = reply_error_body(&body, error);
    reply_head(&writer, error->status,
               error->json_rpc ? "application/json" : "text/plain; charset=utf-8",
               buffer_size(&body), error->close);
    reply_line(&writer, "Cache-Control", slice_from("no-store"));
    reply_line(&writer, "Gatehouse-Error-Origin", slice_from(origin));
    if (writer.error == 0)
        writer.error = cors_append(out, error->cors);
    if (error->challenge.size > 0)
        reply_line(&writer, "WWW-Authenticate", error->challenge);
    if (error->retry_after > 0)
        reply_number(&writer, "Retry-After", error->retry_after);
    if (error->allow != NULL)
        reply_line(&writer, "Allow", slice_from(error->allow));
    reply_text(&writer, "\r\n");
    if (!error->head_only)
        reply_put(&writer, buffer_slice(&body));
    buffer_free(&body);
    return writer.error;
}

int reply_content(struct buffer *out, const char *media_type, struct slice body, const char *extra,
                  bool head_only, bool close)
{
    struct reply_writer writer = {.out = out};

    reply_head(&writer, 200, media_type, body.size, close);
    if (extra != NULL)
        reply_text(&writer, extra);
    reply_text(&writer, "\r\n");
    if (!head_only)
        reply_put(&writer, body);
    return writer.error;
}

/* name="value", separated from what stands before; bytes that RFC 6750, 3 does not allow in a value
 * are left out, so that nothing ends the string early. */
static void reply_parameter(struct reply_writer *writer, bool *first, const char *name,
                            struct slice value)
{
    reply_text(writer, *first ? " " : ", ");
    *first = false;
    reply_text(writer, name);
    reply_text(writer, "=\"");
    for (size_t i = 0; i < value.size; i++) {
        char c = value.data[i];

        if (c >= 0x20 && c <= 0x7e && c != '"' && c != '\\')
            reply_put(writer, slice_make(&c, 1));
    }
    reply_text(writer, "\"");
}

int reply_challenge(struct buffer *out, struct slice public_addr, struct slice app,
                    const char *error, const char *description, struct slice scope)
{
    struct reply_writer writer = {.out = out};
    bool first = true;

    reply_text(&writer, "Bearer");
    /* RFC 6750, 3.1: no error code when no token was sent. */
    if (error != NULL) {
        reply_parameter(&writer, &first, "error", slice_from(error));
        if (description != NULL)
            reply_parameter(&writer, &first, "error_description", slice_from(description));
    }
    if (scope.size > 0)
        reply_parameter(&writer, &first, "scope", scope);
    reply_text(&writer, first ? " resource_metadata=\"" : ", resource_metadata=\"");
    reply_put(&writer, public_addr);
    reply_text(&writer, REPLY_WELL_KNOWN REPLY_APPS);
    reply_put(&writer, app);
    reply_text(&writer, "\"");
    return writer.error;
}

static void reply_strings(struct reply_writer *writer, const char *member,
                          const struct slice *values, size_t count)
{
    reply_text(writer, member);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            reply_text(writer, ",");
        reply_string(writer, values[i]);
    }
    reply_text(writer, "]");
}

/* public_addr and path in one JSON string. */
static void reply_resource(struct reply_writer *writer, struct slice public_addr, struct slice app)
{
    struct buffer resource = {0};
    struct reply_writer inner = {.out = &resource};

    reply_put(&inner, public_addr);
    reply_text(&inner, REPLY_APPS);
    reply_put(&inner, app);
    if (writer->error == 0)
        writer->error = inner.error;
    reply_string(writer, buffer_slice(&resource));
    buffer_free(&resource);
}

int reply_metadata(struct buffer *out, struct slice public_addr, struct slice app,
                   const struct slice *issuers, size_t issuer_count, const struct slice *scopes,
                   size_t scope_count)
{
    struct reply_writer writer = {.out = out};

    reply_text(&writer, "{\"resource\":");
    reply_resource(&writer, public_addr, app);
    /* Empty arrays are left out (RFC 9728, 2: zero values are omitted). */
    if (issuer_count > 0)
        reply_strings(&writer, ",\"authorization_servers\":[", issuers, issuer_count);
    if (scope_count > 0)
        reply_strings(&writer, ",\"scopes_supported\":[", scopes, scope_count);
    reply_text(&writer, ",\"bearer_methods_supported\":[\"header\"],\"resource_name\":");
    reply_string(&writer, app);
    reply_text(&writer, "}");
    return writer.error;
}
