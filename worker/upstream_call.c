#include "worker/upstream_call.h"

#include "worker/http_chunk.h"
#include "worker/mcp_response.h"

#include <errno.h>
#include <stdlib.h>

struct upstream_call {
    struct remains remains;
    struct worker *worker;
    struct upstream *upstream;
    struct upstream_call_hooks hooks;
    void *context;
    struct deadline deadline;
    struct buffer request;
    size_t sent;
    struct buffer in; /* of the answer's head */
    bool begun;       /* the head is read */
    bool event_stream;
    bool satisfied; /* nobody wants more of the answer */
    enum http_body framing;
    uint64_t left; /* of HTTP_BODY_LENGTH */
    struct http_chunk_decoder decoder;
    struct mcp_response response;
};

void upstream_call_stop(struct upstream_call *call)
{
    if (call == NULL)
        return;
    deadline_close(&call->deadline);
    if (call->upstream != NULL)
        upstream_close(call->upstream);
    buffer_wipe(&call->request);
    buffer_free(&call->in);
    mcp_response_free(&call->response);
    worker_bury(call->worker, &call->remains);
}

static void call_end(struct upstream_call *call, enum upstream_call_end end, const char *reason)
{
    upstream_call_stop(call);
    if (call->hooks.done != NULL)
        call->hooks.done(call->context, end, reason);
}

static void call_break(struct upstream_call *call, const char *reason)
{
    call_end(call, UPSTREAM_CALL_BROKEN, reason);
}

static void call_late(struct deadline *deadline)
{
    struct upstream_call *call = deadline->owner;
    bool connected = call->upstream->state == UPSTREAM_BUSY;

    call_end(call, connected ? UPSTREAM_CALL_BROKEN : UPSTREAM_CALL_UNREACHED, "no answer in time");
}

static enum mcp_verdict call_look(void *context, struct slice text, struct buffer *out)
{
    struct upstream_call *call = context;

    (void)out;
    if (!call->satisfied && call->hooks.message != NULL)
        call->satisfied = call->hooks.message(call->context, text);
    return MCP_DROPPED;
}

static bool call_put(void *context, struct slice bytes)
{
    (void)context;
    (void)bytes;
    return true;
}

/* The answer's body is complete. */
static void call_complete(struct upstream_call *call)
{
    struct slice text;

    if (call->event_stream)
        (void)mcp_response_events_end(&call->response);
    else
        (void)mcp_response_document(&call->response, &text);
    call_end(call, UPSTREAM_CALL_ANSWERED, NULL);
}

/* Bytes of the body. false: the call has ended. */
static bool call_take(struct upstream_call *call, struct slice data)
{
    int error = call->event_stream ? mcp_response_events(&call->response, data)
                                   : mcp_response_collect(&call->response, data);

    if (call->satisfied)
        call_end(call, UPSTREAM_CALL_ANSWERED, NULL);
    else if (error != 0)
        call_break(call, error == -EMSGSIZE ? "its answer is too large" : "out of memory");
    return !call->satisfied && error == 0;
}

static void call_take_chunked(struct upstream_call *call, struct slice data)
{
    for (;;) {
        struct slice piece = {0};
        size_t used = 0;

        switch (http_chunk_decode(&call->decoder, data, &used, &piece)) {
        case HTTP_CHUNK_DATA:
            if (!call_take(call, piece))
                return;
            data = slice_skip(data, used);
            break;
        case HTTP_CHUNK_MORE:
            return;
        case HTTP_CHUNK_END:
            call_complete(call);
            return;
        case HTTP_CHUNK_ERROR:
            call_break(call, "its answer is malformed");
            return;
        }
    }
}

static void call_body(struct upstream_call *call, struct slice data)
{
    if (call->framing == HTTP_BODY_CHUNKED) {
        call_take_chunked(call, data);
        return;
    }
    if (call->framing == HTTP_BODY_LENGTH && data.size > call->left)
        data.size = (size_t)call->left;
    if (!call_take(call, data))
        return;
    call->left -= call->framing == HTTP_BODY_LENGTH ? data.size : 0;
    if (call->framing == HTTP_BODY_LENGTH && call->left == 0)
        call_complete(call);
}

static void call_begin(struct upstream_call *call, struct slice rest)
{
    const struct http_response *response = &call->worker->response;

    call->begun = true;
    call->event_stream = response->event_stream;
    call->framing = response->body;
    call->left = response->body == HTTP_BODY_LENGTH ? response->content_length : 0;
    if (call->hooks.head != NULL)
        call->hooks.head(call->context, response);
    if (response->status != 200 || response->body == HTTP_BODY_NONE ||
        (response->body == HTTP_BODY_LENGTH && call->left == 0))
        call_end(call, UPSTREAM_CALL_ANSWERED, NULL);
    else if (rest.size > 0)
        call_body(call, rest);
}

/* Over interim heads until the final one. */
static void call_head(struct upstream_call *call, struct slice data)
{
    struct worker *worker = call->worker;
    struct buffer held = {0};
    const char *reason;
    long size;

    if (buffer_append_slice(&call->in, data) != 0) {
        call_break(call, "out of memory");
        return;
    }
    for (;;) {
        size = http_response_parse(buffer_slice(&call->in), worker_limits(worker)->head_size,
                                   &worker->response, &reason);
        if (size <= 0 || worker->response.status >= 200 || worker->response.status == 101)
            break;
        buffer_consume(&call->in, (size_t)size);
    }
    if (size == 0)
        return;
    if (size < 0 || worker->response.status == 101) {
        call_break(call, "its answer is malformed");
        return;
    }
    held = call->in;
    call->in = (struct buffer){0};
    call_begin(call, slice_skip(buffer_slice(&held), (size_t)size));
    buffer_free(&held);
}

static void call_receive(struct upstream_call *call)
{
    struct worker *worker = call->worker;
    ssize_t count = connection_read(&call->upstream->connection, worker->scratch, WORKER_SCRATCH);

    if (count == -EAGAIN)
        return;
    if (count > 0 && call->begun)
        call_body(call, slice_make(worker->scratch, (size_t)count));
    else if (count > 0)
        call_head(call, slice_make(worker->scratch, (size_t)count));
    else if (count == 0 && call->begun && call->framing == HTTP_BODY_UNTIL_CLOSE)
        call_complete(call);
    else
        call_break(call, "the connection ended without a whole answer");
}

/* false: the call has ended. */
static bool call_send(struct upstream_call *call)
{
    struct connection *connection = &call->upstream->connection;

    while (call->sent < buffer_size(&call->request)) {
        struct iovec part = {.iov_base = buffer_data(&call->request) + call->sent,
                             .iov_len = buffer_size(&call->request) - call->sent};
        ssize_t count = connection_write(connection, &part, 1);

        if (count == -EAGAIN) {
            connection_want(connection, EV_READ | EV_WRITE);
            return true;
        }
        if (count < 0) {
            call_break(call, "the connection broke while the request was sent");
            return false;
        }
        call->sent += (size_t)count;
    }
    connection_want(connection, EV_READ);
    return true;
}

static void call_ready(struct upstream *upstream, int events)
{
    struct upstream_call *call = upstream->owner;

    if ((events & EV_WRITE) != 0 && !call_send(call))
        return;
    if ((events & EV_READ) != 0)
        call_receive(call);
}

static void call_opened(struct upstream *upstream, const char *failure)
{
    struct upstream_call *call = upstream->owner;

    if (failure != NULL)
        call_end(call, UPSTREAM_CALL_UNREACHED, failure);
    else
        (void)call_send(call);
}

struct upstream_call *upstream_call_start(struct worker *worker,
                                          const struct upstream_target *target,
                                          struct buffer *request, uint64_t timeout,
                                          const struct upstream_call_hooks *hooks, void *context)
{
    struct upstream_call *call = calloc(1, sizeof(*call));
    struct upstream *upstream = NULL;

    if (call == NULL || upstream_take(worker, target, true, &upstream) != 0) {
        free(call);
        buffer_wipe(request);
        return NULL;
    }
    call->worker = worker;
    call->upstream = upstream;
    call->hooks = *hooks;
    call->context = context;
    call->request = *request;
    *request = (struct buffer){0};
    call->response = (struct mcp_response){
        .limit = UPSTREAM_CALL_MESSAGE_MAX, .context = call, .look = call_look, .put = call_put};
    upstream->owner = call;
    upstream->opened = call_opened;
    upstream->ready = call_ready;
    deadline_open(&call->deadline, worker->loop, call_late, call);
    deadline_set(&call->deadline, timeout);
    return call;
}
