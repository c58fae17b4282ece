/* cors.h: which pages of browsers may talk to an MCP app, and how they are told (Fetch, CORS).
 * Pure.
 *
 * A browser sends Origin with what a page asks for. MCP demands that it is checked (2025-11-25,
 * transports): a page of a stranger must not reach a server through its visitor's browser, even
 * when a name was rebound to an address of ours. Checked before authentication.
 */
#ifndef GATEHOUSE_WORKER_CORS_H
#define GATEHOUSE_WORKER_CORS_H

#include "shared/buffer.h"
#include "shared/settings.h"
#include "worker/http_head.h"

enum cors_verdict {
    CORS_NONE,    /* no Origin, or the host that was asked: nothing to say */
    CORS_ALLOWED, /* *origin is to be told */
    CORS_REFUSED,
};

/* `origin` is borrowed from the request. */
enum cors_verdict cors_judge(const struct settings *settings, const struct http_request *request,
                             struct slice *origin);

/* Whether the request asks what a page may send, rather than sends it. */
bool cors_is_preflight(const struct http_request *request);

/* Appends header lines: that pages of `origin` may read the answer and MCP's headers in it. Nothing
 * for an empty origin. 0 or -ENOMEM. */
int cors_append(struct buffer *out, struct slice origin);
/* Appends a whole answer to a preflight. `methods` as in Allow. 0 or -ENOMEM. */
int cors_append_preflight(struct buffer *out, const struct http_request *request,
                          struct slice origin, const char *methods, bool close);

/* Whether a server's response header is about CORS, which is the gate's to say. */
bool cors_is_header(struct slice name);

#endif
