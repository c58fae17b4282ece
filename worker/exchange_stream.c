#include "worker/exchange_stream.h"

#include "shared/log.h"
#include "worker/exchange_mcp_session.h"
#include "worker/exchange_reading.h"

#include <stdio.h>

enum {
    /* The JSON-RPC code of a stream's last event: outside -32768..-32000, where JSON-RPC 2.0 (5.1)
     * and MCP leave no room for a code of ours. */
    EXCHANGE_ENDED_CODE = -31401,
    EXCHANGE_FAILED_CODE = -32603, /* of an answer that cannot be given (JSON-RPC 2.0, 5.1) */
};

void exchange_stream_wait(struct exchange *exchange)
{
    const struct settings_limits *limits = worker_limits(exchange->worker);
    ev_tstamp left = exchange->ends - ev_now(exchange->worker->loop);
    uint64_t wait = limits->stream_keepalive;

    if (!exchange->event_stream) {
        deadline_set(&exchange->deadline, limits->response_timeout);
        return;
    }
    exchange_mcp_touch(exchange);
    if (exchange->use != NULL && (wait == 0 || wait > limits->mcp_session_idle / 4))
        wait = limits->mcp_session_idle / 4;
    if (exchange->ends > 0 && (wait == 0 || left * 1000. < (ev_tstamp)wait))
        wait = left <= 0 ? 1 : (uint64_t)(left * 1000.) + 1;
    if (wait > 0)
        deadline_set(&exchange->deadline, wait);
}

void exchange_stream_remember(struct exchange *exchange, struct slice data)
{
    size_t keep = sizeof(exchange->tail);

    if (data.size >= keep) {
        memcpy(exchange->tail, data.data + data.size - keep, keep);
        return;
    }
    memmove(exchange->tail, exchange->tail + data.size, keep - data.size);
    memcpy(exchange->tail + keep - data.size, data.data, data.size);
}

/* Nothing sent yet, or an empty line last; what is read goes on in whole events alone. */
bool exchange_stream_is_between(const struct exchange *exchange)
{
    const char *last = exchange->tail + sizeof(exchange->tail) - 1;

    if (*last == '\0' || exchange->reading != NULL)
        return true;
    if (*last != '\n')
        return false;
    last--;
    if (*last == '\r')
        last--;
    return *last == '\n' || *last == '\r';
}

/* Says why, as a last event, and ends the stream in good order. `id`: JSON text; empty: none. */
static void exchange_stream_last(struct exchange *exchange, int code, const char *prefix,
                                 const char *reason, struct slice id)
{
    char event[512 + EXCHANGE_ID_MAX];
    int size = snprintf(event, sizeof(event),
                        "event: message\ndata: {\"jsonrpc\":\"2.0\",%s%.*s%s\"error\":{\"code\":%d,"
                        "\"message\":\"%s%s\"}}\n\n",
                        id.size > 0 ? "\"id\":" : "", (int)id.size, id.size > 0 ? id.data : "",
                        id.size > 0 ? "," : "", code, prefix, reason);

    exchange->audit.reason = exchange->end_reason;
    /* Behind half an event, or within a declared length, there is no place for it. */
    if (!exchange_stream_is_between(exchange) || exchange->client_body == HTTP_BODY_LENGTH ||
        exchange_append(exchange, slice_make(event, (size_t)size)) != 0) {
        client_close(exchange->client);
        return;
    }
    exchange_reading_stop(exchange);
    exchange->upstream_keep = false;
    exchange->keep_alive = false;
    exchange_response_complete(exchange, 0);
}

void exchange_stream_end(struct exchange *exchange)
{
    exchange_stream_last(exchange, EXCHANGE_ENDED_CODE, "Stream ended: ", exchange->end_reason,
                         slice_make(NULL, 0));
}

void exchange_stream_fail(struct exchange *exchange, const char *reason)
{
    struct slice id = slice_make(exchange->reading->id, exchange->reading->id_size);

    exchange->end_reason = reason;
    if (id.size == 0)
        exchange_stream_end(exchange);
    else
        exchange_stream_last(exchange, EXCHANGE_FAILED_CODE, "", reason, id);
}

void exchange_stream_late(struct exchange *exchange)
{
    static const char comment[] = ": keep-alive\n\n";

    if (!exchange->event_stream) {
        if (buffer_size(&exchange->client->out) > 0)
            return; /* the client is slow, not the server: its own deadline runs */
        log_warning("upstream_timeout", "app %.*s: the response stalled",
                    (int)exchange->app->record.name.size, exchange->app->record.name.data);
        exchange->audit.reason = "the server's answer stalled";
        if (exchange_reading_waits(exchange))
            exchange_refuse(exchange, 504, "the app's server did not answer in time", 0, NULL);
        else
            client_close(exchange->client);
        return;
    }
    if (exchange_mcp_moved(exchange)) {
        exchange->end_reason = "its session goes on at another server";
        exchange_stream_end(exchange);
        return;
    }
    if (exchange->ends > 0 && ev_now(exchange->worker->loop) >= exchange->ends) {
        exchange_stream_end(exchange);
        return;
    }
    if (worker_limits(exchange->worker)->stream_keepalive > 0 &&
        buffer_size(&exchange->client->out) == 0 && exchange_stream_is_between(exchange) &&
        exchange->client_body != HTTP_BODY_LENGTH) {
        if (exchange_append(exchange, slice_make(comment, sizeof(comment) - 1)) != 0) {
            client_close(exchange->client);
            return;
        }
        client_flush(exchange->client);
    }
    if (exchange->state == EXCHANGE_STREAM)
        exchange_stream_wait(exchange);
}
