#include "worker/http_field.h"

enum { REQUEST_METHOD_MAX = 64 }; /* bytes: longer than any registered method */

/* What two of would let two readers see two requests (RFC 9112, 3.2 and 6.3), or, for MCP, two
 * calls. A second Authorization is http_bearer's to refuse, which can still be answered in order.
 */
static uint64_t request_singles(void)
{
    return http_field_bit(HTTP_HOST) | http_field_bit(HTTP_CONTENT_LENGTH) |
           http_field_bit(HTTP_TRANSFER_ENCODING) | http_field_bit(HTTP_CONTENT_TYPE) |
           http_field_bit(HTTP_EXPECT) | http_field_bit(HTTP_ORIGIN) |
           http_field_bit(HTTP_LAST_EVENT_ID) | http_field_bit(HTTP_MCP_METHOD) |
           http_field_bit(HTTP_MCP_NAME) | http_field_bit(HTTP_MCP_PROTOCOL_VERSION) |
           http_field_bit(HTTP_MCP_SESSION_ID);
}

static long request_refuse(long status, const char *text, const char **reason)
{
    *reason = text;
    return -status;
}

static enum http_method request_method(struct slice text)
{
    static const struct {
        const char *name;
        enum http_method method;
    } methods[] = {
        {"POST", HTTP_POST},       {"GET", HTTP_GET},         {"DELETE", HTTP_DELETE},
        {"OPTIONS", HTTP_OPTIONS}, {"HEAD", HTTP_HEAD},       {"PUT", HTTP_PUT},
        {"PATCH", HTTP_PATCH},     {"CONNECT", HTTP_CONNECT}, {"TRACE", HTTP_TRACE},
    };

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (slice_is(text, methods[i].name))
            return methods[i].method;
    }
    return HTTP_METHOD_OTHER;
}

/* uri-host [":" port], without the sub-delims and percent-encoding that no DNS name has. */
static bool request_host_valid(struct slice host)
{
    size_t size = 0;

    if (host.size > 0 && host.data[0] == '[') {
        size = 1;
        while (size < host.size && (http_char_is(host.data[size], HTTP_CHAR_HEX) ||
                                    host.data[size] == ':' || host.data[size] == '.'))
            size++;
        if (size < 3 || size == host.size || host.data[size] != ']')
            return false;
        size++;
    } else {
        while (size < host.size && http_char_is(host.data[size], HTTP_CHAR_HOST))
            size++;
        if (size == 0)
            return false;
    }
    if (size == host.size)
        return true;
    return host.data[size] == ':' && host.size - size <= 6 &&
           http_chars_are(slice_skip(host, size + 1), HTTP_CHAR_DIGIT);
}

static bool request_origin_form(struct http_request *out, struct slice target)
{
    size_t size = 0;

    out->target = target;
    while (size < target.size && http_char_is(target.data[size], HTTP_CHAR_PATH))
        size++;
    out->path = slice_make(target.data, size);
    out->query = slice_skip(target, size + 1);
    if (size == target.size)
        return true;
    return target.data[size] == '?' && http_chars_are(out->query, HTTP_CHAR_QUERY);
}

/* http://host[:port][/path][?query] (RFC 9112, 3.2.2). */
static bool request_absolute_form(struct http_request *out, struct slice target)
{
    size_t scheme = 0;
    size_t size = 0;
    struct slice rest;

    if (target.size > 7 && strncasecmp(target.data, "http://", 7) == 0)
        scheme = 7;
    else if (target.size > 8 && strncasecmp(target.data, "https://", 8) == 0)
        scheme = 8;
    else
        return false;
    rest = slice_skip(target, scheme);
    while (size < rest.size && rest.data[size] != '/' && rest.data[size] != '?')
        size++;
    out->host = slice_make(rest.data, size);
    if (!request_host_valid(out->host))
        return false;
    rest = slice_skip(rest, size);
    /* "http://host" means "/"; "http://host?query" cannot be given on as it stands. */
    return request_origin_form(out, rest.size == 0 ? slice_from("/") : rest) && out->path.size > 0;
}

static bool request_target(struct http_request *out, struct slice target)
{
    if (out->method == HTTP_CONNECT) {
        out->target = target;
        out->host = target;
        return request_host_valid(target);
    }
    if (target.data[0] == '/')
        return request_origin_form(out, target);
    if (slice_is(target, "*")) {
        out->target = target;
        out->path = target;
        return out->method == HTTP_OPTIONS;
    }
    return request_absolute_form(out, target);
}

/* HTTP-version: 0 with the minor version set, or what to answer. */
static long request_version(struct http_request *out, struct slice text, const char **reason)
{
    if (text.size != 8 || memcmp(text.data, "HTTP/", 5) != 0 ||
        !http_char_is(text.data[5], HTTP_CHAR_DIGIT) || text.data[6] != '.' ||
        !http_char_is(text.data[7], HTTP_CHAR_DIGIT))
        return request_refuse(400, "malformed request line", reason);
    if (text.data[5] != '1' || text.data[7] > '1')
        return request_refuse(505, "HTTP version not supported", reason);
    out->minor_version = text.data[7] - '0';
    return 0;
}

static long request_line(struct http_request *out, struct slice line, const char **reason)
{
    const char *space = line.size == 0 ? NULL : memchr(line.data, ' ', line.size);
    struct slice rest;
    struct slice target;
    long error;

    if (space == NULL)
        return request_refuse(400, "malformed request line", reason);
    out->method_text = slice_make(line.data, (size_t)(space - line.data));
    rest = slice_skip(line, out->method_text.size + 1);
    space = rest.size == 0 ? NULL : memchr(rest.data, ' ', rest.size);
    if (!http_is_token(out->method_text) || out->method_text.size > REQUEST_METHOD_MAX ||
        space == NULL || space == rest.data)
        return request_refuse(400, "malformed request line", reason);
    target = slice_make(rest.data, (size_t)(space - rest.data));
    error = request_version(out, slice_skip(rest, target.size + 1), reason);
    if (error != 0)
        return error;
    if (target.size > HTTP_TARGET_MAX)
        return request_refuse(414, "request target too long", reason);
    out->method = request_method(out->method_text);
    if (!request_target(out, target))
        return request_refuse(400, "malformed request target", reason);
    return 0;
}

static long request_framing(struct http_request *out, const struct http_header *header,
                            uint64_t seen, const char **reason)
{
    if (header->field == HTTP_CONTENT_LENGTH) {
        if (!http_length_parse(header->value, &out->content_length))
            return request_refuse(400, "malformed Content-Length", reason);
        out->body = HTTP_BODY_LENGTH;
        return 0;
    }
    if ((seen & http_field_bit(HTTP_CONTENT_LENGTH)) != 0)
        return request_refuse(400, "both Content-Length and Transfer-Encoding", reason);
    if (out->minor_version == 0)
        return request_refuse(400, "Transfer-Encoding in HTTP/1.0", reason);
    if (!slice_equal_nocase(header->value, slice_from("chunked")))
        return request_refuse(501, "transfer coding not supported", reason);
    out->body = HTTP_BODY_CHUNKED;
    return 0;
}

static long request_host(struct http_request *out, const struct http_header *header,
                         const char **reason)
{
    if (!request_host_valid(header->value))
        return request_refuse(400, "malformed Host", reason);
    /* An absolute-form target's host goes before (RFC 9112, 3.2.2). */
    if (out->host.size == 0)
        out->host = header->value;
    return 0;
}

static long request_expect(struct http_request *out, const struct http_header *header,
                           const char **reason)
{
    if (!slice_equal_nocase(header->value, slice_from("100-continue")))
        return request_refuse(417, "expectation not supported", reason);
    out->expect_continue = out->minor_version == 1;
    return 0;
}

/* Acts on the fields that frame the message or name its host. */
static long request_fields(struct http_request *out, uint64_t seen, const char **reason)
{
    bool close = false;

    out->keep_alive = out->minor_version == 1;
    for (size_t i = 0; i < out->header_count; i++) {
        const struct http_header *header = &out->headers[i];
        long error = 0;

        if (header->field == HTTP_HOST)
            error = request_host(out, header, reason);
        else if (header->field == HTTP_CONTENT_LENGTH || header->field == HTTP_TRANSFER_ENCODING)
            error = request_framing(out, header, seen, reason);
        else if (header->field == HTTP_EXPECT)
            error = request_expect(out, header, reason);
        else if (header->field == HTTP_CONNECTION)
            http_connection_read(header->value, &close, &out->keep_alive);
        if (error != 0)
            return error;
    }
    if (close)
        out->keep_alive = false;
    if (out->minor_version == 1 && (seen & http_field_bit(HTTP_HOST)) == 0)
        return request_refuse(400, "missing Host", reason);
    if (out->body == HTTP_BODY_NONE || (out->body == HTTP_BODY_LENGTH && out->content_length == 0))
        out->expect_continue = false;
    return 0;
}

/* What an incomplete head is: too large already, or not yet there. */
static long request_incomplete(struct slice input, size_t limit, bool in_line, const char **reason)
{
    if (in_line && input.size > HTTP_TARGET_MAX + REQUEST_METHOD_MAX + 16)
        return request_refuse(414, "request target too long", reason);
    if (input.size >= limit)
        return request_refuse(431, "request head too large", reason);
    return 0;
}

long http_request_parse(struct slice input, size_t limit, struct http_request *out,
                        const char **reason)
{
    size_t at = 0;
    uint64_t seen;
    struct slice line;
    enum http_line found;
    long error;

    *reason = "";
    if (input.size >= 2 && memcmp(input.data, "\r\n", 2) == 0)
        at = 2;
    found = http_line_next(input, &at, &line);
    if (found == HTTP_LINE_INCOMPLETE)
        return request_incomplete(input, limit, true, reason);
    if (found == HTTP_LINE_MALFORMED)
        return request_refuse(400, "line not ended by CRLF", reason);
    memset(out, 0, offsetof(struct http_request, headers));
    error = request_line(out, line, reason);
    if (error != 0)
        return error;
    switch (http_fields_parse(input, &at, request_singles(), out->headers, &out->header_count,
                              &seen, reason)) {
    case HTTP_FIELDS_INCOMPLETE:
        return request_incomplete(input, limit, false, reason);
    case HTTP_FIELDS_MALFORMED:
        return -400;
    case HTTP_FIELDS_TOO_MANY:
        return -431;
    case HTTP_FIELDS_END:
        break;
    }
    if (at > limit)
        return request_refuse(431, "request head too large", reason);
    error = request_fields(out, seen, reason);
    return error != 0 ? error : (long)at;
}

int http_bearer(const struct http_request *request, struct slice *token)
{
    const struct http_header *found = NULL;
    struct slice rest;

    for (size_t i = 0; i < request->header_count; i++) {
        if (request->headers[i].field != HTTP_AUTHORIZATION)
            continue;
        if (found != NULL)
            return -400;
        found = &request->headers[i];
    }
    if (found == NULL)
        return 0;
    rest = found->value;
    if (rest.size < 6 || strncasecmp(rest.data, "bearer", 6) != 0 ||
        (rest.size > 6 && http_char_is(rest.data[6], HTTP_CHAR_TOKEN)))
        return 0;
    rest = slice_skip(rest, 6);
    if (rest.size == 0 || rest.data[0] != ' ')
        return -400;
    while (rest.size > 0 && rest.data[0] == ' ')
        rest = slice_skip(rest, 1);
    *token = rest;
    return rest.size > 0 ? 1 : -400;
}

bool http_is_b64token(struct slice text)
{
    while (text.size > 0 && text.data[text.size - 1] == '=')
        text.size--;
    return text.size > 0 && http_chars_are(text, HTTP_CHAR_B64);
}
