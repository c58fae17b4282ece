#include "worker/demo_connection.h"

#include "worker/demo_answer.h"
#include "worker/demo_exchange.h"
#include "worker/demo_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CONNECTION_HEAD_MAX = 32 * 1024, /* bytes */
    CONNECTION_BODY_MAX = 4 * 1024 * 1024,
    CONNECTION_WAITING_MAX = 64 * 1024, /* bytes of requests that wait for a stream's end */
    CONNECTION_READ = 16 * 1024,        /* bytes taken at once */
    CONNECTION_IDLE = 75 * 1000,        /* milliseconds */
};

void demo_connection_close(struct demo_connection *connection)
{
    struct ev_loop *loop = connection->server->loop;

    ev_io_stop(loop, &connection->reader);
    ev_io_stop(loop, &connection->writer);
    ev_timer_stop(loop, &connection->timer);
    close(connection->fd);
    *connection->link = connection->next;
    if (connection->next != NULL)
        connection->next->link = connection->link;
    connection->server->connection_count--;
    demo_stream_free(&connection->stream);
    buffer_free(&connection->in);
    buffer_free(&connection->head);
    buffer_free(&connection->body);
    buffer_free(&connection->out);
    free(connection);
}

void demo_connection_time(struct demo_connection *connection, int64_t milliseconds)
{
    /* libev takes a repeat of 0 for "never again". */
    connection->timer.repeat = milliseconds == 0 ? 1e-6 : (double)milliseconds / 1000.0;
    ev_timer_again(connection->server->loop, &connection->timer);
}

static void connection_refuse(struct demo_connection *connection, unsigned status,
                              const char *message)
{
    struct demo_answer answer = {.close = true};
    struct demo_error error = {.status = status, .code = DEMO_INVALID_REQUEST, .message = message};

    connection->state = DEMO_LAST;
    if (demo_answer_error(&connection->out, &answer, slice_make(NULL, 0), &error) != 0)
        connection->failed = true;
}

/* Moves a whole head out of `in`, where it would not stay. */
static bool connection_take_head(struct demo_connection *connection)
{
    struct http_request *request = &connection->request;
    struct slice input = buffer_slice(&connection->in);
    const char *reason;
    long size = http_request_parse(input, CONNECTION_HEAD_MAX, request, &reason);

    if (size == 0)
        return false;
    if (size < 0) {
        connection_refuse(connection, (unsigned)-size, reason);
        return false;
    }
    buffer_clear(&connection->head);
    buffer_clear(&connection->body);
    if (buffer_append(&connection->head, input.data, (size_t)size) != 0) {
        connection->failed = true;
        return false;
    }
    buffer_consume(&connection->in, (size_t)size);
    http_request_parse(buffer_slice(&connection->head), CONNECTION_HEAD_MAX, request, &reason);
    connection->left = request->body == HTTP_BODY_LENGTH ? request->content_length : 0;
    connection->decoder = (struct http_chunk_decoder){0};
    connection->state = DEMO_BODY;
    if (connection->left > CONNECTION_BODY_MAX)
        connection_refuse(connection, 413, "The body is too large");
    else if (request->expect_continue &&
             buffer_append_text(&connection->out, "HTTP/1.1 100 Continue\r\n\r\n") != 0)
        connection->failed = true;
    return connection->state == DEMO_BODY && !connection->failed;
}

static bool connection_take_chunks(struct demo_connection *connection)
{
    for (;;) {
        struct slice data;
        size_t used;
        enum http_chunk_result result =
            http_chunk_decode(&connection->decoder, buffer_slice(&connection->in), &used, &data);

        if (result == HTTP_CHUNK_ERROR) {
            connection_refuse(connection, 400, "Malformed chunked body");
            return false;
        }
        if (buffer_size(&connection->body) + data.size > CONNECTION_BODY_MAX) {
            connection_refuse(connection, 413, "The body is too large");
            return false;
        }
        if (buffer_append_slice(&connection->body, data) != 0)
            connection->failed = true;
        buffer_consume(&connection->in, used);
        if (result != HTTP_CHUNK_DATA || connection->failed)
            return result == HTTP_CHUNK_END && !connection->failed;
    }
}

/* true when the body is complete. */
static bool connection_take_body(struct demo_connection *connection)
{
    struct slice input = buffer_slice(&connection->in);

    if (connection->request.body == HTTP_BODY_CHUNKED)
        return connection_take_chunks(connection);
    if (input.size > connection->left)
        input.size = (size_t)connection->left;
    if (buffer_append_slice(&connection->body, input) != 0) {
        connection->failed = true;
        return false;
    }
    connection->left -= input.size;
    buffer_consume(&connection->in, input.size);
    return connection->left == 0;
}

/* Answers every request that is complete, until one streams. */
static void connection_process(struct demo_connection *connection)
{
    while (!connection->failed) {
        if (connection->state == DEMO_HEAD && !connection_take_head(connection))
            return;
        if (connection->state != DEMO_BODY || !connection_take_body(connection))
            return;
        connection->state = connection->request.keep_alive ? DEMO_HEAD : DEMO_LAST;
        demo_exchange_run(connection);
    }
}

/* false when the connection is closed and gone. */
static bool connection_flush(struct demo_connection *connection)
{
    struct ev_loop *loop = connection->server->loop;

    while (!connection->failed && buffer_size(&connection->out) > 0) {
        ssize_t sent = send(connection->fd, buffer_data(&connection->out),
                            buffer_size(&connection->out), MSG_NOSIGNAL);

        if (sent >= 0) {
            buffer_consume(&connection->out, (size_t)sent);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            ev_io_start(loop, &connection->writer);
            return true;
        } else if (errno != EINTR) {
            connection->failed = true;
        }
    }
    ev_io_stop(loop, &connection->writer);
    if (connection->failed || connection->state == DEMO_LAST) {
        demo_connection_close(connection);
        return false;
    }
    return true;
}

static void connection_advance(struct demo_connection *connection)
{
    connection_process(connection);
    connection_flush(connection);
}

static void connection_readable(struct ev_loop *loop, struct ev_io *watcher, int events)
{
    struct demo_connection *connection = watcher->data;
    size_t room;
    ssize_t got;

    (void)loop;
    (void)events;
    if (buffer_reserve(&connection->in, CONNECTION_READ) != 0) {
        demo_connection_close(connection);
        return;
    }
    got = recv(connection->fd, buffer_space(&connection->in, &room), CONNECTION_READ, 0);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    /* In both eras a client that is gone has no more use for its answer. */
    if (got <= 0) {
        demo_connection_close(connection);
        return;
    }
    buffer_commit(&connection->in, (size_t)got);
    if (connection->state != DEMO_STREAM) {
        demo_connection_time(connection, CONNECTION_IDLE);
        connection_advance(connection);
    } else if (buffer_size(&connection->in) > CONNECTION_WAITING_MAX) {
        demo_connection_close(connection);
    }
}

static void connection_writable(struct ev_loop *loop, struct ev_io *watcher, int events)
{
    (void)loop;
    (void)events;
    connection_flush(watcher->data);
}

static void connection_timed(struct ev_loop *loop, struct ev_timer *watcher, int events)
{
    struct demo_connection *connection = watcher->data;

    (void)loop;
    (void)events;
    if (connection->state != DEMO_STREAM) {
        demo_connection_close(connection);
        return;
    }
    demo_stream_tick(connection);
    if (connection->state != DEMO_STREAM)
        demo_connection_time(connection, CONNECTION_IDLE);
    connection_advance(connection);
}

void demo_connection_open(struct demo_server *server, int fd)
{
    struct demo_connection *connection = calloc(1, sizeof(*connection));

    if (connection == NULL) {
        close(fd);
        return;
    }
    connection->server = server;
    connection->fd = fd;
    connection->next = server->connections;
    connection->link = &server->connections;
    if (connection->next != NULL)
        connection->next->link = &connection->next;
    server->connections = connection;
    server->connection_count++;
    ev_io_init(&connection->reader, connection_readable, fd, EV_READ);
    ev_io_init(&connection->writer, connection_writable, fd, EV_WRITE);
    ev_timer_init(&connection->timer, connection_timed, 0., 0.);
    connection->reader.data = connection;
    connection->writer.data = connection;
    connection->timer.data = connection;
    ev_io_start(server->loop, &connection->reader);
    demo_connection_time(connection, CONNECTION_IDLE);
}
