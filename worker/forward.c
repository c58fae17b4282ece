#include "worker/forward.h"

#include "shared/clock.h"
#include "worker/cors.h"
#include "worker/http_date.h"
#include "worker/http_field.h"
#include "worker/location.h"
#include "worker/reply.h"

#include <errno.h>

enum {
    FORWARD_NAME_MAX = 64,  /* bytes of the longest name that is looked at for '_' */
    FORWARD_OWN_LINES = 512 /* bytes that the lines of our own take, about */
};

/* Appends one after another; the first failure sticks. */
struct forward_writer {
    struct buffer *out; /* borrowed */
    int error;
};

static void forward_put(struct forward_writer *writer, struct slice text)
{
    if (writer->error == 0)
        writer->error = buffer_append_slice(writer->out, text);
}

static void forward_number(struct forward_writer *writer, uint64_t number)
{
    if (writer->error == 0)
        writer->error = buffer_append_number(writer->out, number);
}

static void forward_text(struct forward_writer *writer, const char *text)
{
    forward_put(writer, slice_from(text));
}

static void forward_line(struct forward_writer *writer, struct slice name, struct slice value)
{
    forward_put(writer, name);
    forward_text(writer, ": ");
    forward_put(writer, value);
    forward_text(writer, "\r\n");
}

/* One reservation for what is likely to be appended, so that a head is written without moving. */
static void forward_reserve(struct forward_writer *writer, const struct http_header *headers,
                            size_t count, size_t more)
{
    size_t size = FORWARD_OWN_LINES + more;

    for (size_t i = 0; i < count; i++)
        size += headers[i].name.size + headers[i].value.size + 4;
    writer->error = buffer_reserve(writer->out, size);
}

/* Whether Connection headers name more than "close" and "keep-alive", which seldom happens. */
static bool forward_names_headers(const struct http_header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (headers[i].field == HTTP_CONNECTION &&
            !slice_equal_nocase(headers[i].value, slice_from("keep-alive")) &&
            !slice_equal_nocase(headers[i].value, slice_from("close")))
            return true;
    }
    return false;
}

static bool forward_has_prefix(struct slice name, const char *prefix)
{
    size_t size = strlen(prefix);

    return name.size >= size && strncasecmp(name.data, prefix, size) == 0;
}

/* Many servers read '_' in a name as '-' (CGI, RFC 3875, 4.1.18): X_Forwarded_For must not pass
 * where X-Forwarded-For may not. */
static struct slice forward_dashes(struct slice name, char room[FORWARD_NAME_MAX])
{
    if (name.size > FORWARD_NAME_MAX || memchr(name.data, '_', name.size) == NULL)
        return name;
    for (size_t i = 0; i < name.size; i++)
        room[i] = name.data[i] == '_' ? '-' : name.data[i];
    return slice_make(room, name.size);
}

static const struct app_header *forward_rule(const struct app_record *app, struct slice name)
{
    for (size_t i = 0; i < app->header_count; i++) {
        if (slice_equal_nocase(app->headers[i].name, name))
            return &app->headers[i];
    }
    return NULL;
}

/* Hop-by-hop fields and those that frame the message: made anew for each side (RFC 9110, 7.6.1). */
static bool forward_is_hop(enum http_field field)
{
    switch (field) {
    case HTTP_CONNECTION:
    case HTTP_CONTENT_LENGTH:
    case HTTP_KEEP_ALIVE:
    case HTTP_PROXY_CONNECTION:
    case HTTP_TE:
    case HTTP_TRAILER:
    case HTTP_TRANSFER_ENCODING:
    case HTTP_UPGRADE:
        return true;
    default:
        return false;
    }
}

/* What no client may say to an upstream. */
static bool forward_is_ours(enum http_field field)
{
    switch (field) {
    case HTTP_AUTHORIZATION:
    case HTTP_DPOP:
    case HTTP_EXPECT:
    case HTTP_FORWARDED:
    case HTTP_GATEHOUSE:
    case HTTP_HOST:
    case HTTP_X_FORWARDED:
        return true;
    default:
        return false;
    }
}

static bool forward_drops(const struct forward_request *forward, const struct http_header *header)
{
    char room[FORWARD_NAME_MAX];
    struct slice name = header->name;
    enum http_field field = header->field;

    /* No known name has a '_'. */
    if (field == HTTP_OTHER)
        name = forward_dashes(name, room);
    if (name.data == room)
        field = http_field_of(name);
    /* A server that knows no such revision must not take it for a request of some session. */
    if (forward->sessionless && (field == HTTP_MCP_SESSION_ID || field == HTTP_LAST_EVENT_ID))
        return true;
    if (forward->identity && field == HTTP_ACCEPT_ENCODING)
        return true;
    return forward_is_hop(field) || forward_is_ours(field) ||
           ((name.data[0] | 0x20) == 'p' && forward_has_prefix(name, "proxy-")) ||
           forward_rule(forward->app, name) != NULL;
}

static bool forward_is_our_cookie(struct slice pair)
{
    while (pair.size > 0 && (pair.data[0] == ' ' || pair.data[0] == '\t'))
        pair = slice_skip(pair, 1);
    return forward_has_prefix(pair, FORWARD_COOKIE_PREFIX);
}

static struct slice forward_cookie_next(struct slice *rest)
{
    const char *end = memchr(rest->data, ';', rest->size);
    size_t size = end == NULL ? rest->size : (size_t)(end - rest->data);
    struct slice pair = slice_make(rest->data, size);

    *rest = slice_skip(*rest, end == NULL ? size : size + 1);
    return pair;
}

static bool forward_has_our_cookie(struct slice value)
{
    while (value.size > 0) {
        if (forward_is_our_cookie(forward_cookie_next(&value)))
            return true;
    }
    return false;
}

/* Without our cookies; without the header when none is left. */
static void forward_cookies(struct forward_writer *writer, const struct http_header *header)
{
    struct slice rest = header->value;
    bool first = true;

    if (!forward_has_our_cookie(rest)) {
        forward_line(writer, header->name, header->value);
        return;
    }
    while (rest.size > 0) {
        struct slice pair = forward_cookie_next(&rest);

        while (pair.size > 0 && pair.data[0] == ' ')
            pair = slice_skip(pair, 1);
        if (pair.size == 0 || forward_is_our_cookie(pair))
            continue;
        if (first)
            forward_put(writer, header->name);
        forward_text(writer, first ? ": " : "; ");
        forward_put(writer, pair);
        first = false;
    }
    if (!first)
        forward_text(writer, "\r\n");
}

/* The app's own path for MCP; a query of the client's is appended to it. */
static void forward_request_line(struct forward_writer *writer,
                                 const struct forward_request *forward)
{
    const struct http_request *request = forward->request;
    struct slice path = forward->endpoint->path;

    forward_put(writer, request->method_text);
    forward_text(writer, " ");
    if (forward->path.size > 0) {
        forward_put(writer, forward->path);
    } else if (!forward->mcp) {
        forward_put(writer, request->target);
    } else {
        forward_put(writer, path.size == 0 ? slice_from("/") : path);
        if (request->query.size > 0) {
            bool queried = path.size > 0 && memchr(path.data, '?', path.size) != NULL;

            forward_text(writer, queried ? "&" : "?");
            forward_put(writer, request->query);
        }
    }
    forward_text(writer, " HTTP/1.1\r\n");
}

static void forward_host(struct forward_writer *writer, const struct forward_request *forward)
{
    const struct app_endpoint *endpoint = forward->endpoint;
    const struct app_header *rule = forward_rule(forward->app, slice_from("Host"));
    bool ipv6 =
        endpoint->host.size > 0 && memchr(endpoint->host.data, ':', endpoint->host.size) != NULL;

    forward_text(writer, "Host: ");
    if (rule != NULL) {
        forward_put(writer, rule->value);
    } else {
        forward_text(writer, ipv6 ? "[" : "");
        forward_put(writer, endpoint->host);
        forward_text(writer, ipv6 ? "]" : "");
        if (endpoint->port != (endpoint->tls ? 443 : 80)) {
            forward_text(writer, ":");
            forward_number(writer, endpoint->port);
        }
    }
    forward_text(writer, "\r\n");
}

static void forward_own(struct forward_writer *writer, const struct forward_request *forward,
                        const char *name, struct slice value)
{
    if (value.size > 0 && forward_rule(forward->app, slice_from(name)) == NULL)
        forward_line(writer, slice_from(name), value);
}

/* The port that the client asked for: of its Host, else the scheme's. */
static struct slice forward_port(const struct forward_request *forward)
{
    struct slice host = forward->request->host;
    size_t at = host.size;

    while (at > 0 && host.data[at - 1] >= '0' && host.data[at - 1] <= '9')
        at--;
    if (at > 0 && at < host.size && host.data[at - 1] == ':')
        return slice_skip(host, at);
    return slice_from(forward->client_tls ? "443" : "80");
}

static void forward_peer(struct forward_writer *writer, const struct forward_request *forward)
{
    forward_own(writer, forward, "X-Forwarded-For", forward->client_address);
    forward_own(writer, forward, "X-Forwarded-Proto",
                slice_from(forward->client_tls ? "https" : "http"));
    forward_own(writer, forward, "X-Forwarded-Host", forward->request->host);
    forward_own(writer, forward, "X-Forwarded-Port", forward_port(forward));
    forward_own(writer, forward, "X-Real-Ip", forward->client_address);
}

/* Rules come from documents, but through a store: what would break the head is not sent. */
static void forward_rules(struct forward_writer *writer, const struct app_record *app)
{
    for (size_t i = 0; i < app->header_count; i++) {
        const struct app_header *rule = &app->headers[i];

        if (!http_is_token(rule->name) || !http_is_field_value(rule->value) ||
            forward_is_hop(http_field_of(rule->name)) ||
            slice_equal_nocase(rule->name, slice_from("Host")))
            continue;
        forward_line(writer, rule->name, rule->value);
    }
}

/* What may stand in a request line or in Host. */
static bool forward_is_visible(struct slice text)
{
    return http_chars_are(text, HTTP_CHAR_QUERY);
}

static bool forward_app_usable(const struct forward_request *forward)
{
    const struct app_header *rule = forward_rule(forward->app, slice_from("Host"));

    return forward_is_visible(forward->endpoint->path) &&
           forward_is_visible(forward->endpoint->host) &&
           (rule == NULL || forward_is_visible(rule->value));
}

int forward_request_head(struct buffer *out, const struct forward_request *forward)
{
    const struct http_request *request = forward->request;
    bool named = forward_names_headers(request->headers, request->header_count);
    struct forward_writer writer = {.out = out};

    if (!forward_app_usable(forward))
        return -EBADMSG;
    forward_reserve(&writer, request->headers, request->header_count, request->target.size);
    forward_request_line(&writer, forward);
    forward_host(&writer, forward);
    for (size_t i = 0; i < request->header_count; i++) {
        const struct http_header *header = &request->headers[i];

        if (forward_drops(forward, header) ||
            (named && http_connection_names(request->headers, request->header_count, header->name)))
            continue;
        if (header->field == HTTP_COOKIE)
            forward_cookies(&writer, header);
        else
            forward_line(&writer, header->name, header->value);
    }
    /* Without the header, a server may choose (RFC 9110, 12.5.3). */
    if (forward->identity)
        forward_own(&writer, forward, "Accept-Encoding", slice_from("identity"));
    forward_peer(&writer, forward);
    forward_rules(&writer, forward->app);
    forward_put(&writer, forward->own);
    if (forward->has_body) {
        forward_text(&writer, "Content-Length: ");
        forward_number(&writer, forward->body_size);
        forward_text(&writer, "\r\n");
    }
    forward_text(&writer, "\r\n");
    return writer.error;
}

/* A challenge of the upstream's would send clients to another server's login; a cookie of our name
 * would let an app choose a session. */
static bool forward_response_drops(const struct forward_response *forward,
                                   const struct http_header *header)
{
    switch (header->field) {
    case HTTP_GATEHOUSE:
        return !forward->bridge;
    case HTTP_PROXY_AUTHENTICATE:
    case HTTP_WWW_AUTHENTICATE:
        return true;
    case HTTP_SET_COOKIE:
        return forward_is_our_cookie(header->value);
    default:
        return forward_is_hop(header->field);
    }
}

static bool forward_has(const struct http_response *response, const char *name)
{
    for (size_t i = 0; i < response->header_count; i++) {
        if (slice_equal_nocase(response->headers[i].name, slice_from(name)))
            return true;
    }
    return false;
}

static void forward_framing(struct forward_writer *writer, const struct forward_response *forward)
{
    const struct http_response *response = forward->response;
    /* A HEAD's answer tells the length of the body that it leaves out. */
    bool length = forward->body == HTTP_BODY_LENGTH ||
                  (forward->body == HTTP_BODY_NONE && response->body == HTTP_BODY_LENGTH);

    if (length) {
        forward_text(writer, "Content-Length: ");
        forward_number(writer, response->content_length);
        forward_text(writer, "\r\n");
    }
    if (forward->body == HTTP_BODY_CHUNKED)
        forward_text(writer, "Transfer-Encoding: chunked\r\n");
    if (forward->close || forward->body == HTTP_BODY_UNTIL_CLOSE)
        forward_text(writer, "Connection: close\r\n");
}

static void forward_status_line(struct forward_writer *writer, const struct http_response *response)
{
    forward_text(writer, "HTTP/1.1 ");
    forward_number(writer, response->status);
    forward_text(writer, " ");
    if (response->reason.size > 0)
        forward_put(writer, response->reason);
    else
        forward_text(writer, reply_phrase(response->status));
    forward_text(writer, "\r\n");
}

/* What a gateway adds of its own (RFC 9110, 6.6.1 for Date). */
static void forward_response_own(struct forward_writer *writer,
                                 const struct forward_response *forward)
{
    const struct http_response *response = forward->response;

    if (http_find(response->headers, response->header_count, HTTP_DATE) == NULL) {
        char date[HTTP_DATE_SIZE];

        http_date(clock_wall_seconds(), date);
        forward_line(writer, slice_from("Date"), slice_from(date));
    }
    if (response->event_stream && !forward_has(response, "X-Accel-Buffering"))
        forward_text(writer, "X-Accel-Buffering: no\r\n");
    if (response->status >= 500 &&
        (!forward->bridge || !forward_has(response, "Gatehouse-Error-Origin")))
        forward_text(writer, "Gatehouse-Error-Origin: upstream\r\n");
}

static void forward_response_line(struct forward_writer *writer,
                                  const struct forward_response *forward,
                                  const struct http_header *header)
{
    struct location location;

    if (header->field != HTTP_LOCATION || forward->endpoint == NULL ||
        !location_rebase(header->value, forward->endpoint, &location)) {
        forward_line(writer, header->name, header->value);
        return;
    }
    forward_put(writer, header->name);
    forward_text(writer, ": ");
    forward_text(writer, location.first);
    forward_put(writer, location.rest);
    forward_text(writer, "\r\n");
}

int forward_response_head(struct buffer *out, const struct forward_response *forward)
{
    const struct http_response *response = forward->response;
    bool named = forward_names_headers(response->headers, response->header_count);
    struct forward_writer writer = {.out = out};

    forward_reserve(&writer, response->headers, response->header_count,
                    response->reason.size + forward->body_room);
    forward_status_line(&writer, response);
    for (size_t i = 0; i < response->header_count; i++) {
        const struct http_header *header = &response->headers[i];

        if (forward_response_drops(forward, header) ||
            (forward->mcp && cors_is_header(header->name)) ||
            (named &&
             http_connection_names(response->headers, response->header_count, header->name)))
            continue;
        forward_response_line(&writer, forward, header);
    }
    forward_response_own(&writer, forward);
    if (writer.error == 0)
        writer.error = cors_append(out, forward->cors);
    forward_framing(&writer, forward);
    forward_text(&writer, "\r\n");
    return writer.error;
}
