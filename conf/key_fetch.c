#include "conf/key_fetch.h"

#include "conf/http_fetch.h"
#include "conf/key_address.h"
#include "shared/buffer.h"
#include "shared/clock.h"
#include "shared/uri.h"

#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>

enum { FAILURE_MAX = 256 };

struct key_fetch {
    struct key_fetcher *fetcher;
    struct key_fetch *next;
    struct http_fetch *http;         /* NULL: waits for its turn */
    const struct http_fetch *answer; /* while its end is told */
    char *url;                       /* owned; of the present hop */
    char etag[KEY_FETCH_VALIDATOR_MAX + 1], modified[KEY_FETCH_VALIDATOR_MAX + 1];
    bool insecure;
    enum key_address_scope scope;
    uint64_t timeout;
    uint64_t size_max;
    int64_t deadline; /* monotonic milliseconds; 0: not started */
    unsigned redirects;
    struct buffer body;
    bool oversize;
    bool address_refused;
    char failure[FAILURE_MAX];
    key_fetch_done done;
    void *context;
};

struct key_fetcher {
    struct ev_loop *loop; /* borrowed */
    struct http_fetcher *http;
    ev_timer settle;           /* looks for what could not be started */
    struct key_fetch *fetches; /* all, oldest first: those without `http` wait */
    size_t running;
};

static bool on_address(void *context, const struct sockaddr *address, socklen_t size)
{
    struct key_fetch *fetch = context;
    bool refused = key_address_refused(address, size, fetch->scope);

    fetch->address_refused = fetch->address_refused || refused;
    return !refused;
}

static bool on_body(void *context, struct slice part)
{
    struct key_fetch *fetch = context;

    if (part.size > fetch->size_max - buffer_size(&fetch->body)) {
        fetch->oversize = true;
        return false;
    }
    return buffer_append_slice(&fetch->body, part) == 0;
}

static void on_end(void *context, const struct http_fetch *http,
                   const struct http_fetch_result *result);

static bool fetch_condition(struct http_fetch *http, const char *name, const char *value)
{
    return value[0] == '\0' || http_fetch_header(http, name, slice_from(value));
}

/* Begins the present hop. */
static bool fetch_begin(struct key_fetch *fetch)
{
    int64_t now = clock_monotonic_milliseconds();
    struct http_fetch *http = http_fetch_make(fetch->fetcher->http, on_end);
    struct http_fetch_request request = {
        .url = fetch->url,
        .user_agent = "gatehouse",
        .plain = fetch->insecure || fetch->scope == KEY_ADDRESS_LOOPBACK,
        .admits = on_address,
        .take = on_body,
        .context = fetch,
    };

    if (fetch->deadline == 0)
        fetch->deadline = now + (int64_t)fetch->timeout;
    request.timeout = fetch->deadline - now;
    buffer_clear(&fetch->body);
    if (http == NULL || request.timeout <= 0 ||
        !fetch_condition(http, "If-None-Match", fetch->etag) ||
        !fetch_condition(http, "If-Modified-Since", fetch->modified) ||
        !http_fetch_start(http, &request)) {
        http_fetch_cancel(http);
        return false;
    }
    fetch->http = http;
    fetch->fetcher->running++;
    return true;
}

/* Its turn is over; the handle is gone, or about to go. */
static void fetch_release(struct key_fetch *fetch)
{
    if (fetch->http == NULL)
        return;
    fetch->http = NULL;
    fetch->fetcher->running--;
}

static void fetch_free(struct key_fetch *fetch)
{
    struct key_fetch **link = &fetch->fetcher->fetches;

    while (*link != fetch)
        link = &(*link)->next;
    *link = fetch->next;
    http_fetch_cancel(fetch->http);
    fetch_release(fetch);
    buffer_free(&fetch->body);
    free(fetch->url);
    free(fetch);
}

static int64_t seconds_read(const char *at)
{
    int64_t seconds = 0;

    for (; *at >= '0' && *at <= '9' && seconds < INT32_MAX; at++)
        seconds = seconds * 10 + (*at - '0');
    return seconds;
}

/* How long the response is fresh (RFC 9111, 4.2): max-age less Age; no-store and no-cache are 0. */
static int64_t fetch_max_age(const struct http_fetch *answer)
{
    const char *control = http_fetch_answered(answer, "Cache-Control");
    const char *at;
    int64_t fresh;

    if (control == NULL)
        return -1;
    if (strcasestr(control, "no-store") != NULL || strcasestr(control, "no-cache") != NULL)
        return 0;
    at = strcasestr(control, "max-age=");
    if (at == NULL)
        return -1;
    fresh = seconds_read(at + strlen("max-age="));
    at = http_fetch_answered(answer, "Age");
    if (at != NULL)
        fresh -= seconds_read(at);
    return fresh < 0 ? 0 : fresh;
}

/* A validator that can be sent back as it is, or nothing. Copied into `room`. */
static struct slice fetch_validator(const struct http_fetch *answer, const char *name, char *room)
{
    const char *value = http_fetch_answered(answer, name);
    size_t size = value == NULL ? 0 : strlen(value);

    if (size == 0 || size > KEY_FETCH_VALIDATOR_MAX)
        return slice_make(NULL, 0);
    for (size_t i = 0; i < size; i++)
        if (value[i] < ' ' || value[i] > '~')
            return slice_make(NULL, 0);
    memcpy(room, value, size);
    return slice_make(room, size);
}

/* Tells the outcome; the fetch is gone when its owner hears of it. */
static void fetch_end(struct key_fetch *fetch, const char *failed, long status)
{
    struct key_fetch_result result = {.failed = failed, .status = status, .max_age = -1};
    struct buffer body = fetch->body;
    char etag[KEY_FETCH_VALIDATOR_MAX];
    char modified[KEY_FETCH_VALIDATOR_MAX];
    char reason[FAILURE_MAX];
    key_fetch_done done = fetch->done;
    void *context = fetch->context;

    if (failed == NULL) {
        result.max_age = fetch_max_age(fetch->answer);
        result.unchanged = status == 304;
        if (!result.unchanged)
            result.body = buffer_slice(&body);
        result.validators.etag = fetch_validator(fetch->answer, "ETag", etag);
        result.validators.modified = fetch_validator(fetch->answer, "Last-Modified", modified);
    } else {
        snprintf(reason, sizeof(reason), "%s", failed);
        result.failed = reason;
    }
    fetch->body = (struct buffer){0};
    fetch_free(fetch);
    done(context, &result);
    buffer_free(&body);
}

static void fetcher_admit(struct key_fetcher *fetcher)
{
    struct key_fetch *fetch = fetcher->fetches;

    while (fetch != NULL && fetcher->running < KEY_FETCH_RUNNING_MAX) {
        struct key_fetch *next = fetch->next;

        /* An end is told from the loop only: here the deadline is left to expire at once. */
        if (fetch->http == NULL && !fetch_begin(fetch)) {
            fetch->deadline = -1;
            ev_timer_again(fetcher->loop, &fetcher->settle);
        }
        fetch = next;
    }
}

static bool same_origin(const char *from, const char *to)
{
    struct uri a;
    struct uri b;
    const char *reason;

    return uri_parse(slice_from(from), &a, &reason) == 0 &&
           uri_parse(slice_from(to), &b, &reason) == 0 && slice_equal_nocase(a.scheme, b.scheme) &&
           slice_equal_nocase(a.host, b.host) && a.port == b.port;
}

/* NULL when the redirect was followed, else why not. */
static const char *fetch_redirect(struct key_fetch *fetch, const char *target)
{
    char *copy;

    if (target == NULL)
        return "a redirect without a place to go";
    if (fetch->redirects == KEY_FETCH_REDIRECTS_MAX)
        return "too many redirects";
    if (!same_origin(fetch->url, target))
        return "a redirect to another origin";
    copy = strdup(target);
    if (copy == NULL)
        return "no memory";
    free(fetch->url);
    fetch->url = copy;
    fetch->redirects++;
    return fetch_begin(fetch) ? NULL : "no time is left after a redirect";
}

static const char *fetch_failure(const struct key_fetch *fetch,
                                 const struct http_fetch_result *result)
{
    if (fetch->oversize)
        return "larger than the limit key_set_size";
    if (fetch->address_refused && result->outcome == HTTP_FETCH_UNCONNECTED)
        return "its address may not be connected to";
    if (result->outcome == HTTP_FETCH_LATE)
        return "no complete answer within the limit key_fetch_timeout";
    return result->failure;
}

static bool status_redirects(long status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static bool fetch_is_conditional(const struct key_fetch *fetch)
{
    return fetch->etag[0] != '\0' || fetch->modified[0] != '\0';
}

static void on_end(void *context, const struct http_fetch *http,
                   const struct http_fetch_result *result)
{
    struct key_fetch *fetch = context;
    struct key_fetcher *fetcher = fetch->fetcher;
    const char *failed = NULL;

    fetch_release(fetch);
    if (result->outcome != HTTP_FETCH_WHOLE) {
        failed = fetch_failure(fetch, result);
    } else if (status_redirects(result->status)) {
        failed = fetch_redirect(fetch, result->redirect);
        if (failed == NULL)
            return;
    } else if (result->status != 200 && !(result->status == 304 && fetch_is_conditional(fetch))) {
        snprintf(fetch->failure, sizeof(fetch->failure), "status %ld, not 200", result->status);
        failed = fetch->failure;
    }
    fetch->answer = http;
    fetch_end(fetch, failed, result->status);
    fetcher_admit(fetcher);
}

static void fetcher_settle(struct key_fetcher *fetcher)
{
    struct key_fetch *fetch;

    for (fetch = fetcher->fetches; fetch != NULL; fetch = fetch->next) {
        if (fetch->deadline == -1) {
            fetch_end(fetch, "it could not be started", 0);
            ev_timer_again(fetcher->loop, &fetcher->settle);
            break;
        }
    }
    fetcher_admit(fetcher);
}

static void on_settle(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)events;
    ev_timer_stop(loop, timer);
    fetcher_settle(timer->data);
}

int key_fetcher_open(struct key_fetcher **out, struct ev_loop *loop)
{
    struct key_fetcher *fetcher = calloc(1, sizeof(*fetcher));
    int error;

    if (fetcher == NULL)
        return -ENOMEM;
    fetcher->loop = loop;
    ev_timer_init(&fetcher->settle, on_settle, 0, 0.001);
    fetcher->settle.data = fetcher;
    error = http_fetcher_open(&fetcher->http, loop);
    if (error != 0) {
        free(fetcher);
        return error;
    }
    *out = fetcher;
    return 0;
}

void key_fetcher_close(struct key_fetcher *fetcher)
{
    if (fetcher == NULL)
        return;
    while (fetcher->fetches != NULL)
        fetch_free(fetcher->fetches);
    http_fetcher_close(fetcher->http);
    ev_timer_stop(fetcher->loop, &fetcher->settle);
    free(fetcher);
}

/* https anywhere; http to loopback, or where the operator said `insecure`. */
static bool fetch_allowed(struct key_fetch *fetch)
{
    struct uri uri;
    const char *reason;

    if (uri_parse(slice_from(fetch->url), &uri, &reason) < 0)
        return false;
    if (slice_equal_nocase(uri.scheme, slice_from("https")))
        return true;
    if (!slice_equal_nocase(uri.scheme, slice_from("http")))
        return false;
    if (fetch->insecure)
        return true;
    fetch->scope = KEY_ADDRESS_LOOPBACK;
    return uri_is_loopback(&uri);
}

/* One that is too long is not used. */
static void fetch_keep(char *out, struct slice validator)
{
    if (validator.size <= KEY_FETCH_VALIDATOR_MAX)
        snprintf(out, KEY_FETCH_VALIDATOR_MAX + 1, "%.*s", (int)validator.size, validator.data);
}

/* 0, -EINVAL or -ENOMEM. */
static int fetch_prepare(struct key_fetch *fetch, const struct key_fetch_request *request)
{
    fetch->url = strndup(request->url.size == 0 ? "" : request->url.data, request->url.size);
    if (fetch->url == NULL)
        return -ENOMEM;
    fetch->insecure = request->insecure;
    fetch->scope = request->public_only ? KEY_ADDRESS_PUBLIC : KEY_ADDRESS_NAMED;
    fetch_keep(fetch->etag, request->validators.etag);
    fetch_keep(fetch->modified, request->validators.modified);
    return fetch_allowed(fetch) ? 0 : -EINVAL;
}

int key_fetch_start(struct key_fetcher *fetcher, const struct key_fetch_request *request,
                    key_fetch_done done, void *context, struct key_fetch **out)
{
    struct key_fetch *fetch = calloc(1, sizeof(*fetch));
    struct key_fetch **link = &fetcher->fetches;
    int error;

    if (fetch == NULL)
        return -ENOMEM;
    fetch->fetcher = fetcher;
    fetch->timeout = request->timeout;
    fetch->size_max = request->size_max;
    fetch->done = done;
    fetch->context = context;
    error = fetch_prepare(fetch, request);
    if (error != 0) {
        free(fetch->url);
        free(fetch);
        return error;
    }
    while (*link != NULL)
        link = &(*link)->next;
    *link = fetch;
    *out = fetch;
    fetcher_admit(fetcher);
    return 0;
}

void key_fetch_cancel(struct key_fetch *fetch)
{
    if (fetch != NULL)
        fetch_free(fetch);
}
