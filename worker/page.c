#include "worker/page.h"

#include "shared/child.h"
#include "shared/json.h"

#include <stddef.h>
#include <time.h>

static const char *const counter_help[COUNTERS] = {
    [COUNT_CONNECTIONS] = "Client connections accepted.",
    [COUNT_REQUESTS] = "Request heads read.",
    [COUNT_RESPONSES_2XX] = "Responses sent with a 2xx status.",
    [COUNT_RESPONSES_4XX] = "Responses sent with a 4xx status.",
    [COUNT_RESPONSES_5XX] = "Responses sent with a 5xx status.",
    [COUNT_SESSIONS_CREATED] = "Sessions made from a verified token.",
    [COUNT_SESSIONS_FOUND] = "Requests that a stored session answered.",
    [COUNT_SIGNATURE_CHECKS] = "Public-key operations on tokens.",
    [COUNT_LABEL_MATCHES] = "Label selectors evaluated; never by a request.",
    [COUNT_CONFIG_LISTS] = "Scans over app auth configs; never by a request.",
    [COUNT_TOKEN_REFUSED_MISSING] = "Requests without a bearer token.",
    [COUNT_TOKEN_REFUSED_MALFORMED] = "Tokens that are no well-formed JWT.",
    [COUNT_TOKEN_REFUSED_EXPIRED] = "Tokens past their exp, or past the longest session.",
    [COUNT_TOKEN_REFUSED_AUDIENCE] = "Tokens for another audience.",
    [COUNT_TOKEN_REFUSED_ISSUER] = "Tokens whose issuer is not bound to the app.",
    [COUNT_TOKEN_REFUSED_SIGNATURE] = "Tokens with a wrong signature.",
    [COUNT_TOKEN_REFUSED_KID] = "Tokens signed with an unknown key.",
    [COUNT_TOKEN_REFUSED_ALG] = "Tokens with an algorithm that is not allowed.",
    [COUNT_TOKEN_REFUSED_CLAIM] = "Tokens with a claim missing, wrong, or not valid yet.",
    [COUNT_TOKEN_REFUSED_AGE] = "Tokens issued too long ago to open a session.",
    [COUNT_TOKEN_REFUSED_REVOKED] = "Tokens and sessions refused by a revocation or a lock.",
    [COUNT_TOKEN_UNAVAILABLE] = "Tokens answered with 503 for want of keys.",
    [COUNT_POLICY_REFUSED] =
        "Requests that the caller's roles, or the token's scopes, do not permit.",
    [COUNT_UPSTREAM_CONNECTS] = "Connections made to apps.",
    [COUNT_UPSTREAM_REUSED] = "Requests sent on a pooled connection to an app.",
    [COUNT_UPSTREAM_FAILED] = "Requests that an app's servers could not take.",
    [COUNT_MCP_SESSIONS_REINITIALIZED] = "MCP sessions of lost servers that were opened anew.",
    [COUNT_MCP_SESSIONS_REINITIALIZE_FAILED] = "MCP sessions of lost servers that were not.",
    [COUNT_HEALTH_PROBES] = "Probes of apps' servers.",
    [COUNT_HEALTH_TRANSITIONS] = "Servers of apps that probes found dead, or alive again.",
    [COUNT_STORE_FULL] = "Batches of sessions refused by a full store.",
    [COUNT_KEY_FETCHES] = "Key sets fetched.",
    [COUNT_KEY_FETCHES_FAILED] = "Key set fetches that failed.",
    [COUNT_PUBLISHED] = "Config transactions committed.",
    [COUNT_DOCUMENTS_REFUSED] = "Documents refused.",
    [COUNT_SESSIONS_EXPIRED] = "Sessions removed after their end.",
    [COUNT_AUDIT_LINES] = "Lines of the audit trail written.",
    [COUNT_AUDIT_LOST] = "Lines of the audit trail lost.",
    [COUNT_AUDIT_FAILURES] = "Writes of the audit trail that failed.",
    [COUNT_LOG_LOST] = "Lines of the log that nobody took.",
    [COUNT_PROCESSES_KILLED] = "Processes killed by the watchdog.",
    [COUNT_RESPAWNS] = "Processes started again.",
};

static const char *const gauge_help[GAUGES] = {
    [GAUGE_CONNECTIONS] = "Open client connections.",
    [GAUGE_EXCHANGES] = "Requests in progress.",
    [GAUGE_STREAMS] = "Open server-sent event streams.",
    [GAUGE_BODY_BYTES] = "Bytes of request bodies held.",
    [GAUGE_ENDPOINTS_PROBED] = "Servers of apps that are probed.",
    [GAUGE_ENDPOINTS_DEAD] = "Servers of apps that probes find dead.",
    [GAUGE_AUDIT_FAILING] = "Workers that cannot write the audit trail.",
    [GAUGE_BRIDGE_SESSIONS] = "Sessions with stdio servers, of or with legacy SSE.",
    [GAUGE_BRIDGE_LINES] = "Messages that wait for stdio servers to read them.",
    [GAUGE_BRIDGE_BYTES] = "Bytes of messages kept to be sent, or sent again, to clients.",
};

static int metric_head(struct buffer *out, const char *name, const char *type, const char *help)
{
    return buffer_append_format(out, "# HELP gatehouse_%s %s\n# TYPE gatehouse_%s %s\n", name, help,
                                name, type);
}

static int metric_number(struct buffer *out, const char *name, const char *type, const char *help,
                         uint64_t value)
{
    int error = metric_head(out, name, type, help);

    return error != 0
               ? error
               : buffer_append_format(out, "gatehouse_%s %llu\n", name, (unsigned long long)value);
}

struct metric_of_servers {
    const char *name, *type, *help;
    size_t offset; /* of the number in struct server_board_entry */
};

static const struct metric_of_servers metrics_of_servers[] = {
    {"stdio_servers", "gauge", "Stdio servers that run, or start, or end, by app.",
     offsetof(struct server_board_entry, servers)},
    {"stdio_starts_total", "counter", "Stdio servers that were asked for, by app.",
     offsetof(struct server_board_entry, starts)},
    {"stdio_deaths_total", "counter", "Stdio servers that ended by themselves, by app.",
     offsetof(struct server_board_entry, deaths)},
    {"stdio_failures_total", "counter",
     "Stdio servers that could not be started, or died early, by app.",
     offsetof(struct server_board_entry, failures)},
};

/* `lives`: there is a bridge; without one nothing runs, whatever the last one wrote. */
static int metric_servers(struct buffer *out, const struct server_board *board, bool lives)
{
    size_t count = sizeof(metrics_of_servers) / sizeof(metrics_of_servers[0]);
    char app[SERVER_BOARD_NAME_SIZE];
    int error = 0;

    for (size_t i = 0; i < count && error == 0; i++) {
        const struct metric_of_servers *metric = &metrics_of_servers[i];
        bool headed = false;

        for (size_t n = 0; n < SERVER_BOARD_APPS && error == 0; n++) {
            const struct server_board_entry *entry = &board->entries[n];
            const _Atomic uint64_t *number = (const void *)((const char *)entry + metric->offset);
            uint64_t value = atomic_load_explicit(number, memory_order_relaxed);

            if (!server_board_name(entry, app))
                continue;
            if (!headed)
                error = metric_head(out, metric->name, metric->type, metric->help);
            headed = true;
            if (error == 0)
                error = buffer_append_format(out, "gatehouse_%s{app=\"%s\"} %llu\n", metric->name,
                                             app, (unsigned long long)(lives || i > 0 ? value : 0));
        }
    }
    return error;
}

/* Processes that are ready, by role; and what the bridge among them has. */
static int metric_processes(struct buffer *out, const struct scoreboard_work *work)
{
    unsigned counts[ROLES] = {0};
    int error = metric_head(out, "processes", "gauge", "Processes that are up, by role.");

    for (size_t i = 0; i < SCOREBOARD_BLOCKS; i++) {
        const struct scoreboard_block *block = &work->blocks[i];
        int32_t role = atomic_load_explicit(&block->role, memory_order_relaxed);

        if (atomic_load_explicit(&block->pid, memory_order_relaxed) != 0 &&
            atomic_load_explicit(&block->ready, memory_order_relaxed) != 0 && role >= 0 &&
            role < ROLES)
            counts[role]++;
    }
    for (int role = 0; role < ROLES && error == 0; role++) {
        if (role == ROLE_WORKER || role == ROLE_WATCHER || role == ROLE_JANITOR || counts[role] > 0)
            error = buffer_append_format(out, "gatehouse_processes{role=\"%s\"} %u\n",
                                         child_role_name((enum child_role)role), counts[role]);
    }
    return error == 0 ? metric_servers(out, &work->servers, counts[ROLE_BRIDGE] > 0) : error;
}

int page_metrics(struct buffer *out, const struct scoreboard_public *public,
                 const struct scoreboard_work *work)
{
    int error = 0;

    for (int i = 0; i < COUNTERS && error == 0; i++)
        error = metric_number(out, scoreboard_counter_name((enum scoreboard_counter)i), "counter",
                              counter_help[i], scoreboard_sum(work, (enum scoreboard_counter)i));
    for (int i = 0; i < GAUGES && error == 0; i++)
        error = metric_number(out, scoreboard_gauge_name((enum scoreboard_gauge)i), "gauge",
                              gauge_help[i], scoreboard_gauge_sum(work, (enum scoreboard_gauge)i));
    if (error == 0)
        error = metric_number(out, "config_generation", "gauge",
                              "Number of the last config transaction.",
                              atomic_load_explicit(&public->generation, memory_order_relaxed));
    if (error == 0)
        error = metric_number(out, "revocation_sequence", "gauge", "Number of the last revocation.",
                              atomic_load_explicit(&public->revocations, memory_order_relaxed));
    return error == 0 ? metric_processes(out, work) : error;
}

static bool work_has_ready_worker(const struct scoreboard_work *work)
{
    for (size_t i = 0; i < SCOREBOARD_BLOCKS; i++) {
        const struct scoreboard_block *block = &work->blocks[i];

        if (atomic_load_explicit(&block->pid, memory_order_relaxed) != 0 &&
            atomic_load_explicit(&block->role, memory_order_relaxed) == ROLE_WORKER &&
            atomic_load_explicit(&block->ready, memory_order_relaxed) != 0)
            return true;
    }
    return false;
}

bool page_ready(struct buffer *out, const struct scoreboard_public *public,
                const struct scoreboard_work *work)
{
    if (atomic_load_explicit(&public->generation, memory_order_acquire) == 0) {
        buffer_append_text(out, "no configuration was published yet\n");
        return false;
    }
    if (!work_has_ready_worker(work)) {
        buffer_append_text(out, "no worker is ready yet\n");
        return false;
    }
    return buffer_append_text(out, "ok\n") == 0;
}

/* RFC 3339, in UTC; empty for a time that cannot be written so. */
static void time_text(int64_t seconds, char out[32])
{
    time_t time = (time_t)seconds;
    struct tm parts;

    if (gmtime_r(&time, &parts) == NULL || strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        out[0] = '\0';
}

/* Takes the first line off `rest`. */
static struct slice head_line(struct slice *rest)
{
    const char *end = rest->size == 0 ? NULL : memchr(rest->data, '\n', rest->size);
    size_t size = end == NULL ? rest->size : (size_t)(end - rest->data);
    struct slice line = slice_make(rest->data, size);

    *rest = slice_skip(*rest, end == NULL ? size : size + 1);
    if (line.size > 0 && line.data[line.size - 1] == '\r')
        line.size--;
    return line;
}

/* "Name: value" in two; false when there is no colon. */
static bool header_split(struct slice line, struct slice *name, struct slice *value)
{
    const char *colon = line.size == 0 ? NULL : memchr(line.data, ':', line.size);

    if (colon == NULL)
        return false;
    *name = slice_make(line.data, (size_t)(colon - line.data));
    *value = slice_skip(line, name->size + 1);
    while (value->size > 0 && value->data[0] == ' ')
        *value = slice_skip(*value, 1);
    return true;
}

static int html_text(struct buffer *out, struct slice text)
{
    int error = 0;

    for (size_t i = 0; i < text.size && error == 0; i++) {
        unsigned char byte = (unsigned char)text.data[i];

        if (byte == '<')
            error = buffer_append_text(out, "&lt;");
        else if (byte == '>')
            error = buffer_append_text(out, "&gt;");
        else if (byte == '&')
            error = buffer_append_text(out, "&amp;");
        else if (byte == '"')
            error = buffer_append_text(out, "&quot;");
        else if (byte == '\'')
            error = buffer_append_text(out, "&#39;");
        else if (byte < 0x20 || byte >= 0x7f)
            /* Not ASCII: shown as bytes, so that no encoding can be played with. */
            error = buffer_append_format(out, "\\x%02x", byte);
        else
            error = buffer_append(out, &text.data[i], 1);
    }
    return error;
}

static int html_row(struct buffer *out, struct slice name, struct slice value)
{
    int error = buffer_append_text(out, "<tr><th>");

    if (error == 0)
        error = html_text(out, name);
    if (error == 0)
        error = buffer_append_text(out, "</th><td>");
    if (error == 0)
        error = html_text(out, value);
    return error != 0 ? error : buffer_append_text(out, "</td></tr>\n");
}

static const char debug_top[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Gatehouse debug app"
    "</title>\n<style>\nbody{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;"
    "padding:0 1rem;color:#222}\nh1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}\n"
    "table{border-collapse:collapse;width:100%}\nth,td{text-align:left;vertical-align:top;"
    "padding:.3rem .6rem;border-bottom:1px solid #ddd;overflow-wrap:anywhere}\n"
    "th{width:16rem;font-weight:600}code,td{font-family:ui-monospace,monospace;font-size:.9rem}\n"
    "</style></head><body>\n<h1>Gatehouse debug app</h1>\n"
    "<p>This is what an app behind this gateway would receive.</p>\n";

static int html_session(struct buffer *out, const struct session_record *session)
{
    char expires[32];
    int error = buffer_append_text(out, "<h2>Caller</h2>\n<table>\n");

    time_text(session->expires, expires);
    if (error == 0)
        error = html_row(out, slice_from("User"), session->user);
    if (error == 0)
        error = html_row(out, slice_from("Issuer"), session->issuer);
    if (error == 0)
        error = html_row(out, slice_from("Session ends"), slice_from(expires));
    return error != 0 ? error : buffer_append_text(out, "</table>\n");
}

static int html_head(struct buffer *out, struct slice head)
{
    struct slice line = head_line(&head);
    struct slice name, value;
    int error = buffer_append_text(out, "<h2>Request</h2>\n<p><code>");

    if (error == 0)
        error = html_text(out, line);
    if (error == 0)
        error = buffer_append_text(out, "</code></p>\n<table>\n");
    while (head.size > 0 && error == 0) {
        line = head_line(&head);
        if (header_split(line, &name, &value))
            error = html_row(out, name, value);
    }
    return error != 0 ? error : buffer_append_text(out, "</table>\n");
}

static int debug_html(struct buffer *out, struct slice head, const struct session_record *session)
{
    int error = buffer_append_text(out, debug_top);

    if (error == 0 && session != NULL)
        error = html_session(out, session);
    if (error == 0)
        error = html_head(out, head);
    return error != 0 ? error : buffer_append_text(out, "</body></html>\n");
}

/* `before`: what stands before the value, such as its name. */
static int json_text(struct buffer *out, const char *before, struct slice value)
{
    int error = buffer_append_text(out, before);

    return error != 0 ? error : json_append_string(out, value);
}

static int json_session(struct buffer *out, const struct session_record *session)
{
    char expires[32];
    int error = json_text(out, "\"user\":", session->user);

    time_text(session->expires, expires);
    if (error == 0)
        error = json_text(out, ",\"issuer\":", session->issuer);
    if (error == 0)
        error = json_text(out, ",\"expires\":", slice_from(expires));
    return error != 0 ? error : buffer_append_text(out, ",");
}

static int json_head(struct buffer *out, struct slice head)
{
    const char *before = "{\"name\":";
    struct slice name, value;
    int error = json_text(out, "\"request\":", head_line(&head));

    if (error == 0)
        error = buffer_append_text(out, ",\"headers\":[");
    while (head.size > 0 && error == 0) {
        if (!header_split(head_line(&head), &name, &value))
            continue;
        error = json_text(out, before, name);
        if (error == 0)
            error = json_text(out, ",\"value\":", value);
        if (error == 0)
            error = buffer_append_text(out, "}");
        before = ",{\"name\":";
    }
    return error != 0 ? error : buffer_append_text(out, "]");
}

static int debug_json(struct buffer *out, struct slice head, const struct session_record *session)
{
    int error = buffer_append_text(out, "{");

    if (error == 0 && session != NULL)
        error = json_session(out, session);
    if (error == 0)
        error = json_head(out, head);
    return error != 0 ? error : buffer_append_text(out, "}\n");
}

/* Whether Accept names JSON and not HTML; a browser names HTML. */
static bool request_wants_json(const struct http_request *request)
{
    const struct http_header *accept =
        http_find(request->headers, request->header_count, HTTP_ACCEPT);

    if (accept == NULL || accept->value.size == 0)
        return false;
    return memmem(accept->value.data, accept->value.size, "application/json", 16) != NULL &&
           memmem(accept->value.data, accept->value.size, "text/html", 9) == NULL;
}

int page_debug(struct buffer *out, struct slice head, const struct session_record *session,
               const struct http_request *request, const char **media_type)
{
    if (request_wants_json(request)) {
        *media_type = "application/json";
        return debug_json(out, head, session);
    }
    *media_type = "text/html; charset=utf-8";
    return debug_html(out, head, session);
}
