/* key_fetch.h: fetches of key sets over HTTP, a bounded number at a time. The only file that knows
 * <curl/curl.h>.
 *
 * Called by key_refresh.c. Strict: https verified against the system's bundle, or http where the
 * caller allows it; only status 200; size, time and redirects are bounded, redirects stay within
 * the origin; no proxy, cookie, netrc or other protocol; link-local, metadata, multicast and
 * unspecified addresses are refused at connect. Private addresses are allowed, since every
 * connection is to the host that the configured URL names. Never reads what it fetched.
 */
#ifndef GATEHOUSE_CONF_KEY_FETCH_H
#define GATEHOUSE_CONF_KEY_FETCH_H

#include "shared/slice.h"

#include <stdint.h>

enum { KEY_FETCH_REDIRECTS_MAX = 3, KEY_FETCH_RUNNING_MAX = 32 };

struct ev_loop;
struct key_fetcher;
struct key_fetch;

struct key_fetch_request {
    struct slice url;
    bool insecure;     /* http to other than loopback is allowed */
    uint64_t timeout;  /* milliseconds, from its start to the last byte, redirects included */
    uint64_t size_max; /* bytes */
};

struct key_fetch_result {
    struct slice body;  /* borrowed for the call; empty when it failed */
    const char *failed; /* NULL, or why; borrowed for the call */
    int64_t max_age;    /* of Cache-Control, seconds; -1: it says nothing */
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
