/* uri.h: URIs of upstreams, key sets and the gate itself (RFC 3986), http-shaped only. Pure.
 *
 * Strict: a scheme, an authority without user information, a host that is a DNS name or an IP
 * literal, an optional port 1 to 65535, a path and query of legal characters, no fragment.
 */
#ifndef GATEHOUSE_SHARED_URI_H
#define GATEHOUSE_SHARED_URI_H

#include "shared/slice.h"

#include <stdint.h>

enum { URI_MAX = 2048 };

struct uri {
    struct slice scheme; /* as written, such as "mcp+http"; compare without case */
    struct slice host;   /* without brackets */
    bool host_is_ip;
    uint16_t port; /* as written, or the scheme's: ...http 80, ...https 443 */
    bool port_given;
    struct slice path;  /* as written; empty when absent */
    struct slice query; /* without '?' */
    bool tls;           /* scheme ends in "https" */
};

/* 0, or -EINVAL with *reason (a literal). Slices are borrowed from text. */
int uri_parse(struct slice text, struct uri *out, const char **reason);

/* 127.0.0.0/8, ::1, and the name localhost. */
bool uri_is_loopback(const struct uri *uri);

/* A DNS name of at most 253 characters: labels of letters, digits, '-' (and '_'). */
bool uri_is_dns_name(struct slice host);
/* One DNS label, lower case: what an app's name must be. */
bool uri_is_dns_label(struct slice name);

#endif
