/* http_field.h: fields of a head: character classes, names, lines. Pure.
 *
 * What the request and the response parser, and the chunk decoder's trailers, have in common. Other
 * files of the worker use http_head.h.
 */
#ifndef GATEHOUSE_WORKER_HTTP_FIELD_H
#define GATEHOUSE_WORKER_HTTP_FIELD_H

#include "worker/http_head.h"

/* Classes of a byte, as bits. */
enum {
    HTTP_CHAR_TOKEN = 1, /* tchar (RFC 9110, 5.6.2) */
    HTTP_CHAR_VALUE = 2, /* field-vchar, SP and HTAB (RFC 9110, 5.5) */
    HTTP_CHAR_PATH = 4,  /* of a path, as browsers send it */
    HTTP_CHAR_QUERY = 8, /* of a query, as browsers send it */
    HTTP_CHAR_HOST = 16, /* unreserved: of a DNS name (RFC 3986, 2.3) */
    HTTP_CHAR_B64 = 32,  /* of a b64token (RFC 6750, 2.1), but '=' */
    HTTP_CHAR_DIGIT = 64,
    HTTP_CHAR_HEX = 128,
};

extern const unsigned char http_char_classes[256];

static inline bool http_char_is(char c, unsigned classes)
{
    return (http_char_classes[(unsigned char)c] & classes) != 0;
}

/* Whether every byte is of one of the classes; true for an empty text. */
bool http_chars_are(struct slice text, unsigned classes);

enum http_field http_field_of(struct slice name);

enum http_line { HTTP_LINE_INCOMPLETE, HTTP_LINE_FOUND, HTTP_LINE_MALFORMED };

/* The line that begins at input[*at], without its CRLF; *at moves behind it. MALFORMED: a bare LF.
 * Other control characters are for the caller to refuse. */
enum http_line http_line_next(struct slice input, size_t *at, struct slice *line);

/* Splits a field line. false with *reason when it is none; `line` is not empty. */
bool http_header_parse(struct slice line, struct http_header *out, const char **reason);

/* Calls of a head's fields until the empty line. */
enum http_fields_result {
    HTTP_FIELDS_INCOMPLETE,
    HTTP_FIELDS_END,
    HTTP_FIELDS_MALFORMED,
    HTTP_FIELDS_TOO_MANY,
};

/* Parses field lines from input[*at] into headers[0..HTTP_HEADERS_MAX) up to the empty line; *at
 * moves behind that. *seen gets the bit 1 << field of every known field; of `singles`, none may
 * come twice. */
enum http_fields_result http_fields_parse(struct slice input, size_t *at, uint64_t singles,
                                          struct http_header *headers, size_t *count,
                                          uint64_t *seen, const char **reason);

static inline uint64_t http_field_bit(enum http_field field)
{
    return UINT64_C(1) << field;
}

/* Content-Length's value: digits alone. false when it is anything else or absurdly large. */
bool http_length_parse(struct slice value, uint64_t *out);

/* The next element of a comma-separated list, without white space and never empty; false at the
 * end. `rest` moves behind it. */
bool http_list_next(struct slice *rest, struct slice *element);

/* Reads a Connection header's value: *close becomes true when it says so, *keep_alive likewise; one
 * "close" is enough, whatever else the head's Connection headers say (RFC 9112, 9.3). */
void http_connection_read(struct slice value, bool *close, bool *keep_alive);

/* `text` without SP and HTAB at its ends. */
struct slice http_trim(struct slice text);

#endif
