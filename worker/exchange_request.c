/* The request's half of an exchange: collects the body, and sends it to the endpoint that
 * exchange_endpoint.c found. */
#include "worker/exchange.h"

#include "worker/exchange_mcp_session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct exchange_request *exchange_request_make(const struct http_request *head, size_t head_size)
{
    struct exchange_request *request = malloc(sizeof(*request));

    if (request == NULL)
        return NULL;
    *request = (struct exchange_request){
        .minor_version = head->minor_version,
        .expect_continue = head->expect_continue,
        .in_place = true,
        .body_framing = head->body,
        .head_size = head_size,
        .body_size = head->body == HTTP_BODY_LENGTH ? head->content_length : 0,
    };
    return request;
}

void exchange_request_dispose(struct exchange *exchange)
{
    struct exchange_request *request = exchange->request;
    struct worker *worker = exchange->worker;

    if (request == NULL)
        return;
    exchange_mcp_forget(exchange);
    exchange->request = NULL;
    write_queue_remove(&worker->writes, &request->sending);
    auth_attempt_free(worker->authenticator, request->attempt);
    free(request->cors_origin);
    policy_set_release(request->rpc.policy);
    if (request->write != NULL)
        request->write->done = NULL;
    worker->body_bytes -= request->body_charged;
    buffer_wipe(&request->head);
    buffer_free(&request->body);
    buffer_free(&request->upstream_head);
    buffer_free(&request->response_head);
    free(request->kept);
    free(request->note.text);
    worker_bury(worker, &request->remains);
}

void exchange_release_request(struct exchange *exchange)
{
    struct client *client = exchange->client;

    exchange_audit_note(exchange);
    exchange_mcp_forget(exchange);
    if (exchange->request->in_place) {
        buffer_consume(&client->in,
                       exchange->request->head_size + (size_t)exchange->request->body_size);
        if (buffer_size(&client->in) == 0)
            client_lend_input(client);
        exchange->request->in_place = false;
    }
    exchange->worker->body_bytes -= exchange->request->body_charged;
    exchange->request->body_charged = 0;
    buffer_wipe(&exchange->request->head);
    buffer_free(&exchange->request->body);
    buffer_free(&exchange->request->upstream_head);
    free(exchange->request->kept);
    exchange->request->kept = NULL;
    exchange->request->mcp_id_size = 0;
}

struct slice exchange_head(const struct exchange *exchange)
{
    if (!exchange->request->in_place)
        return buffer_slice(&exchange->request->head);
    return slice_make(buffer_data(&exchange->client->in), exchange->request->head_size);
}

struct slice exchange_body(const struct exchange *exchange)
{
    if (!exchange->request->in_place)
        return buffer_slice(&exchange->request->body);
    return slice_make(buffer_data(&exchange->client->in) + exchange->request->head_size,
                      (size_t)exchange->request->body_size);
}

struct slice exchange_part(const struct exchange *exchange, struct exchange_span span)
{
    if (span.size == 0)
        return slice_make(NULL, 0);
    if (exchange->request->kept != NULL)
        return slice_make(exchange->request->kept + span.at, span.size);
    return slice_make(exchange_body(exchange).data + span.at, span.size);
}

/* A call was sent in full and will not be sent again: keeps the few bytes of it that the answer
 * needs, and gives back the rest. With many calls in progress it would be most of what a worker
 * touches, and pushes out of the processor's cache. */
static void exchange_release_sent(struct exchange *exchange)
{
    struct slice id = exchange_part(exchange, exchange->request->rpc.id);
    struct slice session = exchange_mcp_id(exchange);
    const struct mcp_method *method = exchange->mcp_method;
    char *kept;

    /* What an initialize, and a batch, says is needed later; and what may be answered by a server
     * that knows the session no longer is sent to another. */
    if (!exchange->mcp || exchange->reopen != NULL || exchange->method != HTTP_POST ||
        method == NULL || method->initialize)
        return;
    kept = malloc(id.size + session.size + 1);
    if (kept == NULL)
        return; /* it just stays where it is */
    memcpy(kept, id.data == NULL ? "" : id.data, id.size);
    memcpy(kept + id.size, session.data == NULL ? "" : session.data, session.size);
    exchange_release_request(exchange);
    exchange->request->kept = kept;
    exchange->request->rpc.id = (struct exchange_span){0, (uint32_t)id.size};
    exchange->request->mcp_id_at = id.size;
    exchange->request->mcp_id_size = session.size;
}

/* The head is in worker.request and the body in hand. */
static void exchange_forward(struct exchange *exchange)
{
    deadline_clear(&exchange->client->deadline);
    if (!exchange->mcp || exchange_mcp_admits(exchange, exchange_body(exchange)))
        exchange_dispatch(exchange);
}

/* All of a body that did not come with its head is here. */
static void exchange_collected(struct exchange *exchange)
{
    struct worker *worker = exchange->worker;
    const char *reason;

    exchange->state = EXCHANGE_CONNECT;
    if (http_request_parse(buffer_slice(&exchange->request->head), worker_limits(worker)->head_size,
                           &worker->request, &reason) <= 0) {
        client_close(exchange->client);
        return;
    }
    exchange_forward(exchange);
}

/* Keeps bytes of the body; false when a limit refused the request (and ended it). */
static bool exchange_keep(struct exchange *exchange, struct slice data)
{
    struct worker *worker = exchange->worker;
    const struct settings_limits *limits = worker_limits(worker);

    if (data.size > limits->body_size - buffer_size(&exchange->request->body)) {
        exchange_refuse(exchange, 413, "the request's body is too large", 0, NULL);
        return false;
    }
    if (worker->body_bytes + data.size > limits->body_memory ||
        buffer_append_slice(&exchange->request->body, data) != 0) {
        exchange_refuse(exchange, 503, "too many bodies are being read", 1, NULL);
        return false;
    }
    worker->body_bytes += data.size;
    exchange->request->body_charged += data.size;
    return true;
}

static void exchange_input_length(struct exchange *exchange)
{
    struct buffer *in = &exchange->client->in;
    struct slice data = buffer_slice(in);
    uint64_t left = exchange->request->body_size - buffer_size(&exchange->request->body);

    if (data.size > left)
        data.size = (size_t)left;
    if (!exchange_keep(exchange, data))
        return;
    buffer_consume(in, data.size);
    if (buffer_size(&exchange->request->body) == exchange->request->body_size)
        exchange_collected(exchange);
    else
        client_await_body(exchange->client);
}

static void exchange_input_chunked(struct exchange *exchange)
{
    struct buffer *in = &exchange->client->in;

    for (;;) {
        struct slice data = {0};
        size_t used = 0;

        switch (http_chunk_decode(&exchange->decoder, buffer_slice(in), &used, &data)) {
        case HTTP_CHUNK_DATA:
            if (!exchange_keep(exchange, data))
                return;
            buffer_consume(in, used);
            break;
        case HTTP_CHUNK_MORE:
            buffer_consume(in, used);
            client_await_body(exchange->client);
            return;
        case HTTP_CHUNK_END:
            buffer_consume(in, used);
            exchange->request->body_size = buffer_size(&exchange->request->body);
            exchange_collected(exchange);
            return;
        case HTTP_CHUNK_ERROR:
            exchange_refuse(exchange, 400, "the chunked body is malformed", 0, NULL);
            return;
        }
    }
}

void exchange_input(struct exchange *exchange)
{
    if (exchange->state != EXCHANGE_BODY)
        return;
    if (exchange->request->body_framing == HTTP_BODY_CHUNKED)
        exchange_input_chunked(exchange);
    else
        exchange_input_length(exchange);
}

void exchange_body_late(struct exchange *exchange)
{
    if (exchange->state == EXCHANGE_BODY)
        exchange_refuse(exchange, 408, "the request's body did not come in time", 0, NULL);
}

void exchange_collect(struct exchange *exchange)
{
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct client *client = exchange->client;
    size_t behind = buffer_size(&client->in) - exchange->request->head_size;

    exchange->state = EXCHANGE_CONNECT;
    if (exchange->request->body_size > worker_limits(exchange->worker)->body_size) {
        exchange_refuse(exchange, 413, "the request's body is too large", 0, NULL);
        return;
    }
    if (exchange->request->body_framing != HTTP_BODY_CHUNKED &&
        exchange->request->body_size <= behind) {
        exchange_forward(exchange);
        return;
    }
    if (buffer_append(&exchange->request->head, buffer_data(&client->in),
                      exchange->request->head_size) != 0) {
        client_close(client);
        return;
    }
    buffer_consume(&client->in, exchange->request->head_size);
    exchange->request->in_place = false;
    exchange->state = EXCHANGE_BODY;
    if (exchange->request->expect_continue && behind == 0) {
        if (buffer_append(&client->out, interim, sizeof(interim) - 1) != 0) {
            client_close(client);
            return;
        }
        client_flush(client);
    }
    if (exchange->state == EXCHANGE_BODY)
        exchange_input(exchange);
}

void exchange_send(struct exchange *exchange)
{
    struct connection *connection = &exchange->upstream->connection;
    struct slice head = buffer_slice(&exchange->request->upstream_head);
    struct slice body = exchange_bridge_body(exchange);

    exchange->state = EXCHANGE_SEND;
    exchange_audit_sent(exchange);
    if (exchange->deadline.at == 0)
        deadline_set(&exchange->deadline, worker_limits(exchange->worker)->response_timeout);
    while (exchange->request->sent < head.size + body.size) {
        struct slice first = slice_skip(head, exchange->request->sent);
        struct slice second = exchange->request->sent > head.size
                                  ? slice_skip(body, exchange->request->sent - head.size)
                                  : body;
        struct iovec parts[2] = {
            {.iov_base = (char *)(first.size > 0 ? first.data : second.data),
             .iov_len = first.size > 0 ? first.size : second.size},
            {.iov_base = (char *)second.data, .iov_len = second.size},
        };
        ssize_t count =
            connection_write(connection, parts, first.size > 0 && second.size > 0 ? 2 : 1);

        if (count == -EAGAIN) {
            connection_want(connection, EV_READ | EV_WRITE);
            return;
        }
        if (count < 0) {
            exchange_lost(exchange, "the connection broke while the request was sent");
            return;
        }
        exchange->request->sent += (size_t)count;
    }
    exchange->state = EXCHANGE_HEAD;
    exchange_release_sent(exchange);
    connection_want(connection, EV_READ);
}
