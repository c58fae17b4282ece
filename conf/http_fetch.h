/* http_fetch.h: one HTTP request and what comes back, from the watcher's loop. The only file that
 * knows <curl/curl.h>.
 *
 * Called by key_fetch.c and probe_http.c, which say what may be asked and judge the answer. A
 * connection of its own for each fetch, closed at its end; no proxy, cookie, netrc or alternative
 * service; no redirect is followed; heads beyond HTTP_FETCH_HEAD_MAX are an error; the body passes
 * through the caller's hands and is kept nowhere. Never blocks on the network.
 */
#ifndef GATEHOUSE_CONF_HTTP_FETCH_H
#define GATEHOUSE_CONF_HTTP_FETCH_H

#include "shared/slice.h"

#include <stdint.h>
#include <sys/socket.h>

enum { HTTP_FETCH_HEAD_MAX = 64 * 1024 }; /* bytes: no server that means well sends more */

struct ev_loop;
struct http_fetcher;
struct http_fetch;

struct http_fetch_request {
    const char *url;
    const char *method; /* NULL: POST with a body, else GET */
    const char *body;   /* borrowed until the end; NULL: none */
    const char *user_agent;
    int64_t timeout;     /* milliseconds, from the start to the last byte */
    struct slice ca_pem; /* whose certificates are believed; empty: the system's bundle */
    bool unverified;     /* any certificate is */
    bool plain;          /* http is allowed, besides https */
    bool single;         /* one connection at a time: not IPv6 and IPv4 side by side; HTTP/1.1 */
    /* Whether an address may be connected to; NULL: all may. */
    bool (*admits)(void *context, const struct sockaddr *address, socklen_t size);
    /* A part of the body; false: enough, the fetch ends as HTTP_FETCH_STOPPED. */
    bool (*take)(void *context, struct slice part);
    void *context;
};

enum http_fetch_outcome {
    HTTP_FETCH_WHOLE,       /* the response ended as its head said */
    HTTP_FETCH_STOPPED,     /* `take` had enough */
    HTTP_FETCH_LATE,        /* no end within the timeout */
    HTTP_FETCH_UNCONNECTED, /* no connection */
    HTTP_FETCH_FAILED,      /* anything else */
};

struct http_fetch_result {
    enum http_fetch_outcome outcome;
    long status;          /* of the response; 0: there was none */
    const char *failure;  /* in words, unless it is whole; borrowed for the call, as is the next */
    const char *redirect; /* where the response points to, or NULL */
};

/* Called once, from the loop, unless the fetch was cancelled; it is gone afterwards, and may not be
 * cancelled meanwhile. */
typedef void (*http_fetch_done)(void *context, const struct http_fetch *fetch,
                                const struct http_fetch_result *result);

int http_fetcher_open(struct http_fetcher **out, struct ev_loop *loop);
/* Every fetch is over, or was cancelled. NULL is ignored. */
void http_fetcher_close(struct http_fetcher *fetcher);

/* A fetch that does not run yet. NULL: no memory. */
struct http_fetch *http_fetch_make(struct http_fetcher *fetcher, http_fetch_done done);
/* A line of the request's head. false: no memory, or nothing that could stand in a head. */
bool http_fetch_header(struct http_fetch *fetch, const char *name, struct slice value);
/* Where the URL's host is: nobody else is asked. */
bool http_fetch_addresses(struct http_fetch *fetch, struct slice host, uint16_t port,
                          const struct slice *addresses, size_t count);
/* false: it does not run. */
bool http_fetch_start(struct http_fetch *fetch, const struct http_fetch_request *request);
void http_fetch_cancel(struct http_fetch *fetch); /* NULL is ignored */

/* A field of the response's head, or NULL; while `done` is called. */
const char *http_fetch_answered(const struct http_fetch *fetch, const char *name);

#endif
