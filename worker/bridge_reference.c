#include "worker/bridge_reference.h"

#include "shared/uri.h"

#include <errno.h>

static int reference_refuse(const char **reason, const char *why)
{
    *reason = why;
    return -EINVAL;
}

/* What can stand in a request line; a fragment cannot. */
static bool reference_is_legal(struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] <= ' ' || text.data[i] > '~' || text.data[i] == '#' ||
            text.data[i] == '\\')
            return false;
    }
    return text.size > 0 && text.size <= URI_MAX;
}

static int reference_absolute(const struct bridge_origin *base, struct slice text,
                              struct buffer *out, const char **reason)
{
    struct uri uri;
    int error;

    if (uri_parse(text, &uri, reason) != 0)
        return -EINVAL;
    if (!slice_equal_nocase(uri.scheme, slice_from(base->tls ? "https" : "http")) ||
        !slice_equal_nocase(uri.host, base->host) || uri.port != base->port)
        return reference_refuse(reason, "its endpoint is of another origin");
    error = buffer_append_slice(out, uri.path.size == 0 ? slice_from("/") : uri.path);
    if (error == 0 && uri.query.size > 0)
        error = buffer_append_text(out, "?");
    return error == 0 ? buffer_append_slice(out, uri.query) : error;
}

/* Whether it begins with a scheme (RFC 3986, 4.2: a relative path has no ':' in its first part). */
static bool reference_has_scheme(struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == ':')
            return true;
        if (text.data[i] == '/' || text.data[i] == '?')
            return false;
    }
    return false;
}

int bridge_reference_resolve(const struct bridge_origin *base, struct slice text,
                             struct buffer *out, const char **reason)
{
    struct slice path = base->path;
    const char *query = path.size == 0 ? NULL : memchr(path.data, '?', path.size);
    int error;

    if (!reference_is_legal(text))
        return reference_refuse(reason, "its endpoint is no reference");
    if (reference_has_scheme(text))
        return reference_absolute(base, text, out, reason);
    if (text.size > 1 && text.data[0] == '/' && text.data[1] == '/')
        return reference_refuse(reason, "its endpoint is of another origin");
    if (text.data[0] == '/')
        return buffer_append_slice(out, text);
    /* RFC 3986, 5.2.3: in the place of what follows the last '/'; a query alone keeps the path. */
    if (query != NULL)
        path.size = (size_t)(query - path.data);
    while (text.data[0] != '?' && path.size > 0 && path.data[path.size - 1] != '/')
        path.size--;
    error = buffer_append_slice(out, path.size == 0 ? slice_from("/") : path);
    return error == 0 ? buffer_append_slice(out, text) : error;
}
