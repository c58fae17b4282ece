/* location.h: where a web app's answers send its clients (RFC 9110, 10.2.2). Pure.
 *
 * A web app that builds whole URLs from the Host that it was asked for names its endpoint, which no
 * client can reach, nor shall know. Called by forward.c. Follows nothing, and leaves other origins
 * as they are.
 */
#ifndef GATEHOUSE_WORKER_LOCATION_H
#define GATEHOUSE_WORKER_LOCATION_H

#include "shared/app_record.h"

/* What such a URL becomes: first + rest, a path on the origin that the client asked. */
struct location {
    const char *first; /* a literal, perhaps empty */
    struct slice rest; /* borrowed from the value */
};

/* false: the value names no origin, another than the endpoint's, or what is no URL, and goes on as
 * it is. */
bool location_rebase(struct slice value, const struct app_endpoint *endpoint,
                     struct location *location);

#endif
