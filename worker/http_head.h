/* http_head.h: strict parsing of HTTP/1.1 heads (RFC 9112). Pure: no I/O, no allocation.
 *
 * Called with what a connection has read so far. Slices are borrowed from that input. Refuses what
 * smuggling needs: both lengths, repeated or odd lengths, any transfer coding but one final
 * `chunked`, bare CR or LF, obs-fold, white space before a colon, two Hosts, NUL and other control
 * characters. Bodies are http_chunk.h's.
 */
#ifndef GATEHOUSE_WORKER_HTTP_HEAD_H
#define GATEHOUSE_WORKER_HTTP_HEAD_H

#include "shared/slice.h"

#include <stdint.h>

enum { HTTP_HEADERS_MAX = 100, HTTP_TARGET_MAX = 8192 };

/* Field names that Gatehouse acts on; every other is HTTP_OTHER. */
enum http_field {
    HTTP_OTHER,
    HTTP_ACCEPT,
    HTTP_ACCEPT_ENCODING,
    HTTP_AUTHORIZATION,
    HTTP_CONNECTION,
    HTTP_CONTENT_ENCODING,
    HTTP_CONTENT_LENGTH,
    HTTP_CONTENT_TYPE,
    HTTP_COOKIE,
    HTTP_DATE,
    HTTP_DPOP,
    HTTP_EXPECT,
    HTTP_FORWARDED,
    HTTP_GATEHOUSE, /* any name that begins "gatehouse-": ours, stripped both ways */
    HTTP_HOST,
    HTTP_KEEP_ALIVE,
    HTTP_LAST_EVENT_ID,
    HTTP_LOCATION,
    HTTP_MCP_METHOD,
    HTTP_MCP_NAME,
    HTTP_MCP_PROTOCOL_VERSION,
    HTTP_MCP_SESSION_ID,
    HTTP_ORIGIN,
    HTTP_PROXY_AUTHENTICATE,
    HTTP_PROXY_AUTHORIZATION,
    HTTP_PROXY_CONNECTION,
    HTTP_RETRY_AFTER,
    HTTP_SERVER,
    HTTP_SET_COOKIE,
    HTTP_TE,
    HTTP_TRAILER,
    HTTP_TRANSFER_ENCODING,
    HTTP_UPGRADE,
    HTTP_WWW_AUTHENTICATE,
    HTTP_X_FORWARDED, /* any name that begins "x-forwarded-", and x-real-ip */
    HTTP_FIELDS
};

struct http_header {
    enum http_field field;
    struct slice name;  /* a token, as written */
    struct slice value; /* without surrounding white space */
};

enum http_body { HTTP_BODY_NONE, HTTP_BODY_LENGTH, HTTP_BODY_CHUNKED, HTTP_BODY_UNTIL_CLOSE };

enum http_method {
    HTTP_METHOD_OTHER, /* a legal token that is none of these */
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_CONNECT,
    HTTP_TRACE,
};

struct http_request {
    enum http_method method;
    struct slice method_text;
    struct slice target; /* origin-form or "*", as written; an absolute-form's path and query */
    struct slice path;   /* without the query, not decoded */
    struct slice query;  /* without '?', and empty when there is none */
    struct slice host;   /* of Host, or of an absolute-form target (RFC 9112, 3.2.2) */
    int minor_version;   /* 0 or 1 */
    enum http_body body;
    uint64_t content_length; /* when body is HTTP_BODY_LENGTH */
    bool keep_alive;
    bool expect_continue;
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t header_count;
};

struct http_response {
    unsigned status; /* 100 to 599 */
    struct slice reason;
    int minor_version;
    enum http_body body; /* for a request that was not HEAD */
    uint64_t content_length;
    bool keep_alive;
    unsigned keep_alive_timeout; /* seconds of `Keep-Alive: timeout=`; 0 when absent */
    bool event_stream;           /* Content-Type is text/event-stream */
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t header_count;
};

/* > 0: the head's size in bytes, *out is filled. 0: incomplete. < 0: minus the HTTP status to
 * answer (400, 414, 417, 431, 501, 505), after which the connection closes; *reason is a literal.
 * `limit`: bytes of the largest head taken; longer, or still incomplete at the limit, is 431.
 * Leading empty lines (at most one CRLF, RFC 9112, 2.2) count as part of the head. */
long http_request_parse(struct slice input, size_t limit, struct http_request *out,
                        const char **reason);

/* > 0: size; 0: incomplete; -1: not a response that may be forwarded; *reason is a literal. Interim
 * responses (1xx) are returned like others: the caller skips them. */
long http_response_parse(struct slice input, size_t limit, struct http_response *out,
                         const char **reason);

/* The first header of that field; NULL when there is none. Not for HTTP_OTHER. */
const struct http_header *http_find(const struct http_header *headers, size_t count,
                                    enum http_field field);

/* Whether a header of that name (any case) is named by a `Connection` header (RFC 9110, 7.6.1). */
bool http_connection_names(const struct http_header *headers, size_t count, struct slice name);

/* The token of `Authorization: Bearer <b64token>` (RFC 6750, 2.1; the scheme in any case).
 * 1 with a token; 0 when there is no Authorization, or another scheme; -400 when it is malformed or
 * there are two. The token's own characters are for http_is_b64token: a token that opens a session
 * was read before, and need not be looked at again. */
int http_bearer(const struct http_request *request, struct slice *token);
bool http_is_b64token(struct slice text);

/* A legal field name or value to send: for header rules of documents. */
bool http_is_token(struct slice text);
bool http_is_field_value(struct slice text);

#endif
