#include "worker/bridge_client.h"

#include "worker/bridge_exchange.h"
#include "worker/bridge_stream.h"
#include "worker/bridge_word.h"
#include "worker/http_chunk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CLIENT_HEAD_MAX = 128 * 1024, /* bytes: a head of a client's, and a CA bundle in base64 */
    CLIENT_WAITING_MAX =
        64 * 1024,           /* bytes that come before an answer is over: workers send none */
    CLIENT_ROOM = 64 * 1024, /* bytes that wait for a worker, before streams wait */
};

static void client_flush(struct bridge_client *client);
static void client_run(struct bridge_client *client);

void bridge_client_close(struct bridge_client *client)
{
    struct bridge *bridge = client->bridge;
    struct bridge_stream *stream = client->stream;

    if (client->state == BRIDGE_CLIENT_CLOSED)
        return;
    client->state = BRIDGE_CLIENT_CLOSED;
    ev_io_stop(bridge->loop, &client->reader);
    ev_io_stop(bridge->loop, &client->writer);
    close(client->fd);
    *client->link = client->next;
    if (client->next != NULL)
        client->next->link = client->link;
    buffer_free(&client->in);
    buffer_free(&client->head);
    buffer_free(&client->body);
    buffer_free(&client->out);
    client->stream = NULL;
    if (stream != NULL)
        bridge_stream_detached(stream, client->client_left);
    bridge_bury(bridge, &client->remains);
}

/* The answer is complete: the next request may come. */
static void client_finished(struct bridge_client *client)
{
    if (client->state == BRIDGE_CLIENT_CLOSED)
        return;
    client->stream = NULL;
    buffer_free(&client->head);
    buffer_free(&client->body);
    client->state = client->request.keep_alive && !client->bridge->draining ? BRIDGE_CLIENT_HEAD
                                                                            : BRIDGE_CLIENT_LAST;
    client_flush(client);
    client_run(client);
}

void bridge_client_answer(struct bridge_client *client, unsigned status, const char *extra,
                          struct slice body)
{
    struct buffer *out = &client->out;
    int error;

    if (client->state == BRIDGE_CLIENT_CLOSED)
        return;
    error = buffer_append_format(out, "HTTP/1.1 %u %s\r\n", status, reply_phrase(status));
    if (error == 0 && extra != NULL)
        error = buffer_append_text(out, extra);
    if (error == 0 && body.size > 0)
        error = buffer_append_text(out, "Content-Type: application/json\r\n");
    /* RFC 9110, 8.6: a 204 says no length. */
    if (error == 0 && status != 204)
        error = buffer_append_format(out, "Content-Length: %zu\r\n", body.size);
    if (error == 0)
        error = buffer_append_text(out, "\r\n");
    if (error == 0)
        error = buffer_append_slice(out, body);
    if (error != 0)
        bridge_client_close(client);
    else
        client_finished(client);
}

void bridge_client_error(struct bridge_client *client, struct reply_error *error)
{
    if (client->state == BRIDGE_CLIENT_CLOSED)
        return;
    error->json_rpc = true;
    if (reply_error(&client->out, error) != 0)
        bridge_client_close(client);
    else
        client_finished(client);
}

void bridge_client_refuse(struct bridge_client *client, unsigned status, int code,
                          const char *message, struct slice id)
{
    struct reply_error error = {.status = status, .code = code, .message = message, .id = id};

    bridge_client_error(client, &error);
}

void bridge_client_events(struct bridge_client *client)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                               "Cache-Control: no-cache\r\nX-Accel-Buffering: no\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n";

    if (client->state != BRIDGE_CLIENT_BUSY)
        return;
    client->state = BRIDGE_CLIENT_EVENTS;
    if (buffer_append(&client->out, head, sizeof(head) - 1) != 0)
        bridge_client_close(client);
    else
        client_flush(client);
}

void bridge_client_write(struct bridge_client *client, struct slice data)
{
    char line[24];
    size_t size = http_chunk_line(data.size, line);

    if (client->state != BRIDGE_CLIENT_EVENTS || data.size == 0)
        return;
    if (buffer_reserve(&client->out, size + data.size + 2) != 0) {
        bridge_client_close(client);
        return;
    }
    buffer_append(&client->out, line, size);
    buffer_append_slice(&client->out, data);
    buffer_append(&client->out, "\r\n", 2);
    client_flush(client);
}

void bridge_client_end(struct bridge_client *client)
{
    if (client->state != BRIDGE_CLIENT_EVENTS)
        return;
    if (buffer_append(&client->out, "0\r\n\r\n", 5) != 0)
        bridge_client_close(client);
    else
        client_finished(client);
}

bool bridge_client_room(const struct bridge_client *client)
{
    return buffer_size(&client->out) < CLIENT_ROOM;
}

static void client_malformed(struct bridge_client *client, unsigned status, const char *reason)
{
    struct reply_error error = {.status = status, .message = reason, .close = true};

    client->request.keep_alive = false;
    client->state = BRIDGE_CLIENT_BUSY;
    bridge_client_error(client, &error);
}

/* Moves a whole head out of `in`, where it would not stay. */
static bool client_take_head(struct bridge_client *client)
{
    struct slice input = buffer_slice(&client->in);
    const char *reason;
    long size;

    if (input.size == 0)
        return false;
    size = http_request_parse(input, CLIENT_HEAD_MAX, &client->request, &reason);
    if (size < 0)
        client_malformed(client, (unsigned)-size, reason);
    if (size <= 0)
        return false;
    if (buffer_append(&client->head, input.data, (size_t)size) != 0) {
        bridge_client_close(client);
        return false;
    }
    buffer_consume(&client->in, (size_t)size);
    http_request_parse(buffer_slice(&client->head), CLIENT_HEAD_MAX, &client->request, &reason);
    client->left = client->request.body == HTTP_BODY_LENGTH ? client->request.content_length : 0;
    client->state = BRIDGE_CLIENT_BODY;
    if (client->left <= client->bridge->child.settings.limits.body_size)
        return true;
    client_malformed(client, 413, "the body is too large");
    return false;
}

/* Workers send lengths; a chunked body is not expected of them. */
static bool client_take_body(struct bridge_client *client)
{
    struct slice input = buffer_slice(&client->in);

    if (client->request.body == HTTP_BODY_CHUNKED) {
        client_malformed(client, 411, "a length is required");
        return false;
    }
    if (input.size > client->left)
        input.size = (size_t)client->left;
    if (buffer_append_slice(&client->body, input) != 0) {
        bridge_client_close(client);
        return false;
    }
    client->left -= input.size;
    buffer_consume(&client->in, input.size);
    return client->left == 0;
}

/* Takes requests until one has to wait. */
static void client_run(struct bridge_client *client)
{
    if (client->running)
        return;
    client->running = true;
    while (client->state == BRIDGE_CLIENT_HEAD || client->state == BRIDGE_CLIENT_BODY) {
        if (client->state == BRIDGE_CLIENT_HEAD && !client_take_head(client))
            break;
        if (client->state != BRIDGE_CLIENT_BODY || !client_take_body(client))
            break;
        client->state = BRIDGE_CLIENT_BUSY;
        bridge_exchange_run(client);
    }
    client->running = false;
    if (client->state == BRIDGE_CLIENT_HEAD && buffer_size(&client->in) == 0)
        buffer_free(&client->in);
}

static void client_flush(struct bridge_client *client)
{
    struct ev_loop *loop = client->bridge->loop;

    while (buffer_size(&client->out) > 0) {
        ssize_t sent =
            send(client->fd, buffer_data(&client->out), buffer_size(&client->out), MSG_NOSIGNAL);

        if (sent >= 0) {
            buffer_consume(&client->out, (size_t)sent);
        } else if (errno == EAGAIN) {
            ev_io_start(loop, &client->writer);
            return;
        } else if (errno != EINTR) {
            bridge_client_close(client);
            return;
        }
    }
    ev_io_stop(loop, &client->writer);
    buffer_free(&client->out);
    if (client->state == BRIDGE_CLIENT_LAST)
        bridge_client_close(client);
}

static void client_readable(struct ev_loop *loop, struct ev_io *watcher, int events)
{
    struct bridge_client *client = watcher->data;
    struct bridge *bridge = client->bridge;
    ssize_t got = recv(client->fd, bridge->scratch, sizeof(bridge->scratch), 0);

    (void)loop;
    (void)events;
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    client->client_left = got <= 0 && client->state == BRIDGE_CLIENT_EVENTS &&
                          slice_is(buffer_slice(&client->in), BRIDGE_WORD_LEFT);
    if (got <= 0 || buffer_append(&client->in, bridge->scratch, (size_t)got) != 0) {
        bridge_client_close(client);
        return;
    }
    client_run(client);
    if (client->state != BRIDGE_CLIENT_CLOSED && client->state != BRIDGE_CLIENT_BODY &&
        buffer_size(&client->in) > CLIENT_HEAD_MAX + CLIENT_WAITING_MAX)
        bridge_client_close(client);
}

static void client_writable(struct ev_loop *loop, struct ev_io *watcher, int events)
{
    struct bridge_client *client = watcher->data;

    (void)loop;
    (void)events;
    client_flush(client);
    if (client->state == BRIDGE_CLIENT_EVENTS && client->stream != NULL &&
        bridge_client_room(client))
        bridge_stream_pump(client->stream);
}

void bridge_client_open(struct bridge *bridge, int fd)
{
    struct bridge_client *client = calloc(1, sizeof(*client));

    if (client == NULL) {
        close(fd);
        return;
    }
    client->bridge = bridge;
    client->fd = fd;
    client->next = bridge->clients;
    client->link = &bridge->clients;
    if (client->next != NULL)
        client->next->link = &client->next;
    bridge->clients = client;
    ev_io_init(&client->reader, client_readable, fd, EV_READ);
    ev_io_init(&client->writer, client_writable, fd, EV_WRITE);
    client->reader.data = client;
    client->writer.data = client;
    ev_io_start(bridge->loop, &client->reader);
}
