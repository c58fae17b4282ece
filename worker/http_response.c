#include "worker/http_field.h"

static long response_refuse(const char *text, const char **reason)
{
    *reason = text;
    return -1;
}

static uint64_t response_singles(void)
{
    return http_field_bit(HTTP_CONTENT_LENGTH) | http_field_bit(HTTP_TRANSFER_ENCODING);
}

/* "HTTP/1.1 200 OK"; the space before an empty reason may be missing, as it often is. */
static bool response_line(struct http_response *out, struct slice line)
{
    const char *text = line.data;

    if (line.size < 12 || memcmp(text, "HTTP/1.", 7) != 0 || (text[7] != '0' && text[7] != '1') ||
        text[8] != ' ' || !http_chars_are(slice_make(text + 9, 3), HTTP_CHAR_DIGIT) ||
        (line.size > 12 && text[12] != ' '))
        return false;
    out->minor_version = text[7] - '0';
    out->status = (unsigned)(text[9] - '0') * 100 + (unsigned)(text[10] - '0') * 10 +
                  (unsigned)(text[11] - '0');
    out->reason = http_trim(slice_skip(line, 13));
    return out->status >= 100 && out->status <= 599 && http_chars_are(out->reason, HTTP_CHAR_VALUE);
}

/* `Keep-Alive: timeout=5, max=100`, as it is in use (RFC 9112 leaves it undefined). */
static unsigned response_keep_alive_timeout(struct slice value)
{
    struct slice parameter;

    while (http_list_next(&value, &parameter)) {
        uint64_t seconds;

        if (parameter.size > 8 && strncasecmp(parameter.data, "timeout=", 8) == 0 &&
            http_length_parse(slice_skip(parameter, 8), &seconds))
            return seconds > 86400 ? 86400 : (unsigned)seconds;
    }
    return 0;
}

static bool response_is_event_stream(struct slice value)
{
    static const char media_type[] = "text/event-stream";
    size_t size = sizeof(media_type) - 1;

    return value.size >= size && strncasecmp(value.data, media_type, size) == 0 &&
           (value.size == size || value.data[size] == ';' || value.data[size] == ' ' ||
            value.data[size] == '\t');
}

static bool response_length(struct http_response *out, const struct http_header *header,
                            const char **reason)
{
    if (header->field == HTTP_CONTENT_LENGTH) {
        *reason = "malformed Content-Length";
        out->body = HTTP_BODY_LENGTH;
        return http_length_parse(header->value, &out->content_length);
    }
    *reason = "transfer coding not supported";
    out->body = HTTP_BODY_CHUNKED;
    return out->minor_version == 1 && slice_equal_nocase(header->value, slice_from("chunked"));
}

static bool response_fields(struct http_response *out, const char **reason)
{
    bool close = false;

    out->keep_alive = out->minor_version == 1;
    out->body = HTTP_BODY_UNTIL_CLOSE;
    for (size_t i = 0; i < out->header_count; i++) {
        const struct http_header *header = &out->headers[i];

        switch (header->field) {
        case HTTP_CONTENT_LENGTH:
        case HTTP_TRANSFER_ENCODING:
            if (!response_length(out, header, reason))
                return false;
            break;
        case HTTP_CONNECTION:
            http_connection_read(header->value, &close, &out->keep_alive);
            break;
        case HTTP_KEEP_ALIVE:
            out->keep_alive_timeout = response_keep_alive_timeout(header->value);
            break;
        case HTTP_CONTENT_TYPE:
            out->event_stream = response_is_event_stream(header->value);
            break;
        default:
            break;
        }
    }
    if (close)
        out->keep_alive = false;
    return true;
}

/* RFC 9112, 6.3: what has no body whatever its fields say. */
static void response_bodiless(struct http_response *out)
{
    bool framed = out->body == HTTP_BODY_CHUNKED ||
                  (out->body == HTTP_BODY_LENGTH && out->content_length > 0);

    if (out->status >= 200 && out->status != 204 && out->status != 304) {
        if (out->body == HTTP_BODY_UNTIL_CLOSE)
            out->keep_alive = false;
        return;
    }
    /* Who frames a body that cannot be (a 304's length tells of another message's) may send it. */
    if (framed && out->status != 304)
        out->keep_alive = false;
    out->body = HTTP_BODY_NONE;
    out->content_length = 0;
}

long http_response_parse(struct slice input, size_t limit, struct http_response *out,
                         const char **reason)
{
    uint64_t both = response_singles();
    size_t at = 0;
    uint64_t seen = 0;
    struct slice line;
    enum http_line found = http_line_next(input, &at, &line);

    *reason = "";
    if (found == HTTP_LINE_INCOMPLETE)
        return input.size >= limit ? response_refuse("response head too large", reason) : 0;
    memset(out, 0, offsetof(struct http_response, headers));
    if (found == HTTP_LINE_MALFORMED || !response_line(out, line))
        return response_refuse("malformed status line", reason);
    switch (http_fields_parse(input, &at, both, out->headers, &out->header_count, &seen, reason)) {
    case HTTP_FIELDS_INCOMPLETE:
        return input.size >= limit ? response_refuse("response head too large", reason) : 0;
    case HTTP_FIELDS_MALFORMED:
    case HTTP_FIELDS_TOO_MANY:
        return -1;
    case HTTP_FIELDS_END:
        break;
    }
    if (at > limit)
        return response_refuse("response head too large", reason);
    if ((seen & both) == both)
        return response_refuse("both Content-Length and Transfer-Encoding", reason);
    if (!response_fields(out, reason))
        return -1;
    response_bodiless(out);
    *reason = "";
    return (long)at;
}
