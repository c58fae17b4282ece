#include "worker/route.h"

#include "shared/uri.h"

#define ROUTE_APPS "/mcp/apps/"
#define ROUTE_WELL_KNOWN "/.well-known/oauth-protected-resource"

enum { ROUTE_HOST_MAX = 253 }; /* of a DNS name (RFC 1035, 2.3.4) */

/* Host without its port, brackets, and one trailing dot. *ip: an IP literal. */
static struct slice route_host_name(struct slice host, bool *ip)
{
    const char *colon;
    size_t digits = 0;

    *ip = false;
    if (host.size > 0 && host.data[0] == '[') {
        *ip = true;
        return host;
    }
    colon = host.size == 0 ? NULL : memchr(host.data, ':', host.size);
    if (colon != NULL)
        host.size = (size_t)(colon - host.data);
    if (host.size > 1 && host.data[host.size - 1] == '.')
        host.size--;
    while (digits < host.size &&
           ((host.data[digits] >= '0' && host.data[digits] <= '9') || host.data[digits] == '.'))
        digits++;
    /* No top-level domain is all digits: such a host can only be an IPv4 address. */
    *ip = digits == host.size;
    return host;
}

/* An empty host (HTTP/1.0) and an IP address count as the gate. */
static bool route_is_gate(struct slice name, bool ip, const struct route_hosts *hosts)
{
    if (ip || slice_equal_nocase(name, hosts->own) ||
        slice_equal_nocase(name, slice_from("localhost")))
        return true;
    for (size_t i = 0; i < hosts->more_count; i++) {
        if (slice_equal_nocase(name, hosts->more[i]))
            return true;
    }
    return false;
}

/* "/mcp/apps/<app>", with one more '/' or not. */
static bool route_app(struct slice path, struct slice *app)
{
    struct slice prefix = slice_from(ROUTE_APPS);
    struct slice rest;

    if (!slice_has_prefix(path, prefix))
        return false;
    rest = slice_skip(path, prefix.size);
    if (rest.size > 1 && rest.data[rest.size - 1] == '/')
        rest.size--;
    if (!uri_is_dns_label(rest))
        return false;
    *app = rest;
    return true;
}

static enum route_kind route_admin(struct slice path)
{
    if (slice_is(path, "/livez"))
        return ROUTE_LIVEZ;
    if (slice_is(path, "/readyz"))
        return ROUTE_READYZ;
    return slice_is(path, "/metrics") ? ROUTE_METRICS : ROUTE_NONE;
}

/* Cuts a suffix off; no app's name holds a '/'. */
static bool route_suffix(struct slice *path, const char *suffix)
{
    size_t size = strlen(suffix);

    if (path->size <= size || memcmp(path->data + path->size - size, suffix, size) != 0)
        return false;
    path->size -= size;
    return true;
}

/* Where old clients go, under the name of an app of its own. */
static enum route_old route_old(struct slice path)
{
    if (slice_is(path, "/sse"))
        return ROUTE_OLD_STREAM;
    return slice_is(path, "/sse/message") ? ROUTE_OLD_MESSAGE : ROUTE_OLD_NONE;
}

static enum route_kind route_gate(struct route *route, struct slice path)
{
    struct slice well_known = slice_from(ROUTE_WELL_KNOWN);
    struct slice old = path;

    if (route_suffix(&old, "/sse"))
        route->old = ROUTE_OLD_STREAM;
    else if (route_suffix(&old, "/sse/message"))
        route->old = ROUTE_OLD_MESSAGE;
    if (route->old != ROUTE_OLD_NONE && route_app(old, &route->app))
        return ROUTE_MCP;
    route->old = ROUTE_OLD_NONE;

    if (route_app(path, &route->app))
        return ROUTE_MCP;
    if (slice_has_prefix(path, well_known) &&
        route_app(slice_skip(path, well_known.size), &route->app))
        return ROUTE_METADATA;
    return ROUTE_NONE;
}

static void route_host(struct route *route, struct slice name)
{
    if (name.size > ROUTE_HOST_MAX)
        return;
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];

        route->host[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
    }
    route->host[name.size] = '\0';
    route->host_size = name.size;
    route->kind = ROUTE_HOST;
}

void route_find(struct route *route, const struct http_request *request,
                const struct route_hosts *hosts, bool admin)
{
    bool ip;
    struct slice name = route_host_name(request->host, &ip);

    route->kind = ROUTE_NONE;
    route->old = ROUTE_OLD_NONE;
    route->app = slice_make(NULL, 0);
    route->host[0] = '\0';
    route->host_size = 0;
    if (admin)
        route->kind = route_admin(request->path);
    else if (route_is_gate(name, ip, hosts))
        route->kind = route_gate(route, request->path);
    else
        route_host(route, name);
    if (route->kind == ROUTE_HOST)
        route->old = route_old(request->path);
}
