#include "worker/mcp_header.h"

#include "shared/base64url.h"
#include "worker/http_field.h"

#include <errno.h>
#include <stdlib.h>

#define SENTINEL "=?base64?"
#define SENTINEL_END "?="

enum {
    NAME_MAX_SIZE = 64, /* bytes of the longest header name that is looked at for '_' */
    QUANTUM = 4,        /* characters of base64 that stand for three bytes */
};

/* The base64 (RFC 4648, 4) in a sentinel; false: the value stands for itself. */
static bool header_sentinel(struct slice header, struct slice *encoded)
{
    struct slice begin = slice_from(SENTINEL), end = slice_from(SENTINEL_END);

    if (header.size < begin.size + end.size || !slice_has_prefix(header, begin))
        return false;
    *encoded = slice_make(header.data + begin.size, header.size - begin.size - end.size);
    return slice_equal(slice_skip(header, header.size - end.size), end);
}

/* Base64 to base64url, whose decoder takes canonical text alone. false: a foreign character. */
static bool header_translate(struct slice encoded, char *out, size_t *size)
{
    size_t padding = 0;

    if (encoded.size % QUANTUM != 0)
        return false;
    while (padding < 2 && padding < encoded.size && encoded.data[encoded.size - 1 - padding] == '=')
        padding++;
    *size = encoded.size - padding;
    for (size_t i = 0; i < *size; i++) {
        char c = encoded.data[i];

        if (c == '-' || c == '_')
            return false;
        out[i] = (char)(c == '+' ? '-' : c == '/' ? '_' : c);
    }
    return true;
}

/* Seldom: only values that a header cannot hold come here. */
static bool header_decoded_is(struct slice encoded, const struct json_value *value)
{
    char *room = malloc(2 * encoded.size + BASE64URL_DECODED_MAX(0));
    char *decoded = room == NULL ? NULL : room + encoded.size;
    size_t size = 0;
    long count = -EINVAL;
    bool equal;

    if (room == NULL)
        return false;
    if (header_translate(encoded, room, &size))
        count = base64url_decode(slice_make(room, size), decoded,
                                 encoded.size + BASE64URL_DECODED_MAX(0));
    equal = count >= 0 && json_string_is(value, slice_make(decoded, (size_t)count));
    free(room);
    return equal;
}

/* Whether it has bytes that must be encoded; the parser of heads took no control characters. */
static bool header_is_foreign(struct slice header)
{
    for (size_t i = 0; i < header.size; i++) {
        if ((unsigned char)header.data[i] >= 0x80)
            return true;
    }
    return false;
}

bool mcp_header_is(struct slice header, const struct json_value *value)
{
    struct slice encoded;

    if (header_sentinel(header, &encoded))
        return header_decoded_is(encoded, value);
    return !header_is_foreign(header) && json_string_is(value, header);
}

long mcp_header_text(struct slice header, char *out, size_t room)
{
    char translated[4 * NAME_MAX_SIZE];
    struct slice encoded;
    size_t size = 0;

    if (header_sentinel(header, &encoded)) {
        if (encoded.size > sizeof(translated))
            return -ENOSPC;
        if (!header_translate(encoded, translated, &size))
            return -EINVAL;
        return base64url_decode(slice_make(translated, size), out, room);
    }
    if (header_is_foreign(header))
        return -EINVAL;
    if (header.size > room)
        return -ENOSPC;
    if (header.size > 0)
        memcpy(out, header.data, header.size);
    return (long)header.size;
}

bool mcp_header_of_message(enum http_field field)
{
    switch (field) {
    case HTTP_CONTENT_ENCODING:
    case HTTP_CONTENT_TYPE:
    case HTTP_LAST_EVENT_ID:
    case HTTP_MCP_METHOD:
    case HTTP_MCP_NAME:
    case HTTP_MCP_PROTOCOL_VERSION:
    case HTTP_MCP_SESSION_ID:
        return true;
    default:
        return false;
    }
}

bool mcp_header_disguised(const struct http_request *request)
{
    for (size_t i = 0; i < request->header_count; i++) {
        struct slice name = request->headers[i].name;
        char dashed[NAME_MAX_SIZE];
        enum http_field field;

        if (request->headers[i].field != HTTP_OTHER || name.size > sizeof(dashed) ||
            memchr(name.data, '_', name.size) == NULL)
            continue;
        for (size_t j = 0; j < name.size; j++)
            dashed[j] = name.data[j] == '_' ? '-' : name.data[j];
        field = http_field_of(slice_make(dashed, name.size));
        if (field == HTTP_ORIGIN || mcp_header_of_message(field))
            return true;
    }
    return false;
}

/* A parameter of a media type: charset may only say what a JSON text is anyway (RFC 8259, 8.1). */
static bool header_parameter_fits(struct slice parameter)
{
    struct slice charset = slice_from("charset=");
    struct slice value;

    parameter = http_trim(parameter);
    if (parameter.size < 7 || strncasecmp(parameter.data, "charset", 7) != 0)
        return true;
    if (parameter.size < charset.size || parameter.data[7] != '=')
        return false;
    value = slice_skip(parameter, charset.size);
    return slice_equal_nocase(value, slice_from("utf-8")) ||
           slice_equal_nocase(value, slice_from("\"utf-8\""));
}

bool mcp_header_is_json(struct slice content_type)
{
    const char *end = memchr(content_type.data, ';', content_type.size);
    size_t size = end == NULL ? content_type.size : (size_t)(end - content_type.data);

    if (!slice_equal_nocase(http_trim(slice_make(content_type.data, size)),
                            slice_from("application/json")))
        return false;
    content_type = slice_skip(content_type, size + 1);
    while (content_type.size > 0) {
        end = memchr(content_type.data, ';', content_type.size);
        size = end == NULL ? content_type.size : (size_t)(end - content_type.data);
        if (!header_parameter_fits(slice_make(content_type.data, size)))
            return false;
        content_type = slice_skip(content_type, size + 1);
    }
    return true;
}
