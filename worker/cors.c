#include "worker/cors.h"

#include "shared/clock.h"
#include "worker/http_date.h"
#include "worker/http_field.h"

/* Names that pages send to MCP servers, written out: `*` does not cover Authorization. */
#define CORS_HEADERS                                                                             \
    "Authorization, Content-Type, Accept, Mcp-Session-Id, MCP-Protocol-Version, Last-Event-ID, " \
    "Mcp-Method, Mcp-Name"
#define CORS_PARAMETER "mcp-param-"
#define CORS_PREFIX "access-control-"

/* One request is seldom followed by another within seconds; a changed list counts within minutes.
 */
#define CORS_MAX_AGE "600"

static const struct http_header *cors_find(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (slice_equal_nocase(request->headers[i].name, slice_from(name)))
            return &request->headers[i];
    }
    return NULL;
}

/* scheme "://" and then the host that the request was sent to, which was checked before. */
static bool cors_is_own(struct slice origin, struct slice host)
{
    struct slice schemes[] = {slice_from("https://"), slice_from("http://")};

    for (size_t i = 0; i < 2; i++) {
        if (slice_has_prefix(origin, schemes[i]))
            return host.size > 0 && slice_equal_nocase(slice_skip(origin, schemes[i].size), host);
    }
    return false;
}

enum cors_verdict cors_judge(const struct settings *settings, const struct http_request *request,
                             struct slice *origin)
{
    const struct http_header *header =
        http_find(request->headers, request->header_count, HTTP_ORIGIN);

    *origin = slice_make(NULL, 0);
    if (header == NULL)
        return CORS_NONE;
    /* Told like any page that may talk to apps: a preflight is then answered, whoever sends it. */
    if (slice_equal(header->value, settings->public_addr)) {
        *origin = header->value;
        return CORS_ALLOWED;
    }
    if (cors_is_own(header->value, request->host))
        return CORS_NONE;
    *origin = header->value;
    for (size_t i = 0; i < settings->allowed_origin_count; i++) {
        if (slice_equal(header->value, settings->allowed_origins[i]))
            return CORS_ALLOWED;
    }
    return CORS_REFUSED;
}

bool cors_is_preflight(const struct http_request *request)
{
    return request->method == HTTP_OPTIONS &&
           http_find(request->headers, request->header_count, HTTP_ORIGIN) != NULL &&
           cors_find(request, "Access-Control-Request-Method") != NULL;
}

static int cors_append_origin(struct buffer *out, struct slice origin)
{
    int error = buffer_append_text(out, "Access-Control-Allow-Origin: ");

    if (error == 0)
        error = buffer_append_slice(out, origin);
    return error == 0 ? buffer_append_text(out, "\r\nVary: Origin\r\n") : error;
}

int cors_append(struct buffer *out, struct slice origin)
{
    int error;

    if (origin.size == 0)
        return 0;
    error = cors_append_origin(out, origin);
    if (error != 0)
        return error;
    return buffer_append_text(out, "Access-Control-Expose-Headers: Mcp-Session-Id, "
                                   "WWW-Authenticate, MCP-Protocol-Version\r\n");
}

/* Which Mcp-Param-* there are the app's tools decide: those that were asked for. */
static int cors_append_parameters(struct buffer *out, const struct http_request *request)
{
    const struct http_header *asked = cors_find(request, "Access-Control-Request-Headers");
    struct slice prefix = slice_from(CORS_PARAMETER);
    struct slice rest, name;
    int error = 0;

    if (asked == NULL)
        return 0;
    rest = asked->value;
    while (error == 0 && http_list_next(&rest, &name)) {
        if (name.size <= prefix.size || strncasecmp(name.data, prefix.data, prefix.size) != 0 ||
            !http_is_token(name))
            continue;
        error = buffer_append_text(out, ", ");
        if (error == 0)
            error = buffer_append_slice(out, name);
    }
    return error;
}

int cors_append_preflight(struct buffer *out, const struct http_request *request,
                          struct slice origin, const char *methods, bool close)
{
    char date[HTTP_DATE_SIZE];
    int error;

    http_date(clock_wall_seconds(), date);
    error = buffer_append_format(out, "HTTP/1.1 204 No Content\r\nDate: %s\r\n", date);
    if (error == 0)
        error = cors_append_origin(out, origin);
    if (error == 0)
        error = buffer_append_format(out,
                                     "Access-Control-Allow-Methods: %s\r\n"
                                     "Access-Control-Max-Age: " CORS_MAX_AGE "\r\n"
                                     "Access-Control-Allow-Headers: " CORS_HEADERS,
                                     methods);
    if (error == 0)
        error = cors_append_parameters(out, request);
    return error == 0
               ? buffer_append_text(out, close ? "\r\nConnection: close\r\n\r\n" : "\r\n\r\n")
               : error;
}

bool cors_is_header(struct slice name)
{
    struct slice prefix = slice_from(CORS_PREFIX);

    return name.size > prefix.size && strncasecmp(name.data, prefix.data, prefix.size) == 0;
}
