/* bridge_reference.h: where a server of HTTP+SSE (2024-11-05) wants its messages: the data of its
 * `endpoint` event, against the URL that it was asked at. Pure.
 *
 * Only within the same origin: what a server says must not lead the gateway, with what it sends on
 * behalf of a user, to another one.
 */
#ifndef GATEHOUSE_WORKER_BRIDGE_REFERENCE_H
#define GATEHOUSE_WORKER_BRIDGE_REFERENCE_H

#include "shared/buffer.h"

#include <stdint.h>

struct bridge_origin {
    bool tls;
    struct slice host; /* without brackets */
    uint16_t port;
    struct slice path; /* with its query; of the URL that was asked at */
};

/* Appends path and query to `out`. 0, -ENOMEM, or -EINVAL with *reason (a literal). */
int bridge_reference_resolve(const struct bridge_origin *base, struct slice text,
                             struct buffer *out, const char **reason);

#endif
