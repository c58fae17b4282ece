#include "worker/bridge_delivery.h"

#include "worker/mcp_message.h"

#include <errno.h>

static const char *delivery_reason(int error)
{
    switch (error) {
    case -EAGAIN:
        return "the server does not read its messages";
    case -EDQUOT:
        return "too many requests are open";
    case -EPROTO:
        return "the session begins with initialize";
    case -EPIPE:
        return "the server has ended";
    default:
        return "the bridge is out of memory";
    }
}

static void delivery_no_memory(struct bridge_client *client)
{
    bridge_client_refuse(client, 503, BRIDGE_INTERNAL_ERROR, delivery_reason(-ENOMEM),
                         slice_make(NULL, 0));
}

/* The request could not be sent: its stream says so. */
static void delivery_unsent(struct bridge_stream *stream, struct slice id, int error,
                            unsigned status)
{
    struct buffer text = {0};

    if (buffer_append_format(&text,
                             "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"error\":{\"code\":%d,"
                             "\"message\":\"%s\"}}",
                             (int)id.size, id.data, BRIDGE_INTERNAL_ERROR,
                             delivery_reason(error)) == 0)
        bridge_stream_put(stream, buffer_slice(&text), status);
    buffer_free(&text);
}

static void delivery_told(struct bridge_client *client, int error)
{
    struct reply_error refusal = {.status = 503,
                                  .code = BRIDGE_INTERNAL_ERROR,
                                  .message = delivery_reason(error),
                                  .retry_after = BRIDGE_RETRY_AFTER};

    if (error == 0)
        bridge_client_answer(client, 202, NULL, slice_make(NULL, 0));
    else
        bridge_client_error(client, &refusal);
}

/* What is no request goes on without an answer; the first failure counts. */
static int delivery_tell(struct bridge_session *session, const struct bridge_message *message)
{
    if (message->kind == BRIDGE_RESPONSE)
        return bridge_link_respond(session->link, session, message);
    return bridge_link_notify(session->link, session, message);
}

/* One request, to be answered by a stream of its own. */
static void delivery_request(struct bridge_client *client, struct bridge_session *session,
                             const struct bridge_message *message)
{
    struct bridge_stream *stream = bridge_session_stream(session, BRIDGE_STREAM_ANSWER);
    int error;

    if (stream == NULL) {
        delivery_told(client, -ENOMEM);
        return;
    }
    bridge_stream_attach(stream, client, 0);
    error = bridge_link_request(session->link, session, stream, message);
    if (error != 0)
        delivery_unsent(stream, message->id, error, 503);
}

/* The messages of a batch (2025-03-26). `stream` NULL: none is a request. */
static int delivery_batch_send(struct bridge_session *session, struct bridge_stream *stream,
                               const struct json_value *batch)
{
    struct bridge_message message;
    struct json_iterator iterator;
    struct json_value value;
    const char *reason;
    int error = 0;

    json_iterate(&iterator, batch);
    while (json_next(&iterator, NULL, NULL, &value) == 1 && !session->ended) {
        int result;

        if (bridge_message_read(value.text, &message, &reason) != 0)
            continue;
        if (message.kind != BRIDGE_REQUEST) {
            result = delivery_tell(session, &message);
            error = error == 0 ? result : error;
            continue;
        }
        if (stream == NULL)
            return 1;
        result = bridge_link_request(session->link, session, stream, &message);
        if (result != 0)
            delivery_unsent(stream, message.id, result, 0);
    }
    return error;
}

static bool delivery_batch_asks(const struct json_value *batch)
{
    struct bridge_message message;
    struct json_iterator iterator;
    struct json_value value;
    const char *reason;

    json_iterate(&iterator, batch);
    while (json_next(&iterator, NULL, NULL, &value) == 1) {
        if (bridge_message_read(value.text, &message, &reason) == 0 &&
            message.kind == BRIDGE_REQUEST)
            return true;
    }
    return false;
}

static void delivery_batch(struct bridge_client *client, struct bridge_session *session,
                           const struct json_value *batch)
{
    struct bridge_stream *stream;

    if (session->old) {
        delivery_told(client, delivery_batch_send(session, session->standing, batch));
        return;
    }
    if (!delivery_batch_asks(batch)) {
        delivery_told(client, delivery_batch_send(session, NULL, batch));
        return;
    }
    stream = bridge_session_stream(session, BRIDGE_STREAM_ANSWER);
    if (stream == NULL) {
        delivery_told(client, -ENOMEM);
        return;
    }
    bridge_stream_attach(stream, client, 0);
    bridge_stream_begin(stream);
    stream->calls++; /* so that it does not end before all of them are sent */
    delivery_batch_send(session, stream, batch);
    if (!session->ended && --stream->calls == 0)
        bridge_stream_finish(stream);
}

void bridge_delivery_send(struct bridge_client *client, struct bridge_session *session)
{
    struct slice body = buffer_slice(&client->body);
    struct bridge_message message;
    struct json_value root;
    const char *reason;
    int error;

    if (json_parse(body, &root, &reason) == 0 && root.kind == JSON_ARRAY) {
        delivery_batch(client, session, &root);
    } else if (bridge_message_read(body, &message, &reason) != 0) {
        bridge_client_refuse(client, 400, MCP_INVALID_REQUEST, reason, slice_make(NULL, 0));
    } else if (message.kind != BRIDGE_REQUEST) {
        delivery_told(client, delivery_tell(session, &message));
    } else if (!session->old) {
        delivery_request(client, session, &message);
    } else {
        error = bridge_link_request(session->link, session, session->standing, &message);
        if (error != 0)
            delivery_unsent(session->standing, message.id, error, 0);
        delivery_told(client, 0);
    }
}

void bridge_delivery_open(struct bridge_client *client, struct bridge_session *session,
                          const struct bridge_message *message)
{
    struct bridge_stream *stream = bridge_session_stream(session, BRIDGE_STREAM_PLAIN);
    int error;

    if (stream == NULL) {
        bridge_session_end(session);
        delivery_no_memory(client);
        return;
    }
    bridge_stream_attach(stream, client, 0);
    error = bridge_link_request(session->link, session, stream, message);
    if (error == 0)
        return;
    delivery_unsent(stream, message->id, error, 503);
    bridge_session_end(session);
}

void bridge_delivery_modern(struct bridge_client *client, struct bridge_link *link,
                            const struct bridge_message *message)
{
    struct bridge_stream *stream = bridge_stream_new(client->bridge, BRIDGE_STREAM_MODERN);
    int error;

    if (stream == NULL) {
        delivery_no_memory(client);
        return;
    }
    stream->server = link;
    bridge_stream_attach(stream, client, 0);
    error = bridge_link_request(link, NULL, stream, message);
    if (error != 0) {
        stream->server = NULL;
        delivery_unsent(stream, message->id, error, 503);
    }
}
