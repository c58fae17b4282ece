/* key_fetch.h: fetches of key sets over HTTP, a bounded number at a time.
 *
 * Called by key_refresh.c. Strict: https verified against the system's bundle, or http where the
 * caller allows it; only status 200, or 304 when asked conditionally; size, time and redirects are
 * bounded, redirects stay within the origin; link-local, metadata, multicast and unspecified
 * addresses are refused at connect. Private addresses are allowed where the configured URL names
 * the host. Never reads what it fetched.
 */
#ifndef GATEHOUSE_CONF_KEY_FETCH_H
#define GATEHOUSE_CONF_KEY_FETCH_H

#include "shared/slice.h"

#include <stdint.h>

enum {
    KEY_FETCH_REDIRECTS_MAX = 3,
    KEY_FETCH_RUNNING_MAX = 32,
    KEY_FETCH_VALIDATOR_MAX = 256, /* bytes; longer ones are not used */
};

struct ev_loop;
struct key_fetcher;
struct key_fetch;

/* What the server said of the set that is here (RFC 9110, 8.8); empty: nothing. */
struct key_fetch_validators {
    struct slice etag;
    struct slice modified; /* Last-Modified */
};

struct key_fetch_request {
    struct slice url;
    struct key_fetch_validators validators; /* ask for it only if it changed */
    bool insecure;                          /* http to other than loopback is allowed */
    bool public_only;  /* nobody configured this host: private addresses are refused, too */
    uint64_t timeout;  /* milliseconds, from its start to the last byte, redirects included */
    uint64_t size_max; /* bytes */
};

struct key_fetch_result {
    struct slice body;  /* borrowed for the call; empty when it failed or is unchanged */
    bool unchanged;     /* 304: what the request's validators name is still good */
    const char *failed; /* NULL, or why; borrowed for the call */
    long status;        /* of the last response; 0: there was none */
    int64_t max_age;    /* of Cache-Control, less Age, seconds; -1: it says nothing */
    struct key_fetch_validators validators; /* borrowed for the call */
};

/* Called once, from the loop, unless the fetch was cancelled. The fetch is over. */
typedef void (*key_fetch_done)(void *context, const struct key_fetch_result *result);

int key_fetcher_open(struct key_fetcher **out, struct ev_loop *loop);
/* Cancels all. NULL is ignored. */
void key_fetcher_close(struct key_fetcher *fetcher);

/* Copies the request. 0; -EINVAL when the URL may not be fetched; -ENOMEM. */
int key_fetch_start(struct key_fetcher *fetcher, const struct key_fetch_request *request,
                    key_fetch_done done, void *context, struct key_fetch **out);
void key_fetch_cancel(struct key_fetch *fetch); /* NULL is ignored */

#endif
