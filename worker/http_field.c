#include "worker/http_field.h"

/* One row is 16 bytes. Made from the classes' definitions in http_field.h; the unit test makes it
 * again and compares. */
/* clang-format off */
const unsigned char http_char_classes[256] = {
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x02, 0x0f, 0x02, 0x03, 0x0f, 0x0f, 0x0f, 0x0f, 0x0e, 0x0e, 0x0f, 0x2f, 0x0e, 0x3f, 0x3f, 0x2e,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0e, 0x0e, 0x02, 0x0e, 0x02, 0x0a,
    0x0e, 0xbf, 0xbf, 0xbf, 0xbf, 0xbf, 0xbf, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
    0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x0e, 0x0a, 0x0e, 0x0f, 0x3f,
    0x0f, 0xbf, 0xbf, 0xbf, 0xbf, 0xbf, 0xbf, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
    0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x0e, 0x0f, 0x0e, 0x3f, 0x00,
    0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02,
    0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02,
    0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02,
    0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02,
    0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02,
    0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02,
    0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02,
    0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02,
};
/* clang-format on */

enum { FIELD_NAME_MAX = 20, FIELD_SAME_LENGTH = 6, CONTENT_LENGTH_DIGITS = 18 };

struct field_name {
    const char *name; /* lower case; NULL ends a row */
    enum http_field field;
};

/* Known names by their length. */
static const struct field_name field_names[FIELD_NAME_MAX + 1][FIELD_SAME_LENGTH] = {
    [2] = {{"te", HTTP_TE}},
    [4] = {{"host", HTTP_HOST}, {"date", HTTP_DATE}, {"dpop", HTTP_DPOP}},
    [6] = {{"accept", HTTP_ACCEPT},
           {"cookie", HTTP_COOKIE},
           {"origin", HTTP_ORIGIN},
           {"server", HTTP_SERVER},
           {"expect", HTTP_EXPECT}},
    [7] = {{"upgrade", HTTP_UPGRADE}, {"trailer", HTTP_TRAILER}},
    [8] = {{"mcp-name", HTTP_MCP_NAME}, {"location", HTTP_LOCATION}},
    [9] = {{"x-real-ip", HTTP_X_FORWARDED}, {"forwarded", HTTP_FORWARDED}},
    [10] = {{"connection", HTTP_CONNECTION},
            {"mcp-method", HTTP_MCP_METHOD},
            {"keep-alive", HTTP_KEEP_ALIVE},
            {"set-cookie", HTTP_SET_COOKIE}},
    [11] = {{"retry-after", HTTP_RETRY_AFTER}},
    [12] = {{"content-type", HTTP_CONTENT_TYPE}},
    [13] = {{"authorization", HTTP_AUTHORIZATION}, {"last-event-id", HTTP_LAST_EVENT_ID}},
    [14] = {{"content-length", HTTP_CONTENT_LENGTH}, {"mcp-session-id", HTTP_MCP_SESSION_ID}},
    [15] = {{"accept-encoding", HTTP_ACCEPT_ENCODING}},
    [16] = {{"content-encoding", HTTP_CONTENT_ENCODING},
            {"www-authenticate", HTTP_WWW_AUTHENTICATE},
            {"proxy-connection", HTTP_PROXY_CONNECTION}},
    [17] = {{"transfer-encoding", HTTP_TRANSFER_ENCODING}},
    [18] = {{"proxy-authenticate", HTTP_PROXY_AUTHENTICATE}},
    [19] = {{"proxy-authorization", HTTP_PROXY_AUTHORIZATION}},
    [20] = {{"mcp-protocol-version", HTTP_MCP_PROTOCOL_VERSION}},
};

/* Of the bytes that 0x20 makes a lower-case letter or '-', only letters and '-' are token
 * characters, so this compares names without case. */
static bool field_name_is(const char *name, const char *lower, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if ((name[i] | 0x20) != lower[i])
            return false;
    }
    return true;
}

static bool field_name_begins(struct slice name, const char *lower)
{
    size_t size = strlen(lower);

    return name.size > size && field_name_is(name.data, lower, size);
}

enum http_field http_field_of(struct slice name)
{
    if (name.size <= FIELD_NAME_MAX) {
        const struct field_name *known = field_names[name.size];

        for (size_t i = 0; i < FIELD_SAME_LENGTH && known[i].name != NULL; i++) {
            if (field_name_is(name.data, known[i].name, name.size))
                return known[i].field;
        }
    }
    if (field_name_begins(name, "x-forwarded-"))
        return HTTP_X_FORWARDED;
    if (field_name_begins(name, "gatehouse-"))
        return HTTP_GATEHOUSE;
    return HTTP_OTHER;
}

/* Most of a head is values, and nearly all are well-formed: looking at every byte without a branch
 * is several times as fast as stopping at the first wrong one. */
bool http_chars_are(struct slice text, unsigned classes)
{
    const unsigned char *bytes = (const unsigned char *)text.data;
    size_t i = 0;
    unsigned wrong = 0, common = ~0U;

    /* Of one class, as tokens are: what all bytes have in common. */
    if ((classes & (classes - 1)) == 0) {
        for (; i + 4 <= text.size; i += 4)
            common &= (unsigned)http_char_classes[bytes[i]] & http_char_classes[bytes[i + 1]] &
                      http_char_classes[bytes[i + 2]] & http_char_classes[bytes[i + 3]];
        for (; i < text.size; i++)
            common &= http_char_classes[bytes[i]];
        return (common & classes) != 0;
    }
    for (; i + 4 <= text.size; i += 4) {
        wrong |= (http_char_classes[bytes[i]] & classes) == 0;
        wrong |= (http_char_classes[bytes[i + 1]] & classes) == 0;
        wrong |= (http_char_classes[bytes[i + 2]] & classes) == 0;
        wrong |= (http_char_classes[bytes[i + 3]] & classes) == 0;
    }
    for (; i < text.size; i++)
        wrong |= (http_char_classes[bytes[i]] & classes) == 0;
    return wrong == 0;
}

enum { FIELD_BLOCK = 32 }; /* bytes: a loop of fixed length becomes a few vector instructions */

/* Whether one of the bytes may not stand in a value: a control character but HTAB. */
static bool field_block_is_wrong(const char *text)
{
    const unsigned char *bytes = (const unsigned char *)text;
    unsigned char wrong = 0;

    for (size_t i = 0; i < FIELD_BLOCK; i++)
        wrong |= (unsigned char)(((bytes[i] < 0x20) & (bytes[i] != '\t')) | (bytes[i] == 0x7f));
    return wrong != 0;
}

/* Values are most of a head. */
static bool field_value_is_valid(struct slice text)
{
    while (text.size >= FIELD_BLOCK) {
        if (field_block_is_wrong(text.data))
            return false;
        text = slice_skip(text, FIELD_BLOCK);
    }
    return http_chars_are(text, HTTP_CHAR_VALUE);
}

bool http_is_token(struct slice text)
{
    return text.size > 0 && http_chars_are(text, HTTP_CHAR_TOKEN);
}

bool http_is_field_value(struct slice text)
{
    if (text.size == 0)
        return true;
    /* White space at the ends is not part of a value (RFC 9110, 5.5). */
    return http_trim(text).size == text.size && field_value_is_valid(text);
}

struct slice http_trim(struct slice text)
{
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = slice_skip(text, 1);
    while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t'))
        text.size--;
    return text;
}

enum http_line http_line_next(struct slice input, size_t *at, struct slice *line)
{
    struct slice rest = slice_skip(input, *at);
    const char *end = rest.size == 0 ? NULL : memchr(rest.data, '\n', rest.size);

    if (end == NULL)
        return HTTP_LINE_INCOMPLETE;
    if (end == rest.data || end[-1] != '\r')
        return HTTP_LINE_MALFORMED;
    *line = slice_make(rest.data, (size_t)(end - rest.data) - 1);
    *at += line->size + 2;
    return HTTP_LINE_FOUND;
}

bool http_header_parse(struct slice line, struct http_header *out, const char **reason)
{
    size_t size = 0;

    if (line.data[0] == ' ' || line.data[0] == '\t') {
        *reason = "folded header line";
        return false;
    }
    while (size < line.size && http_char_is(line.data[size], HTTP_CHAR_TOKEN))
        size++;
    if (size == 0 || size == line.size || line.data[size] != ':') {
        *reason = "malformed header name";
        return false;
    }
    out->name = slice_make(line.data, size);
    out->value = http_trim(slice_skip(line, size + 1));
    /* A bare CR is among what this refuses. */
    if (!field_value_is_valid(out->value)) {
        *reason = "control character in a header value";
        return false;
    }
    out->field = http_field_of(out->name);
    return true;
}

enum http_fields_result http_fields_parse(struct slice input, size_t *at, uint64_t singles,
                                          struct http_header *headers, size_t *count,
                                          uint64_t *seen, const char **reason)
{
    *count = 0;
    *seen = 0;
    for (;;) {
        struct slice line;
        struct http_header header;
        enum http_line found = http_line_next(input, at, &line);

        if (found == HTTP_LINE_INCOMPLETE)
            return HTTP_FIELDS_INCOMPLETE;
        if (found == HTTP_LINE_MALFORMED) {
            *reason = "line not ended by CRLF";
            return HTTP_FIELDS_MALFORMED;
        }
        if (line.size == 0)
            return HTTP_FIELDS_END;
        if (!http_header_parse(line, &header, reason))
            return HTTP_FIELDS_MALFORMED;
        if ((http_field_bit(header.field) & singles & *seen) != 0) {
            *reason = "header that may not be repeated";
            return HTTP_FIELDS_MALFORMED;
        }
        if (*count == HTTP_HEADERS_MAX) {
            *reason = "too many headers";
            return HTTP_FIELDS_TOO_MANY;
        }
        *seen |= http_field_bit(header.field);
        headers[(*count)++] = header;
    }
}

bool http_length_parse(struct slice value, uint64_t *out)
{
    uint64_t length = 0;

    if (value.size == 0 || value.size > CONTENT_LENGTH_DIGITS)
        return false;
    for (size_t i = 0; i < value.size; i++) {
        if (!http_char_is(value.data[i], HTTP_CHAR_DIGIT))
            return false;
        length = length * 10 + (uint64_t)(value.data[i] - '0');
    }
    *out = length;
    return true;
}

bool http_list_next(struct slice *rest, struct slice *element)
{
    while (rest->size > 0) {
        const char *comma = memchr(rest->data, ',', rest->size);
        size_t size = comma == NULL ? rest->size : (size_t)(comma - rest->data);

        *element = http_trim(slice_make(rest->data, size));
        *rest = slice_skip(*rest, comma == NULL ? size : size + 1);
        if (element->size > 0)
            return true;
    }
    return false;
}

void http_connection_read(struct slice value, bool *close, bool *keep_alive)
{
    struct slice option;

    while (http_list_next(&value, &option)) {
        if (slice_equal_nocase(option, slice_from("close")))
            *close = true;
        else if (slice_equal_nocase(option, slice_from("keep-alive")))
            *keep_alive = true;
    }
}

const struct http_header *http_find(const struct http_header *headers, size_t count,
                                    enum http_field field)
{
    for (size_t i = 0; i < count; i++) {
        if (headers[i].field == field)
            return &headers[i];
    }
    return NULL;
}

bool http_connection_names(const struct http_header *headers, size_t count, struct slice name)
{
    for (size_t i = 0; i < count; i++) {
        struct slice rest = headers[i].value;
        struct slice option;

        if (headers[i].field != HTTP_CONNECTION)
            continue;
        while (http_list_next(&rest, &option)) {
            if (slice_equal_nocase(option, name))
                return true;
        }
    }
    return false;
}
