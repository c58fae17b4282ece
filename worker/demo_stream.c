#include "worker/demo_stream.h"

#include "worker/demo_answer.h"

enum {
    STREAM_COMMENT = 15 * 1000,    /* milliseconds between comments on a silent stream */
    STREAM_UNSENT_MAX = 256 * 1024 /* bytes a slow client may leave before steps wait */
};

void demo_stream_free(struct demo_stream *stream)
{
    buffer_free(&stream->id);
    buffer_free(&stream->token);
}

void demo_stream_begin(struct demo_connection *connection, const struct demo_message *message,
                       struct slice session, struct demo_count count)
{
    struct demo_stream *stream = &connection->stream;
    int error = 0;

    demo_stream_free(stream);
    *stream =
        (struct demo_stream){.count = count, .chunked = connection->request.minor_version == 1};
    if (session.size == DEMO_SESSION_ID_SIZE)
        memcpy(stream->session, session.data, session.size);
    if (message != NULL) {
        stream->modern = message->modern;
        error = buffer_append_slice(&stream->id, message->id);
        if (error == 0)
            error = buffer_append_slice(&stream->token, message->progress_token.text);
    }
    if (error == 0)
        error = demo_answer_stream(&connection->out, stream->chunked);
    connection->failed = connection->failed || error != 0;
    connection->state = DEMO_STREAM;
    demo_connection_time(connection, message == NULL ? STREAM_COMMENT : count.delay);
}

static void stream_event(struct demo_connection *connection, struct slice data)
{
    if (demo_answer_event(&connection->out, connection->stream.chunked, data) != 0)
        connection->failed = true;
}

static void stream_finish(struct demo_connection *connection)
{
    bool on = connection->request.keep_alive && connection->stream.chunked;

    if (demo_answer_stream_end(&connection->out, connection->stream.chunked) != 0)
        connection->failed = true;
    connection->state = on ? DEMO_HEAD : DEMO_LAST;
}

/* A progress notification, or a comment when the client asked for none. */
static void stream_step(struct demo_connection *connection)
{
    struct demo_stream *stream = &connection->stream;
    struct buffer data = {0};
    int error = 0;

    stream->at++;
    if (buffer_size(&stream->token) > 0)
        error =
            demo_answer_progress(&data, buffer_slice(&stream->token), stream->at, stream->count.to);
    if (error == 0)
        stream_event(connection, buffer_slice(&data));
    connection->failed = connection->failed || error != 0;
    buffer_free(&data);
}

static void stream_result(struct demo_connection *connection)
{
    struct demo_stream *stream = &connection->stream;
    struct buffer result = {0};
    struct buffer data = {0};
    int error = demo_tools_counted(&result, stream->count.to, stream->modern);

    if (error == 0)
        error = demo_answer_result(&data, buffer_slice(&stream->id), buffer_slice(&result));
    if (error == 0)
        stream_event(connection, buffer_slice(&data));
    connection->failed = connection->failed || error != 0;
    buffer_free(&data);
    buffer_free(&result);
}

void demo_stream_tick(struct demo_connection *connection)
{
    struct demo_stream *stream = &connection->stream;

    if (stream->over) {
        stream_finish(connection);
        return;
    }
    if (buffer_size(&connection->out) > STREAM_UNSENT_MAX)
        return;
    if (stream->count.to == 0) {
        stream_event(connection, slice_make(NULL, 0));
        return;
    }
    stream_step(connection);
    if (stream->at == stream->count.to) {
        stream_result(connection);
        stream_finish(connection);
    }
}

void demo_stream_end(struct demo_server *server, struct slice session, struct slice id)
{
    for (struct demo_connection *one = server->connections; one != NULL; one = one->next) {
        if (one->state != DEMO_STREAM || !slice_equal(slice_from(one->stream.session), session) ||
            (id.size > 0 && !slice_equal(buffer_slice(&one->stream.id), id)))
            continue;
        one->stream.over = true;
        demo_connection_time(one, 0);
    }
}
