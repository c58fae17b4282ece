#include "conf/probe_http.h"

#include "shared/buffer.h"
#include "shared/clock.h"

#include <curl/curl.h>
#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>

enum { SESSION_MAX = 1024 /* bytes of an MCP session's id */, LINE_MAX_SIZE = 8192 };

enum probe_step { PROBE_GET, PROBE_DISCOVER, PROBE_INITIALIZE, PROBE_DELETE };

struct probe_http {
    struct probe_http_runner *runner;
    const struct app_record *app; /* borrowed */
    const struct app_endpoint *endpoint;
    bool *legacy; /* borrowed */
    enum probe_step step;
    CURL *easy;
    struct curl_slist *headers, *resolve; /* owned */
    char session[SESSION_MAX + 1];
    bool answered; /* a byte of the answer's body came: the rest is not waited for */
    bool good;     /* what the step before PROBE_DELETE found */
    char error[CURL_ERROR_SIZE];
    char failure[CURL_ERROR_SIZE + 64];
    ev_timer unstarted; /* tells that it could not be started, from the loop */
    probe_done done;
    void *context;
};

struct probe_http_runner {
    struct ev_loop *loop; /* borrowed */
    CURLM *multi;
    ev_timer timer;
};

struct probe_socket {
    ev_io io;
    struct probe_http_runner *runner;
};

static const char discover_body[] =
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"server/discover\",\"params\":{\"_meta\":{"
    "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
    "\"io.modelcontextprotocol/clientCapabilities\":{},"
    "\"io.modelcontextprotocol/clientInfo\":{\"name\":\"gatehouse-probe\",\"version\":\"1\"}}}}";
static const char initialize_body[] =
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{"
    "\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},"
    "\"clientInfo\":{\"name\":\"gatehouse-probe\",\"version\":\"1\"}}}";

/* An event stream may stay open behind its answer. */
static size_t on_body(char *data, size_t one, size_t size, void *context)
{
    struct probe_http *probe = context;

    (void)data;
    probe->answered = probe->answered || size > 0;
    return probe->step == PROBE_GET || size == 0 ? one * size : CURL_WRITEFUNC_ERROR;
}

static bool probe_header(struct probe_http *probe, const char *name, struct slice value)
{
    char line[LINE_MAX_SIZE];
    struct curl_slist *grown;

    if (snprintf(line, sizeof(line), "%s: %.*s", name, (int)value.size, value.data) >=
        (int)sizeof(line))
        return false;
    grown = curl_slist_append(probe->headers, line);
    if (grown != NULL)
        probe->headers = grown;
    return grown != NULL;
}

static bool probe_headers(struct probe_http *probe)
{
    const struct app_record *app = probe->app;
    bool good = true;

    curl_slist_free_all(probe->headers);
    probe->headers = NULL;
    for (size_t i = 0; i < app->header_count && good; i++) {
        char name[256];

        snprintf(name, sizeof(name), "%.*s", (int)app->headers[i].name.size,
                 app->headers[i].name.data);
        good = probe_header(probe, name, app->headers[i].value);
    }
    if (probe->step == PROBE_DISCOVER || probe->step == PROBE_INITIALIZE)
        good = good && probe_header(probe, "Content-Type", slice_from("application/json")) &&
               probe_header(probe, "Accept", slice_from("application/json, text/event-stream"));
    if (probe->step == PROBE_DISCOVER)
        good = good && probe_header(probe, "MCP-Protocol-Version", slice_from("2026-07-28")) &&
               probe_header(probe, "Mcp-Method", slice_from("server/discover"));
    if (probe->step == PROBE_DELETE)
        good = good && probe_header(probe, "MCP-Protocol-Version", slice_from("2025-11-25")) &&
               probe_header(probe, "Mcp-Session-Id", slice_from(probe->session));
    return good;
}

/* The watcher's own resolver has the addresses: curl asks nobody. */
static bool probe_addresses(struct probe_http *probe)
{
    const struct app_endpoint *endpoint = probe->endpoint;
    struct buffer line = {0};
    char head[300];
    bool good;

    snprintf(head, sizeof(head), "%.*s:%u:", (int)endpoint->host.size, endpoint->host.data,
             endpoint->port);
    good = buffer_append_text(&line, head) == 0;
    for (size_t i = 0; i < endpoint->address_count && good; i++)
        good = (i == 0 || buffer_append_text(&line, ",") == 0) &&
               buffer_append_slice(&line, endpoint->addresses[i]) == 0;
    good = good && buffer_append(&line, "", 1) == 0;
    if (good)
        probe->resolve = curl_slist_append(NULL, buffer_data(&line));
    buffer_free(&line);
    return probe->resolve != NULL;
}

static bool probe_url(struct probe_http *probe)
{
    const struct app_endpoint *endpoint = probe->endpoint;
    bool v6 = memchr(endpoint->host.data, ':', endpoint->host.size) != NULL;
    struct slice path = probe->step == PROBE_GET ? probe->app->health.path : endpoint->path;
    char url[LINE_MAX_SIZE];
    int size = snprintf(url, sizeof(url), "%s://%s%.*s%s:%u%.*s", endpoint->tls ? "https" : "http",
                        v6 ? "[" : "", (int)endpoint->host.size, endpoint->host.data, v6 ? "]" : "",
                        endpoint->port, (int)path.size, path.data);

    return size > 0 && size < (int)sizeof(url) &&
           curl_easy_setopt(probe->easy, CURLOPT_URL, url) == CURLE_OK;
}

static bool probe_security(struct probe_http *probe)
{
    const struct app_record *app = probe->app;
    long verify = app->insecure_skip_verify ? 0L : 1L;
    struct curl_blob ca = {
        .data = (char *)app->ca_pem.data, .len = app->ca_pem.size, .flags = CURL_BLOB_COPY};
    int failed = 0;

    failed |= curl_easy_setopt(probe->easy, CURLOPT_SSL_VERIFYPEER, verify) != CURLE_OK;
    failed |= curl_easy_setopt(probe->easy, CURLOPT_SSL_VERIFYHOST, 2 * verify) != CURLE_OK;
    if (app->ca_pem.size > 0)
        failed |= curl_easy_setopt(probe->easy, CURLOPT_CAINFO_BLOB, &ca) != CURLE_OK;
    return !failed;
}

static bool probe_method(struct probe_http *probe)
{
    const char *body = NULL;

    if (probe->step == PROBE_DELETE)
        return curl_easy_setopt(probe->easy, CURLOPT_CUSTOMREQUEST, "DELETE") == CURLE_OK;
    if (probe->step == PROBE_DISCOVER)
        body = discover_body;
    else if (probe->step == PROBE_INITIALIZE)
        body = initialize_body;
    return body == NULL || curl_easy_setopt(probe->easy, CURLOPT_POSTFIELDS, body) == CURLE_OK;
}

static bool probe_options(struct probe_http *probe)
{
    CURL *easy = probe->easy;
    long timeout = (long)probe->app->health.timeout;
    int failed = 0;

    failed |= !probe_url(probe) || !probe_headers(probe) || !probe_security(probe) ||
              !probe_method(probe);
    failed |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_PRIVATE, probe) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_PROXY, "") != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout) != CURLE_OK;
    /* One connection an endpoint: not IPv6 and IPv4 side by side. */
    failed |= curl_easy_setopt(easy, CURLOPT_HAPPY_EYEBALLS_TIMEOUT_MS, timeout) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_USERAGENT, "gatehouse-probe") != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, probe->headers) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_RESOLVE, probe->resolve) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, probe) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, probe->error) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L) != CURLE_OK;
    return !failed;
}

static void probe_stop(struct probe_http *probe)
{
    if (probe->easy == NULL)
        return;
    curl_multi_remove_handle(probe->runner->multi, probe->easy);
    curl_easy_cleanup(probe->easy);
    probe->easy = NULL;
}

static bool probe_begin(struct probe_http *probe, enum probe_step step)
{
    probe_stop(probe);
    probe->step = step;
    probe->answered = false;
    probe->error[0] = '\0';
    probe->easy = curl_easy_init();
    return probe->easy != NULL && probe_options(probe) &&
           curl_multi_add_handle(probe->runner->multi, probe->easy) == CURLM_OK;
}

void probe_http_cancel(struct probe_http *probe)
{
    if (probe == NULL)
        return;
    ev_timer_stop(probe->runner->loop, &probe->unstarted);
    probe_stop(probe);
    curl_slist_free_all(probe->headers);
    curl_slist_free_all(probe->resolve);
    free(probe);
}

static void probe_end(struct probe_http *probe)
{
    probe_done done = probe->done;
    void *context = probe->context;
    char failure[sizeof(probe->failure)];
    bool good = probe->good;

    memcpy(failure, probe->failure, sizeof(failure));
    probe_http_cancel(probe);
    done(context, good ? NULL : failure);
}

/* The session that the answer began, if it did. */
static void probe_take_session(struct probe_http *probe)
{
    struct curl_header *header;

    if (curl_easy_header(probe->easy, "Mcp-Session-Id", 0, CURLH_HEADER, -1, &header) ==
            CURLHE_OK &&
        strlen(header->value) <= SESSION_MAX)
        snprintf(probe->session, sizeof(probe->session), "%s", header->value);
}

/* The present message was answered, or not. false: the probe goes on. */
static bool probe_judge(struct probe_http *probe, CURLcode code)
{
    long status = 0;
    bool told = code == CURLE_OK || probe->answered;

    if (probe->step == PROBE_DELETE)
        return true;
    curl_easy_getinfo(probe->easy, CURLINFO_RESPONSE_CODE, &status);
    probe->good = told && status >= 200 && status < (probe->step == PROBE_GET ? 400 : 300);
    if (!told)
        snprintf(probe->failure, sizeof(probe->failure), "%s",
                 probe->error[0] != '\0' ? probe->error : curl_easy_strerror(code));
    else
        snprintf(probe->failure, sizeof(probe->failure), "status %ld", status);
    if (probe->step == PROBE_GET)
        return true;
    probe_take_session(probe);
    if (probe->step == PROBE_DISCOVER && told && status >= 400 && status < 500) {
        *probe->legacy = true;
        return !probe_begin(probe, PROBE_INITIALIZE);
    }
    if (probe->step == PROBE_INITIALIZE && !probe->good)
        *probe->legacy = false; /* another program may stand there the next time */
    return probe->session[0] == '\0' || !probe_begin(probe, PROBE_DELETE);
}

static void runner_settle(struct probe_http_runner *runner)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(runner->multi, &left)) != NULL) {
        struct probe_http *probe = NULL;
        CURLcode code = message->data.result;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&probe);
        if (probe_judge(probe, code))
            probe_end(probe);
    }
}

static void on_event(struct ev_loop *loop, ev_io *io, int events)
{
    struct probe_http_runner *runner = ((struct probe_socket *)io->data)->runner;
    int action = ((events & EV_READ) != 0 ? CURL_CSELECT_IN : 0) |
                 ((events & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0);
    int running;

    (void)loop;
    curl_multi_socket_action(runner->multi, io->fd, action, &running);
    runner_settle(runner);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct probe_http_runner *runner = timer->data;
    int running;

    (void)events;
    ev_timer_stop(loop, timer);
    curl_multi_socket_action(runner->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    runner_settle(runner);
}

static int on_wait(CURLM *multi, long milliseconds, void *context)
{
    struct probe_http_runner *runner = context;

    (void)multi;
    ev_timer_stop(runner->loop, &runner->timer);
    if (milliseconds < 0)
        return 0;
    ev_timer_set(&runner->timer, (double)milliseconds / 1000, 0);
    ev_timer_start(runner->loop, &runner->timer);
    return 0;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *known)
{
    struct probe_http_runner *runner = context;
    struct probe_socket *watched = known;

    (void)easy;
    if (watched != NULL)
        ev_io_stop(runner->loop, &watched->io);
    if (what == CURL_POLL_REMOVE) {
        free(watched);
        return 0;
    }
    if (watched == NULL) {
        watched = calloc(1, sizeof(*watched));
        if (watched == NULL)
            return -1;
        watched->runner = runner;
        ev_init(&watched->io, on_event);
        watched->io.data = watched;
        curl_multi_assign(runner->multi, fd, watched);
    }
    ev_io_set(&watched->io, fd,
              ((what & CURL_POLL_IN) != 0 ? EV_READ : 0) |
                  ((what & CURL_POLL_OUT) != 0 ? EV_WRITE : 0));
    ev_io_start(runner->loop, &watched->io);
    return 0;
}

int probe_http_open(struct probe_http_runner **out, struct ev_loop *loop)
{
    struct probe_http_runner *runner = calloc(1, sizeof(*runner));

    if (runner == NULL)
        return -ENOMEM;
    runner->loop = loop;
    ev_timer_init(&runner->timer, on_timer, 0, 0);
    runner->timer.data = runner;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
        runner->multi = curl_multi_init();
    if (runner->multi == NULL) {
        free(runner);
        return -ENOMEM;
    }
    curl_multi_setopt(runner->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(runner->multi, CURLMOPT_SOCKETDATA, runner);
    curl_multi_setopt(runner->multi, CURLMOPT_TIMERFUNCTION, on_wait);
    curl_multi_setopt(runner->multi, CURLMOPT_TIMERDATA, runner);
    *out = runner;
    return 0;
}

void probe_http_close(struct probe_http_runner *runner)
{
    if (runner == NULL)
        return;
    curl_multi_cleanup(runner->multi);
    ev_timer_stop(runner->loop, &runner->timer);
    free(runner);
    curl_global_cleanup();
}

static void on_unstarted(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    probe_end(timer->data);
}

struct probe_http *probe_http_start(struct probe_http_runner *runner, const struct app_record *app,
                                    size_t endpoint, bool *legacy, probe_done done, void *context)
{
    struct probe_http *probe = calloc(1, sizeof(*probe));
    enum probe_step step = *legacy ? PROBE_INITIALIZE : PROBE_DISCOVER;

    if (probe == NULL)
        return NULL;
    *probe = (struct probe_http){.runner = runner,
                                 .app = app,
                                 .endpoint = &app->endpoints[endpoint],
                                 .legacy = legacy,
                                 .done = done,
                                 .context = context};
    ev_timer_init(&probe->unstarted, on_unstarted, 0., 0.);
    probe->unstarted.data = probe;
    if (probe->endpoint->address_count == 0)
        snprintf(probe->failure, sizeof(probe->failure), "its name has no address");
    else if (!probe_addresses(probe) ||
             !probe_begin(probe, app->health.probe == APP_PROBE_HTTP ? PROBE_GET : step))
        snprintf(probe->failure, sizeof(probe->failure), "the probe could not be started");
    if (probe->failure[0] != '\0')
        ev_timer_start(runner->loop, &probe->unstarted);
    return probe;
}
