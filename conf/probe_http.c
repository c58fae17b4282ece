#include "conf/probe_http.h"

#include "conf/http_fetch.h"

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    SESSION_MAX = 1024, /* bytes of an MCP session's id */
    URL_MAX = 8192,     /* bytes */
    BODY_MAX =
        256 * 1024, /* bytes of an answer to GET that are let through; then its status counts */
    FAILURE_MAX = 320,
};

enum probe_step { PROBE_GET, PROBE_DISCOVER, PROBE_INITIALIZE, PROBE_DELETE };

struct probe_http {
    struct ev_loop *loop;         /* borrowed */
    struct http_fetcher *fetcher; /* borrowed */
    const struct app_record *app; /* borrowed */
    const struct app_endpoint *endpoint;
    bool *legacy; /* borrowed */
    enum probe_step step;
    struct http_fetch *fetch;
    size_t body_size;
    char session[SESSION_MAX + 1];
    bool good; /* what the step before PROBE_DELETE found */
    char failure[FAILURE_MAX];
    ev_timer unstarted; /* tells that it could not be started, from the loop */
    probe_done done;
    void *context;
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

/* Of MCP the status says it all: an event stream may stay open behind its answer. What somebody
 * asked for with GET is let come, so that its server can end it in peace. */
static bool on_body(void *context, struct slice part)
{
    struct probe_http *probe = context;

    probe->body_size += part.size;
    return probe->step == PROBE_GET && probe->body_size <= BODY_MAX;
}

static bool probe_mcp_headers(const struct probe_http *probe, struct http_fetch *fetch)
{
    bool good = true;

    if (probe->step == PROBE_DISCOVER || probe->step == PROBE_INITIALIZE)
        good =
            http_fetch_header(fetch, "Content-Type", slice_from("application/json")) &&
            http_fetch_header(fetch, "Accept", slice_from("application/json, text/event-stream"));
    if (probe->step == PROBE_DISCOVER)
        good = good && http_fetch_header(fetch, "MCP-Protocol-Version", slice_from("2026-07-28")) &&
               http_fetch_header(fetch, "Mcp-Method", slice_from("server/discover"));
    if (probe->step == PROBE_DELETE)
        good = http_fetch_header(fetch, "MCP-Protocol-Version", slice_from("2025-11-25")) &&
               http_fetch_header(fetch, "Mcp-Session-Id", slice_from(probe->session));
    return good;
}

static bool probe_headers(const struct probe_http *probe, struct http_fetch *fetch)
{
    const struct app_record *app = probe->app;
    bool good = true;

    for (size_t i = 0; i < app->header_count && good; i++) {
        char name[256];

        snprintf(name, sizeof(name), "%.*s", (int)app->headers[i].name.size,
                 app->headers[i].name.data);
        good = http_fetch_header(fetch, name, app->headers[i].value);
    }
    return good && probe_mcp_headers(probe, fetch);
}

static bool probe_url(const struct probe_http *probe, char out[URL_MAX])
{
    const struct app_endpoint *endpoint = probe->endpoint;
    bool v6 = memchr(endpoint->host.data, ':', endpoint->host.size) != NULL;
    struct slice path = probe->step == PROBE_GET ? probe->app->health.path : endpoint->path;
    int size = snprintf(out, URL_MAX, "%s://%s%.*s%s:%u%.*s", endpoint->tls ? "https" : "http",
                        v6 ? "[" : "", (int)endpoint->host.size, endpoint->host.data, v6 ? "]" : "",
                        endpoint->port, (int)path.size, path.data);

    return size > 0 && size < URL_MAX;
}

static void on_end(void *context, const struct http_fetch *fetch,
                   const struct http_fetch_result *result);

static bool probe_begin(struct probe_http *probe, enum probe_step step)
{
    const struct app_record *app = probe->app;
    const struct app_endpoint *endpoint = probe->endpoint;
    char url[URL_MAX];
    struct http_fetch_request request = {
        .url = url,
        .user_agent = "gatehouse-probe",
        .timeout = app->health.timeout,
        .ca_pem = app->ca_pem,
        .unverified = app->insecure_skip_verify,
        .plain = true,
        .single = true,
        .take = on_body,
        .context = probe,
    };

    probe->step = step;
    probe->body_size = 0;
    if (step == PROBE_DELETE)
        request.method = "DELETE";
    else if (step != PROBE_GET)
        request.body = step == PROBE_DISCOVER ? discover_body : initialize_body;
    probe->fetch = http_fetch_make(probe->fetcher, on_end);
    /* The watcher's own resolver has the addresses. */
    if (probe->fetch != NULL && probe_url(probe, url) &&
        http_fetch_addresses(probe->fetch, endpoint->host, endpoint->port, endpoint->addresses,
                             endpoint->address_count) &&
        probe_headers(probe, probe->fetch) && http_fetch_start(probe->fetch, &request))
        return true;
    http_fetch_cancel(probe->fetch);
    probe->fetch = NULL;
    return false;
}

void probe_http_cancel(struct probe_http *probe)
{
    if (probe == NULL)
        return;
    ev_timer_stop(probe->loop, &probe->unstarted);
    http_fetch_cancel(probe->fetch);
    free(probe);
}

static void probe_end(struct probe_http *probe)
{
    probe_done done = probe->done;
    void *context = probe->context;
    char failure[FAILURE_MAX];
    bool good = probe->good;

    memcpy(failure, probe->failure, sizeof(failure));
    probe_http_cancel(probe);
    done(context, good ? NULL : failure);
}

/* The session that the answer began, if it did. */
static void probe_take_session(struct probe_http *probe, const struct http_fetch *fetch)
{
    const char *session = http_fetch_answered(fetch, "Mcp-Session-Id");

    if (session != NULL && strlen(session) <= SESSION_MAX)
        snprintf(probe->session, sizeof(probe->session), "%s", session);
}

/* Whether there was an answer: the status is good or not; what comes behind it does not matter. */
static bool probe_answered(const struct probe_http *probe, const struct http_fetch_result *result)
{
    return result->outcome == HTTP_FETCH_WHOLE || result->outcome == HTTP_FETCH_STOPPED ||
           probe->body_size > 0;
}

/* As a server of MCP answers a request (2025-11-25, transports). */
static bool answer_is_mcp(const struct http_fetch *fetch)
{
    const char *type = http_fetch_answered(fetch, "Content-Type");

    return type != NULL && (strncasecmp(type, "application/json", 16) == 0 ||
                            strncasecmp(type, "text/event-stream", 17) == 0);
}

static void probe_note(struct probe_http *probe, const struct http_fetch *fetch,
                       const struct http_fetch_result *result)
{
    bool answered = probe_answered(probe, result);

    probe->good = answered && result->status >= 200 &&
                  result->status < (probe->step == PROBE_GET ? 400 : 300);
    if (answered)
        snprintf(probe->failure, sizeof(probe->failure), "status %ld", result->status);
    else
        snprintf(probe->failure, sizeof(probe->failure), "%s", result->failure);
    if (probe->good && probe->step != PROBE_GET && !answer_is_mcp(fetch)) {
        probe->good = false;
        snprintf(probe->failure, sizeof(probe->failure), "it does not answer as MCP's servers do");
    }
}

/* What follows the step that ended. false: nothing, the probe is over. */
static bool probe_goes_on(struct probe_http *probe, const struct http_fetch *fetch,
                          const struct http_fetch_result *result)
{
    if (probe->step == PROBE_DELETE)
        return false;
    probe_note(probe, fetch, result);
    if (probe->step == PROBE_GET)
        return false;
    probe_take_session(probe, fetch);
    if (probe->step == PROBE_DISCOVER && probe_answered(probe, result) && result->status >= 400 &&
        result->status < 500) {
        *probe->legacy = true;
        return probe_begin(probe, PROBE_INITIALIZE);
    }
    if (probe->step == PROBE_INITIALIZE && !probe->good)
        *probe->legacy = false; /* another program may stand there the next time */
    return probe->session[0] != '\0' && probe_begin(probe, PROBE_DELETE);
}

static void on_end(void *context, const struct http_fetch *fetch,
                   const struct http_fetch_result *result)
{
    struct probe_http *probe = context;

    probe->fetch = NULL;
    if (!probe_goes_on(probe, fetch, result))
        probe_end(probe);
}

static void on_unstarted(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    probe_end(timer->data);
}

struct probe_http *probe_http_start(struct ev_loop *loop, struct http_fetcher *fetcher,
                                    const struct app_record *app, size_t endpoint, bool *legacy,
                                    probe_done done, void *context)
{
    struct probe_http *probe = calloc(1, sizeof(*probe));
    enum probe_step step = *legacy ? PROBE_INITIALIZE : PROBE_DISCOVER;

    if (probe == NULL)
        return NULL;
    *probe = (struct probe_http){.loop = loop,
                                 .fetcher = fetcher,
                                 .app = app,
                                 .endpoint = &app->endpoints[endpoint],
                                 .legacy = legacy,
                                 .done = done,
                                 .context = context};
    ev_timer_init(&probe->unstarted, on_unstarted, 0., 0.);
    probe->unstarted.data = probe;
    if (probe->endpoint->address_count == 0)
        snprintf(probe->failure, sizeof(probe->failure), "its name has no address");
    else if (!probe_begin(probe, app->health.probe == APP_PROBE_HTTP ? PROBE_GET : step))
        snprintf(probe->failure, sizeof(probe->failure), "the probe could not be started");
    if (probe->failure[0] != '\0')
        ev_timer_start(loop, &probe->unstarted);
    return probe;
}
