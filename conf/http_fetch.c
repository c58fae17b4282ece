#include "conf/http_fetch.h"

#include "shared/buffer.h"

#include <curl/curl.h>
#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>

struct http_fetch {
    struct http_fetcher *fetcher;
    CURL *easy;
    struct curl_slist *headers, *addresses; /* owned */
    struct http_fetch_request request;
    size_t head_size; /* bytes of the response's head so far */
    char error[CURL_ERROR_SIZE];
    http_fetch_done done;
};

struct http_fetcher {
    struct ev_loop *loop; /* borrowed */
    CURLM *multi;
    ev_timer timer;
};

struct fetch_socket {
    ev_io io;
    struct http_fetcher *fetcher;
};

static curl_socket_t on_open(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    const struct http_fetch_request *request = &((struct http_fetch *)context)->request;

    if (purpose != CURLSOCKTYPE_IPCXN ||
        (request->admits != NULL &&
         !request->admits(request->context, &address->addr, address->addrlen)))
        return CURL_SOCKET_BAD;
    return socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                  address->protocol);
}

static size_t on_head(char *data, size_t one, size_t size, void *context)
{
    struct http_fetch *fetch = context;

    (void)data;
    fetch->head_size += one * size;
    return fetch->head_size <= HTTP_FETCH_HEAD_MAX ? one * size : 0;
}

static size_t on_body(char *data, size_t one, size_t size, void *context)
{
    const struct http_fetch_request *request = &((struct http_fetch *)context)->request;

    (void)one;
    if (size == 0 || request->take(request->context, slice_make(data, size)))
        return size;
    return CURL_WRITEFUNC_ERROR;
}

bool http_fetch_header(struct http_fetch *fetch, const char *name, struct slice value)
{
    struct buffer line = {0};
    struct curl_slist *grown = NULL;

    /* A ';' instead of ':' is how libcurl is told of a field without a value. */
    if (buffer_append_format(&line, "%s%s", name, value.size == 0 ? ";" : ": ") == 0 &&
        buffer_append_slice(&line, value) == 0 && buffer_append(&line, "", 1) == 0 &&
        strpbrk(buffer_data(&line), "\r\n") == NULL &&
        strlen(buffer_data(&line)) + 1 == buffer_size(&line))
        grown = curl_slist_append(fetch->headers, buffer_data(&line));
    buffer_free(&line);
    if (grown != NULL)
        fetch->headers = grown;
    return grown != NULL;
}

bool http_fetch_addresses(struct http_fetch *fetch, struct slice host, uint16_t port,
                          const struct slice *addresses, size_t count)
{
    struct buffer line = {0};
    bool good;

    /* A literal is its own address, and libcurl could not read it here. */
    if (memchr(host.data, ':', host.size) != NULL)
        return true;
    good = buffer_append_format(&line, "%.*s:%u:", (int)host.size, host.data, port) == 0;
    for (size_t i = 0; i < count && good; i++)
        good = (i == 0 || buffer_append_text(&line, ",") == 0) &&
               buffer_append_slice(&line, addresses[i]) == 0;
    if (good && buffer_append(&line, "", 1) == 0)
        fetch->addresses = curl_slist_append(NULL, buffer_data(&line));
    buffer_free(&line);
    return fetch->addresses != NULL;
}

static bool fetch_trust(struct http_fetch *fetch)
{
    const struct http_fetch_request *request = &fetch->request;
    CURL *easy = fetch->easy;
    long verify = request->unverified ? 0L : 1L;
    struct curl_blob ca = {.data = (char *)(uintptr_t)request->ca_pem.data,
                           .len = request->ca_pem.size,
                           .flags = CURL_BLOB_COPY};
    int failed = 0;

    failed |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, verify) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2 * verify) != CURLE_OK;
    if (request->ca_pem.size > 0)
        failed |= curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &ca) != CURLE_OK;
    return !failed;
}

static bool fetch_method(struct http_fetch *fetch)
{
    const struct http_fetch_request *request = &fetch->request;
    CURL *easy = fetch->easy;
    int failed = 0;

    if (request->body != NULL)
        failed |= curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body) != CURLE_OK;
    if (request->method != NULL)
        failed |= curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method) != CURLE_OK;
    if (request->single) {
        long version = CURL_HTTP_VERSION_1_1;
        long never = (long)request->timeout;

        failed |= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, version) != CURLE_OK;
        failed |= curl_easy_setopt(easy, CURLOPT_HAPPY_EYEBALLS_TIMEOUT_MS, never) != CURLE_OK;
    }
    return !failed;
}

static bool fetch_options(struct http_fetch *fetch)
{
    const struct http_fetch_request *request = &fetch->request;
    CURL *easy = fetch->easy;
    const char *protocols = request->plain ? "http,https" : "https";
    int failed = 0;

    failed |= curl_easy_setopt(easy, CURLOPT_URL, request->url) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, protocols) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_PRIVATE, fetch) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_PROXY, "") != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_USERAGENT, request->user_agent) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, fetch->headers) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_RESOLVE, fetch->addresses) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, fetch) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_HEADERDATA, fetch) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, fetch) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, fetch->error) != CURLE_OK;
    /* Else the end of a fetch whose name is being resolved would block until it was. */
    failed |= curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) != CURLE_OK;
    /* A connection of before may lead where the name no longer does. */
    failed |= curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L) != CURLE_OK;
    return !failed && fetch_trust(fetch) && fetch_method(fetch);
}

struct http_fetch *http_fetch_make(struct http_fetcher *fetcher, http_fetch_done done)
{
    struct http_fetch *fetch = calloc(1, sizeof(*fetch));

    if (fetch == NULL)
        return NULL;
    fetch->fetcher = fetcher;
    fetch->done = done;
    return fetch;
}

bool http_fetch_start(struct http_fetch *fetch, const struct http_fetch_request *request)
{
    fetch->request = *request;
    fetch->easy = curl_easy_init();
    return fetch->easy != NULL && fetch_options(fetch) &&
           curl_multi_add_handle(fetch->fetcher->multi, fetch->easy) == CURLM_OK;
}

void http_fetch_cancel(struct http_fetch *fetch)
{
    if (fetch == NULL)
        return;
    if (fetch->easy != NULL) {
        curl_multi_remove_handle(fetch->fetcher->multi, fetch->easy);
        curl_easy_cleanup(fetch->easy);
    }
    curl_slist_free_all(fetch->headers);
    curl_slist_free_all(fetch->addresses);
    free(fetch);
}

const char *http_fetch_answered(const struct http_fetch *fetch, const char *name)
{
    struct curl_header *header;

    if (curl_easy_header(fetch->easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return NULL;
    return header->value;
}

static enum http_fetch_outcome fetch_outcome(const struct http_fetch *fetch, CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return HTTP_FETCH_WHOLE;
    case CURLE_OPERATION_TIMEDOUT:
        return HTTP_FETCH_LATE;
    case CURLE_COULDNT_CONNECT:
        return HTTP_FETCH_UNCONNECTED;
    case CURLE_WRITE_ERROR:
        return fetch->head_size > HTTP_FETCH_HEAD_MAX ? HTTP_FETCH_FAILED : HTTP_FETCH_STOPPED;
    default:
        return HTTP_FETCH_FAILED;
    }
}

static void fetch_end(struct http_fetch *fetch, CURLcode code)
{
    struct http_fetch_result result = {.outcome = fetch_outcome(fetch, code)};
    char *redirect = NULL;

    if (code != CURLE_OK)
        result.failure = fetch->error[0] != '\0' ? fetch->error : curl_easy_strerror(code);
    if (fetch->head_size > HTTP_FETCH_HEAD_MAX)
        result.failure = "the head of the answer is too large";
    curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &result.status);
    curl_easy_getinfo(fetch->easy, CURLINFO_REDIRECT_URL, &redirect);
    result.redirect = redirect;
    fetch->done(fetch->request.context, fetch, &result);
    http_fetch_cancel(fetch);
}

static void fetcher_settle(struct http_fetcher *fetcher)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(fetcher->multi, &left)) != NULL) {
        struct http_fetch *fetch = NULL;
        CURLcode code = message->data.result;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&fetch);
        fetch_end(fetch, code);
    }
}

static void on_event(struct ev_loop *loop, ev_io *io, int events)
{
    struct http_fetcher *fetcher = ((struct fetch_socket *)io->data)->fetcher;
    int action = ((events & EV_READ) != 0 ? CURL_CSELECT_IN : 0) |
                 ((events & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0);
    int running;

    (void)loop;
    curl_multi_socket_action(fetcher->multi, io->fd, action, &running);
    fetcher_settle(fetcher);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct http_fetcher *fetcher = timer->data;
    int running;

    (void)events;
    ev_timer_stop(loop, timer);
    curl_multi_socket_action(fetcher->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    fetcher_settle(fetcher);
}

static int on_wait(CURLM *multi, long milliseconds, void *context)
{
    struct http_fetcher *fetcher = context;

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
    struct http_fetcher *fetcher = context;
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

int http_fetcher_open(struct http_fetcher **out, struct ev_loop *loop)
{
    struct http_fetcher *fetcher = calloc(1, sizeof(*fetcher));

    if (fetcher == NULL)
        return -ENOMEM;
    fetcher->loop = loop;
    ev_timer_init(&fetcher->timer, on_timer, 0, 0);
    fetcher->timer.data = fetcher;
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

void http_fetcher_close(struct http_fetcher *fetcher)
{
    if (fetcher == NULL)
        return;
    curl_multi_cleanup(fetcher->multi);
    ev_timer_stop(fetcher->loop, &fetcher->timer);
    free(fetcher);
    curl_global_cleanup();
}
