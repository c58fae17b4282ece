#include "conf/key_fetch.h"

#include "conf/key_address.h"
#include "shared/buffer.h"
#include "shared/clock.h"
#include "shared/uri.h"

#include <curl/curl.h>
#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FAILURE_MAX = 256 };

struct key_fetch {
    struct key_fetcher *fetcher;
    struct key_fetch *next;
    CURL *easy;                    /* NULL: waits for its turn */
    char *url;                     /* owned; of the present hop */
    struct curl_slist *conditions; /* owned: If-None-Match, If-Modified-Since */
    bool insecure;
    enum key_address_scope scope;
    uint64_t timeout;
    uint64_t size_max;
    int64_t deadline; /* monotonic milliseconds; 0: not started */
    unsigned redirects;
    struct buffer body;
    bool oversize;
    bool address_refused;
    char error[CURL_ERROR_SIZE];
    char failure[FAILURE_MAX];
    key_fetch_done done;
    void *context;
};

struct key_fetcher {
    struct ev_loop *loop; /* borrowed */
    CURLM *multi;
    ev_timer timer;
    ev_timer settle;           /* looks for what ended without a socket's event */
    struct key_fetch *fetches; /* all, oldest first: those without `easy` wait */
    size_t running;
};

struct fetch_socket {
    ev_io io;
    struct key_fetcher *fetcher;
};

static curl_socket_t on_open(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct key_fetch *fetch = context;

    if (purpose != CURLSOCKTYPE_IPCXN ||
        key_address_refused(&address->addr, address->addrlen, fetch->scope)) {
        fetch->address_refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                  address->protocol);
}

static size_t on_body(char *data, size_t one, size_t size, void *context)
{
    struct key_fetch *fetch = context;

    (void)one;
    if (size > fetch->size_max - buffer_size(&fetch->body)) {
        fetch->oversize = true;
        return 0;
    }
    return buffer_append(&fetch->body, data, size) == 0 ? size : 0;
}

static bool fetch_options(struct key_fetch *fetch, long timeout)
{
    CURL *easy = fetch->easy;
    const char *protocols =
        fetch->insecure || fetch->scope == KEY_ADDRESS_LOOPBACK ? "http,https" : "https";
    int failed = 0;

    failed |= curl_easy_setopt(easy, CURLOPT_URL, fetch->url) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, protocols) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_PRIVATE, fetch) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_PROXY, "") != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_USERAGENT, "gatehouse") != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, fetch->conditions) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, fetch) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, fetch) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, fetch->error) != CURLE_OK;
    /* Else the end of a fetch whose name is being resolved would block until it was. */
    failed |= curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) != CURLE_OK;
    /* A connection of before may lead where the name no longer does. */
    failed |= curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L) != CURLE_OK;
    return !failed;
}

/* Begins the present hop. */
static bool fetch_begin(struct key_fetch *fetch)
{
    int64_t now = clock_monotonic_milliseconds();

    if (fetch->deadline == 0)
        fetch->deadline = now + (int64_t)fetch->timeout;
    if (fetch->deadline <= now)
        return false;
    buffer_clear(&fetch->body);
    fetch->easy = curl_easy_init();
    if (fetch->easy == NULL)
        return false;
    if (!fetch_options(fetch, (long)(fetch->deadline - now)) ||
        curl_multi_add_handle(fetch->fetcher->multi, fetch->easy) != CURLM_OK) {
        curl_easy_cleanup(fetch->easy);
        fetch->easy = NULL;
        return false;
    }
    fetch->fetcher->running++;
    return true;
}

static void fetch_stop(struct key_fetch *fetch)
{
    if (fetch->easy == NULL)
        return;
    curl_multi_remove_handle(fetch->fetcher->multi, fetch->easy);
    curl_easy_cleanup(fetch->easy);
    fetch->easy = NULL;
    fetch->fetcher->running--;
}

static void fetch_free(struct key_fetch *fetch)
{
    struct key_fetch **link = &fetch->fetcher->fetches;

    while (*link != fetch)
        link = &(*link)->next;
    *link = fetch->next;
    fetch_stop(fetch);
    buffer_free(&fetch->body);
    curl_slist_free_all(fetch->conditions);
    free(fetch->url);
    free(fetch);
}

static const char *fetch_header(CURL *easy, const char *name)
{
    struct curl_header *header;

    if (curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return NULL;
    return header->value;
}

static int64_t seconds_read(const char *at)
{
    int64_t seconds = 0;

    for (; *at >= '0' && *at <= '9' && seconds < INT32_MAX; at++)
        seconds = seconds * 10 + (*at - '0');
    return seconds;
}

/* How long the response is fresh (RFC 9111, 4.2): max-age less Age; no-store and no-cache are 0. */
static int64_t fetch_max_age(CURL *easy)
{
    const char *control = fetch_header(easy, "Cache-Control");
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
    at = fetch_header(easy, "Age");
    if (at != NULL)
        fresh -= seconds_read(at);
    return fresh < 0 ? 0 : fresh;
}

/* A validator that can be sent back as it is, or nothing. Copied into `room`. */
static struct slice fetch_validator(CURL *easy, const char *name, char *room)
{
    const char *value = fetch_header(easy, name);
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
        result.max_age = fetch_max_age(fetch->easy);
        result.unchanged = status == 304;
        if (!result.unchanged)
            result.body = buffer_slice(&body);
        result.validators.etag = fetch_validator(fetch->easy, "ETag", etag);
        result.validators.modified = fetch_validator(fetch->easy, "Last-Modified", modified);
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
        if (fetch->easy == NULL && !fetch_begin(fetch)) {
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
static const char *fetch_redirect(struct key_fetch *fetch)
{
    char *target = NULL;
    char *copy;

    curl_easy_getinfo(fetch->easy, CURLINFO_REDIRECT_URL, &target);
    if (target == NULL)
        return "a redirect without a place to go";
    if (fetch->redirects == KEY_FETCH_REDIRECTS_MAX)
        return "too many redirects";
    if (!same_origin(fetch->url, target))
        return "a redirect to another origin";
    copy = strdup(target);
    if (copy == NULL)
        return "no memory";
    fetch_stop(fetch);
    free(fetch->url);
    fetch->url = copy;
    fetch->redirects++;
    return fetch_begin(fetch) ? NULL : "no time is left after a redirect";
}

static const char *fetch_failure(struct key_fetch *fetch, CURLcode code)
{
    if (fetch->oversize)
        return "larger than the limit key_set_size";
    if (fetch->address_refused && code == CURLE_COULDNT_CONNECT)
        return "its address may not be connected to";
    if (code == CURLE_OPERATION_TIMEDOUT)
        return "no complete answer within the limit key_fetch_timeout";
    return fetch->error[0] != '\0' ? fetch->error : curl_easy_strerror(code);
}

static void fetch_ended(struct key_fetch *fetch, CURLcode code)
{
    long status = 0;
    const char *failed = NULL;

    curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK) {
        failed = fetch_failure(fetch, code);
    } else if (status == 301 || status == 302 || status == 303 || status == 307 || status == 308) {
        failed = fetch_redirect(fetch);
        if (failed == NULL)
            return;
    } else if (status != 200 && !(status == 304 && fetch->conditions != NULL)) {
        snprintf(fetch->failure, sizeof(fetch->failure), "status %ld, not 200", status);
        failed = fetch->failure;
    }
    fetch_end(fetch, failed, status);
}

static void fetcher_settle(struct key_fetcher *fetcher)
{
    struct key_fetch *fetch;
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(fetcher->multi, &left)) != NULL) {
        struct key_fetch *ended = NULL;
        CURLcode code = message->data.result;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&ended);
        fetch_ended(ended, code);
    }
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

static void on_event(struct ev_loop *loop, ev_io *io, int events)
{
    struct key_fetcher *fetcher = ((struct fetch_socket *)io->data)->fetcher;
    int action = ((events & EV_READ) != 0 ? CURL_CSELECT_IN : 0) |
                 ((events & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0);
    int running;

    (void)loop;
    curl_multi_socket_action(fetcher->multi, io->fd, action, &running);
    fetcher_settle(fetcher);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct key_fetcher *fetcher = timer->data;
    int running;

    (void)events;
    ev_timer_stop(loop, timer);
    curl_multi_socket_action(fetcher->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    fetcher_settle(fetcher);
}

static int on_wait(CURLM *multi, long milliseconds, void *context)
{
    struct key_fetcher *fetcher = context;

    (void)multi;
    ev_timer_stop(fetcher->loop, &fetcher->timer);
    if (milliseconds < 0)
        return 0;
    ev_timer_set(&fetcher->timer, (double)milliseconds / 1000, 0);
    ev_timer_start(fetcher->loop, &fetcher->timer);
    return 0;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *known)
{
    struct key_fetcher *fetcher = context;
    struct fetch_socket *watched = known;

    (void)easy;
    if (watched != NULL)
        ev_io_stop(fetcher->loop, &watched->io);
    if (what == CURL_POLL_REMOVE) {
        free(watched);
        return 0;
    }
    if (watched == NULL) {
        watched = calloc(1, sizeof(*watched));
        if (watched == NULL)
            return -1;
        watched->fetcher = fetcher;
        ev_init(&watched->io, on_event);
        watched->io.data = watched;
        curl_multi_assign(fetcher->multi, fd, watched);
    }
    ev_io_set(&watched->io, fd,
              ((what & CURL_POLL_IN) != 0 ? EV_READ : 0) |
                  ((what & CURL_POLL_OUT) != 0 ? EV_WRITE : 0));
    ev_io_start(fetcher->loop, &watched->io);
    return 0;
}

int key_fetcher_open(struct key_fetcher **out, struct ev_loop *loop)
{
    struct key_fetcher *fetcher = calloc(1, sizeof(*fetcher));

    if (fetcher == NULL)
        return -ENOMEM;
    fetcher->loop = loop;
    ev_timer_init(&fetcher->timer, on_timer, 0, 0);
    ev_timer_init(&fetcher->settle, on_settle, 0, 0.001);
    fetcher->timer.data = fetcher->settle.data = fetcher;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
        fetcher->multi = curl_multi_init();
    if (fetcher->multi == NULL) {
        free(fetcher);
        return -ENOMEM;
    }
    curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETDATA, fetcher);
    curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERFUNCTION, on_wait);
    curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERDATA, fetcher);
    *out = fetcher;
    return 0;
}

void key_fetcher_close(struct key_fetcher *fetcher)
{
    if (fetcher == NULL)
        return;
    while (fetcher->fetches != NULL)
        fetch_free(fetcher->fetches);
    curl_multi_cleanup(fetcher->multi);
    ev_timer_stop(fetcher->loop, &fetcher->timer);
    ev_timer_stop(fetcher->loop, &fetcher->settle);
    free(fetcher);
    curl_global_cleanup();
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

static bool fetch_condition(struct key_fetch *fetch, const char *name, struct slice value)
{
    char line[KEY_FETCH_VALIDATOR_MAX + 32];
    struct curl_slist *grown;

    if (value.size == 0 || value.size > KEY_FETCH_VALIDATOR_MAX)
        return true;
    snprintf(line, sizeof(line), "%s: %.*s", name, (int)value.size, value.data);
    grown = curl_slist_append(fetch->conditions, line);
    if (grown == NULL)
        return false;
    fetch->conditions = grown;
    return true;
}

/* 0, -EINVAL or -ENOMEM. */
static int fetch_prepare(struct key_fetch *fetch, const struct key_fetch_request *request)
{
    fetch->url = strndup(request->url.size == 0 ? "" : request->url.data, request->url.size);
    if (fetch->url == NULL)
        return -ENOMEM;
    fetch->insecure = request->insecure;
    fetch->scope = request->public_only ? KEY_ADDRESS_PUBLIC : KEY_ADDRESS_NAMED;
    if (!fetch_allowed(fetch))
        return -EINVAL;
    if (!fetch_condition(fetch, "If-None-Match", request->validators.etag) ||
        !fetch_condition(fetch, "If-Modified-Since", request->validators.modified))
        return -ENOMEM;
    return 0;
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
        curl_slist_free_all(fetch->conditions);
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
