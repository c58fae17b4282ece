#include "conf/discovery.h"

#include "shared/json.h"
#include "shared/uri.h"

#include <errno.h>

static bool uri_is_plain(const struct uri *uri)
{
    return slice_equal_nocase(uri->scheme, slice_from("http"));
}

const char *discovery_refused(struct slice issuer, bool insecure)
{
    const char *reason;
    struct uri uri;

    if (uri_parse(issuer, &uri, &reason) != 0)
        return "the issuer is no URL";
    if (uri.query.size > 0 || memchr(issuer.data, '?', issuer.size) != NULL)
        return "the issuer's URL has a query";
    if (slice_equal_nocase(uri.scheme, slice_from("https")))
        return NULL;
    if (!uri_is_plain(&uri))
        return "the issuer is no https URL";
    return insecure || uri_is_loopback(&uri) ? NULL : "the issuer's URL is plain http";
}

int discovery_url(struct slice issuer, enum discovery_form form, struct buffer *out)
{
    const char *reason;
    struct uri uri;
    size_t origin;
    int status;

    if (uri_parse(issuer, &uri, &reason) != 0)
        return -EINVAL;
    /* "Any terminating / MUST be removed" (OpenID Connect Discovery 1.0, 4.1; RFC 8414, 3.1). */
    if (issuer.data[issuer.size - 1] == '/') {
        issuer.size--;
        uri.path.size--;
    }
    origin = issuer.size - uri.path.size;
    if (form == DISCOVERY_OPENID) {
        status = buffer_append_slice(out, issuer);
        return status < 0 ? status : buffer_append_text(out, "/.well-known/openid-configuration");
    }
    status = buffer_append(out, issuer.data, origin);
    if (status == 0)
        status = buffer_append_text(out, "/.well-known/oauth-authorization-server");
    return status < 0 ? status : buffer_append_slice(out, slice_skip(issuer, origin));
}

/* NULL, or why the keys are not fetched from there. */
static const char *jwks_uri_refused(struct slice text, struct slice issuer, bool *other_host)
{
    const char *reason;
    struct uri from;
    struct uri uri;

    if (uri_parse(text, &uri, &reason) != 0 || uri_parse(issuer, &from, &reason) != 0)
        return "its jwks_uri is no URL";
    *other_host = !slice_equal_nocase(uri.host, from.host);
    if (slice_equal_nocase(uri.scheme, slice_from("https")))
        return NULL;
    if (uri_is_plain(&uri) && uri_is_loopback(&uri) && uri_is_plain(&from) &&
        uri_is_loopback(&from))
        return NULL;
    return "its jwks_uri is not https";
}

/* Decodes the string into `out`. 0, -EINVAL or -ENOMEM. */
static int jwks_uri_read(const struct json_value *value, struct discovery *out)
{
    char uri[URI_MAX];
    long size = json_string(value, uri, sizeof(uri));

    if (size <= 0)
        return -EINVAL;
    if (buffer_append(&out->text, uri, (size_t)size) != 0)
        return -ENOMEM;
    out->jwks_uri = buffer_slice(&out->text);
    return 0;
}

int discovery_read(struct slice text, struct slice issuer, struct discovery *out,
                   const char **reason)
{
    static const char *const names[] = {"issuer", "jwks_uri"};
    struct json_value found[2];
    struct json_value root;
    int status;

    memset(out, 0, sizeof(*out));
    if (json_parse(text, &root, reason) != 0)
        return -EINVAL;
    *reason = "it is no JSON object with each member once";
    if (json_members(&root, names, 2, found) != 0)
        return -EINVAL;
    *reason = "its issuer is not the config's, byte for byte";
    if (found[0].kind != JSON_STRING || !json_string_is(&found[0], issuer))
        return -EINVAL;
    *reason = "it names no jwks_uri";
    status = found[1].kind == JSON_STRING ? jwks_uri_read(&found[1], out) : -EINVAL;
    if (status == 0) {
        *reason = jwks_uri_refused(out->jwks_uri, issuer, &out->other_host);
        status = *reason == NULL ? 0 : -EINVAL;
    }
    return status;
}

void discovery_free(struct discovery *discovery)
{
    buffer_free(&discovery->text);
    memset(discovery, 0, sizeof(*discovery));
}
