/* The response's half of an exchange: its head rewritten, its body relayed as it comes. */
#include "worker/exchange.h"

#include "shared/log.h"
#include "worker/exchange_mcp_session.h"
#include "worker/exchange_reading.h"
#include "worker/exchange_reopen.h"
#include "worker/exchange_stream.h"
#include "worker/forward.h"

#include <errno.h>

enum {
    /* Milliseconds before a server's own idle limit at which we stop trusting it. */
    EXCHANGE_IDLE_MARGIN = 500,
};

/* Reads on only while the client takes what was read: back-pressure. What waits for the turn's end
 * is not held up yet. */
static void exchange_want_upstream(struct exchange *exchange)
{
    const struct client *client = exchange->client;
    bool held = buffer_size(&client->out) > 0 && !write_entry_waits(&client->writing);

    if (exchange->state != EXCHANGE_STREAM || exchange->upstream == NULL)
        return;
    connection_want(&exchange->upstream->connection, held ? 0 : EV_READ);
}

int exchange_append(struct exchange *exchange, struct slice data)
{
    struct buffer *out = &exchange->client->out;
    char line[24];
    size_t size;

    if (data.size == 0 || exchange->client_body == HTTP_BODY_NONE)
        return 0;
    if (exchange->event_stream)
        exchange_stream_remember(exchange, data);
    if (exchange->client_body != HTTP_BODY_CHUNKED)
        return buffer_append_slice(out, data);
    size = http_chunk_line(data.size, line);
    if (buffer_reserve(out, size + data.size + 2) != 0)
        return -ENOMEM;
    buffer_append(out, line, size);
    buffer_append_slice(out, data);
    buffer_append(out, "\r\n", 2);
    return 0;
}

/* Body bytes as they came. false: the exchange has ended. */
static bool exchange_relay(struct exchange *exchange, struct slice data)
{
    if (exchange->reading != NULL)
        return exchange_reading_take(exchange, data);
    if (exchange_append(exchange, data) == 0)
        return true;
    client_close(exchange->client);
    return false;
}

/* Writes the head, with `room` for body bytes behind it; the request is of no further use. false:
 * the client was closed. */
static bool exchange_begin(struct exchange *exchange, size_t room)
{
    const struct http_response *response = &exchange->worker->response;
    struct forward_response forward = {
        .response = response,
        .mcp = exchange->mcp,
        .bridge = exchange->bridge != NULL,
        .endpoint = exchange->mcp ? NULL : &exchange->app->record.endpoints[exchange->endpoint],
        .cors = exchange_origin(exchange),
        .body = exchange->method == HTTP_HEAD ? response->body : exchange->client_body,
        .body_room = room,
        .close = !exchange->keep_alive || exchange->client_body == HTTP_BODY_UNTIL_CLOSE};

    if (exchange->reopen != NULL)
        exchange_reopen_response(exchange);
    if (forward_response_head(&exchange->client->out, &forward) != 0) {
        client_close(exchange->client);
        return false;
    }
    exchange_count_status(exchange, response->status);
    exchange_audit_head(exchange);
    if (exchange->event_stream) {
        exchange_mcp_stream(exchange);
        /* Streams last, and are most of a worker's memory: a token is half of what one would take.
         */
        auth_memo_free(&exchange->client->memo);
    }
    exchange_release_request(exchange);
    return true;
}

/* What was read goes on. false: the exchange has ended. */
static bool exchange_read(struct exchange *exchange)
{
    struct slice body = {0};

    if (!exchange_reading_complete(exchange, &body))
        return false;
    if (!exchange_reading_waits(exchange))
        return true;
    if (!exchange_begin(exchange, body.size))
        return false;
    if (exchange_append(exchange, body) == 0)
        return true;
    client_close(exchange->client);
    return false;
}

void exchange_response_complete(struct exchange *exchange, size_t rest)
{
    struct upstream *upstream = exchange->upstream;
    struct client *client = exchange->client;
    bool close;

    if (exchange->reading != NULL && !exchange_read(exchange))
        return;
    close = !exchange->keep_alive || exchange->client_body == HTTP_BODY_UNTIL_CLOSE;
    if (exchange->client_body == HTTP_BODY_CHUNKED &&
        buffer_append(&client->out, "0\r\n\r\n", 5) != 0) {
        client_close(client);
        return;
    }
    exchange->upstream = NULL;
    if (rest == 0 && exchange->upstream_keep)
        upstream_give_back(upstream, exchange->upstream_idle);
    else
        upstream_close(upstream);
    client_flush_later(client);
    if (exchange->state != EXCHANGE_OVER)
        exchange_end(exchange, close);
}

/* No more of the response will come. The client must not take a part for the whole: its connection
 * ends without the last chunk, unless nothing was sent yet. */
static void exchange_cut_off(struct exchange *exchange, const char *reason)
{
    if (exchange_reading_waits(exchange))
        exchange_refuse(exchange, 502, reason, 0, NULL);
    else
        client_close(exchange->client);
}

/* Relays bytes of a chunked response; true when it is complete, or the exchange is over. */
static bool exchange_data_chunked(struct exchange *exchange, struct slice data)
{
    for (;;) {
        struct slice piece = {0};
        size_t used = 0;
        enum http_chunk_result result = http_chunk_decode(&exchange->decoder, data, &used, &piece);

        if (result == HTTP_CHUNK_ERROR) {
            exchange->audit.reason = "the server's answer is malformed";
            exchange_cut_off(exchange, "the app's server sent no valid response");
            return true;
        }
        if (result == HTTP_CHUNK_DATA && !exchange_relay(exchange, piece))
            return true;
        data = slice_skip(data, used);
        if (result == HTTP_CHUNK_MORE)
            return false;
        if (result == HTTP_CHUNK_END) {
            exchange_response_complete(exchange, data.size);
            return true;
        }
    }
}

static bool exchange_data_length(struct exchange *exchange, struct slice data)
{
    struct slice piece = data;

    if (piece.size > exchange->body_left)
        piece.size = (size_t)exchange->body_left;
    if (!exchange_relay(exchange, piece))
        return true;
    exchange->body_left -= piece.size;
    if (exchange->body_left > 0)
        return false;
    exchange_response_complete(exchange, data.size - piece.size);
    return true;
}

static void exchange_data(struct exchange *exchange, struct slice data)
{
    bool over = false;

    if (exchange->response_body == HTTP_BODY_CHUNKED)
        over = exchange_data_chunked(exchange, data);
    else if (exchange->response_body == HTTP_BODY_UNTIL_CLOSE)
        over = !exchange_relay(exchange, data);
    else
        over = exchange_data_length(exchange, data);
    if (over)
        return;
    if (exchange->event_stream)
        client_flush_later(exchange->client);
    else
        client_flush(exchange->client);
    if (exchange->state == EXCHANGE_OVER)
        return;
    exchange_stream_wait(exchange);
    exchange_want_upstream(exchange);
}

/* How the client will be sent the body, and whether either connection goes on. */
static void exchange_frame(struct exchange *exchange, const struct http_response *response)
{
    uint64_t idle = worker_limits(exchange->worker)->upstream_idle;
    bool sent = exchange->state == EXCHANGE_HEAD;

    exchange->event_stream = response->event_stream;
    exchange->response_body = response->body;
    if (exchange->method == HTTP_HEAD)
        exchange->response_body = HTTP_BODY_NONE;
    exchange->body_left =
        exchange->response_body == HTTP_BODY_LENGTH ? response->content_length : 0;
    exchange->decoder = (struct http_chunk_decoder){0};
    exchange->client_body = exchange->response_body;
    if (exchange->response_body == HTTP_BODY_CHUNKED ||
        exchange->response_body == HTTP_BODY_UNTIL_CLOSE)
        exchange->client_body =
            exchange->request->minor_version >= 1 ? HTTP_BODY_CHUNKED : HTTP_BODY_UNTIL_CLOSE;
    if (exchange->worker->draining)
        exchange->keep_alive = false;
    exchange->upstream_keep =
        response->keep_alive && sent && exchange->response_body != HTTP_BODY_UNTIL_CLOSE;
    if (response->keep_alive_timeout > 0 &&
        (uint64_t)response->keep_alive_timeout * 1000 < idle + EXCHANGE_IDLE_MARGIN)
        idle = (uint64_t)response->keep_alive_timeout * 1000 - EXCHANGE_IDLE_MARGIN;
    exchange->upstream_idle = (uint32_t)idle;
}

/* An MCP endpoint is one URL: a client that went on to another would leave the gate, and learn
 * where its server stands. Mostly a path in the app's uri lacks its last slash, or has one too
 * many. */
static void exchange_refuse_redirect(struct exchange *exchange)
{
    const struct http_response *response = &exchange->worker->response;
    const struct http_header *location =
        http_find(response->headers, response->header_count, HTTP_LOCATION);
    struct slice to = location == NULL ? slice_from("nowhere") : location->value;

    /* A query, a fragment, and what stands before an '@' may be secrets. */
    for (size_t i = 0; i < to.size; i++) {
        if (to.data[i] == '?' || to.data[i] == '#')
            to.size = i;
        else if (to.data[i] == '@')
            to = slice_from("elsewhere");
    }
    log_warning(
        "upstream_redirect",
        "app %.*s answered %u, and sends its clients to %.*s; is the path in its uri right?",
        (int)exchange->app->record.name.size, exchange->app->record.name.data, response->status,
        (int)to.size, to.data);
    exchange_refuse(exchange, 502, "the app's server answered with a redirect", 0, "upstream");
}

static void exchange_response(struct exchange *exchange, struct slice head, struct slice rest)
{
    struct worker *worker = exchange->worker;
    const struct http_response *response = &worker->response;

    /* The server's challenge would send the client to another authorization server. */
    if (response->status == 401 || response->status == 403) {
        log_warning("upstream_refused", "app %.*s answered %u: it wants credentials of its own",
                    (int)exchange->app->record.name.size, exchange->app->record.name.data,
                    response->status);
        exchange_refuse(exchange, 502, "the app's server refused the gateway", 0, "upstream");
        return;
    }
    if (exchange->mcp && response->status >= 300 && response->status < 400) {
        exchange_refuse_redirect(exchange);
        return;
    }
    endpoint_succeeded(exchange->seen);
    exchange_frame(exchange, response);
    if (exchange->mcp && !exchange_reading_begin(exchange, head))
        return;
    if (!exchange_reading_waits(exchange) && !exchange_begin(exchange, rest.size))
        return;
    exchange->state = EXCHANGE_STREAM;
    if (exchange->event_stream)
        worker->stream_count++;
    deadline_clear(&exchange->deadline);
    if (worker->draining)
        exchange_drain(exchange);
    if (exchange->response_body == HTTP_BODY_NONE ||
        (exchange->response_body == HTTP_BODY_LENGTH && exchange->body_left == 0))
        exchange_response_complete(exchange, rest.size);
    else
        exchange_data(exchange, rest);
    if (exchange->state != EXCHANGE_STREAM || !exchange->event_stream)
        return;
    exchange_audit_stream(exchange);
    exchange_request_dispose(exchange);
}

/* Parses heads, over interim ones (RFC 9110, 15.2), until the final. */
static void exchange_response_head(struct exchange *exchange, struct slice data)
{
    struct worker *worker = exchange->worker;
    struct buffer *in = &exchange->request->response_head;
    struct buffer held = {0};
    const char *reason = NULL;
    long size;

    if (buffer_size(in) > 0) {
        if (buffer_append_slice(in, data) != 0) {
            client_close(exchange->client);
            return;
        }
        held = *in;
        *in = (struct buffer){0};
        data = buffer_slice(&held);
    }
    for (;;) {
        size =
            http_response_parse(data, worker_limits(worker)->head_size, &worker->response, &reason);
        if (size <= 0 || worker->response.status >= 200 || worker->response.status == 101)
            break;
        data = slice_skip(data, (size_t)size);
    }
    if (size > 0 && worker->response.status != 101) {
        if (exchange_mcp_response(exchange, data))
            exchange_response(exchange, slice_make(data.data, (size_t)size),
                              slice_skip(data, (size_t)size));
    } else if (size == 0) {
        if (buffer_append_slice(in, data) != 0)
            client_close(exchange->client);
    } else {
        log_warning("upstream_malformed", "app %.*s: %s", (int)exchange->app->record.name.size,
                    exchange->app->record.name.data,
                    size > 0 ? "an upgrade that was not asked for" : reason);
        exchange_endpoint_failed(exchange, ENDPOINT_MISBEHAVED);
        exchange_refuse(exchange, 502, "the app's server sent no valid response", 0, NULL);
    }
    buffer_free(&held);
}

void exchange_response_resume(struct exchange *exchange)
{
    exchange->state = exchange->held_in;
    connection_want(&exchange->upstream->connection,
                    exchange->state == EXCHANGE_SEND ? EV_READ | EV_WRITE : EV_READ);
    exchange_response_head(exchange, slice_make("", 0));
}

/* The upstream's side ended in the middle of a response, or (without framing) at its end. */
static void exchange_stream_ended(struct exchange *exchange, ssize_t result)
{
    if (exchange->response_body == HTTP_BODY_UNTIL_CLOSE && result == 0) {
        exchange->upstream_keep = false;
        exchange_response_complete(exchange, 0);
        return;
    }
    log_warning("upstream_lost", "app %.*s: the response was cut off",
                (int)exchange->app->record.name.size, exchange->app->record.name.data);
    exchange->audit.reason = "the server cut its answer off";
    exchange_cut_off(exchange, "the app's server ended the connection");
}

void exchange_receive(struct exchange *exchange)
{
    struct worker *worker = exchange->worker;
    struct upstream *upstream = exchange->upstream;
    ssize_t count = connection_read(&upstream->connection, worker->scratch, WORKER_SCRATCH);

    if (count == -EAGAIN)
        return;
    if (count > 0 && exchange->state == EXCHANGE_STREAM)
        exchange_data(exchange, slice_make(worker->scratch, (size_t)count));
    else if (count > 0)
        exchange_response_head(exchange, slice_make(worker->scratch, (size_t)count));
    else if (exchange->state == EXCHANGE_STREAM)
        exchange_stream_ended(exchange, count);
    else if (buffer_size(&exchange->request->response_head) > 0) {
        exchange_endpoint_failed(exchange, ENDPOINT_MISBEHAVED);
        exchange_refuse(exchange, 502, "the app's server sent half a response", 0, NULL);
    } else
        exchange_lost(exchange, "the connection ended without a response");
}

void exchange_upstream_ready(struct upstream *upstream, int events)
{
    struct exchange *exchange = upstream->owner;

    if ((events & EV_WRITE) != 0 && exchange->state == EXCHANGE_SEND)
        exchange_send(exchange);
    if ((events & EV_READ) != 0 && exchange->upstream == upstream &&
        exchange->state != EXCHANGE_RECORD && exchange->state != EXCHANGE_OVER)
        exchange_receive(exchange);
}

void exchange_blocked(struct exchange *exchange)
{
    exchange_want_upstream(exchange);
}

void exchange_written(struct exchange *exchange)
{
    exchange_want_upstream(exchange);
    if (exchange->state == EXCHANGE_STREAM && !exchange->event_stream)
        exchange_stream_wait(exchange);
}
