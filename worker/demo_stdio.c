#include "worker/demo_stdio.h"

#include "shared/buffer.h"
#include "worker/demo_answer.h"
#include "worker/demo_tools.h"

#include <errno.h>
#include <ev.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    LINE_SIZE_MAX = 16 * 1024 * 1024, /* bytes: beyond what a gateway lets through */
    READ_SIZE = 64 * 1024,
    COUNTS_MAX = 1024, /* calls of slow_count at once */
};

/* A call of slow_count in progress. */
struct stdio_count {
    struct demo_stdio *server; /* borrowed */
    struct stdio_count *next, **link;
    struct ev_timer timer;
    struct demo_count count;
    int64_t at; /* steps done */
    bool modern;
    struct buffer id, token; /* as JSON; no token: no progress wanted */
};

struct demo_stdio {
    struct ev_loop *loop;
    struct ev_io reader;
    struct buffer in;
    struct stdio_count *counts; /* owned */
    size_t count_count;
    int status;
};

static void stdio_stop(struct demo_stdio *server, int status)
{
    server->status = status;
    ev_break(server->loop, EVBREAK_ALL);
}

/* Waits for a reader that is slow: whoever does not read its server's output waits for itself. */
static int stdio_write(struct slice text)
{
    while (text.size > 0) {
        ssize_t size = write(STDOUT_FILENO, text.data, text.size);

        if (size >= 0) {
            text = slice_skip(text, (size_t)size);
        } else if (errno == EAGAIN) {
            struct pollfd output = {.fd = STDOUT_FILENO, .events = POLLOUT};

            (void)poll(&output, 1, -1);
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

/* One message, which holds no line break: JSON escapes them. */
static void stdio_send(struct demo_stdio *server, struct buffer *message, int error)
{
    if (error == 0)
        error = buffer_append_text(message, "\n");
    if (error == 0)
        error = stdio_write(buffer_slice(message));
    if (error < 0)
        stdio_stop(server, EXIT_FAILURE);
    buffer_clear(message);
}

static void stdio_send_error(struct demo_stdio *server, struct slice id,
                             const struct demo_error *error)
{
    struct buffer body = {0};

    stdio_send(server, &body, demo_answer_error_body(&body, id, error));
    buffer_free(&body);
}

static void count_forget(struct stdio_count *count)
{
    buffer_free(&count->id);
    buffer_free(&count->token);
    free(count);
}

static void count_free(struct stdio_count *count)
{
    ev_timer_stop(count->server->loop, &count->timer);
    *count->link = count->next;
    if (count->next != NULL)
        count->next->link = count->link;
    count->server->count_count--;
    count_forget(count);
}

static void count_finish(struct stdio_count *count)
{
    struct buffer result = {0}, body = {0};
    int error = demo_tools_counted(&result, count->count.to, count->modern);

    if (error == 0)
        error = demo_answer_result(&body, buffer_slice(&count->id), buffer_slice(&result));
    stdio_send(count->server, &body, error);
    buffer_free(&body);
    buffer_free(&result);
    count_free(count);
}

static void count_on_timer(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    struct stdio_count *count = timer->data;
    struct buffer body = {0};

    (void)loop;
    (void)events;
    count->at++;
    if (buffer_size(&count->token) > 0)
        stdio_send(
            count->server, &body,
            demo_answer_progress(&body, buffer_slice(&count->token), count->at, count->count.to));
    buffer_free(&body);
    if (count->at == count->count.to)
        count_finish(count);
}

static void count_begin(struct demo_stdio *server, const struct demo_message *message,
                        struct demo_count wanted)
{
    struct stdio_count *count = server->count_count < COUNTS_MAX ? calloc(1, sizeof(*count)) : NULL;
    double step = (double)wanted.delay / 1000;
    struct demo_error error;

    if (count == NULL || buffer_append_slice(&count->id, message->id) != 0 ||
        buffer_append_slice(&count->token, message->progress_token.text) != 0) {
        demo_refuse(&error, 200, DEMO_INTERNAL_ERROR, "Too many calls at once");
        stdio_send_error(server, message->id, &error);
        if (count != NULL)
            count_forget(count);
        return;
    }
    count->server = server;
    count->count = wanted;
    count->modern = message->modern;
    count->next = server->counts;
    count->link = &server->counts;
    if (count->next != NULL)
        count->next->link = &count->next;
    server->counts = count;
    server->count_count++;
    /* A repeat of 0 would be none. */
    ev_timer_init(&count->timer, count_on_timer, step, step > 0 ? step : 1e-6);
    count->timer.data = count;
    ev_timer_start(server->loop, &count->timer);
}

static void stdio_cancel(struct demo_stdio *server, const struct demo_message *message)
{
    static const char *const name[] = {"requestId"};
    struct json_value id = {.kind = JSON_INVALID};

    if (!json_string_is(&message->method, slice_from("notifications/cancelled")) ||
        message->params.kind != JSON_OBJECT || json_members(&message->params, name, 1, &id) != 0 ||
        id.kind == JSON_INVALID)
        return;
    for (struct stdio_count *count = server->counts; count != NULL; count = count->next)
        if (slice_equal(buffer_slice(&count->id), id.text)) {
            count_free(count);
            return;
        }
}

static void stdio_request(struct demo_stdio *server, const struct demo_message *message)
{
    struct buffer result = {0}, body = {0};
    struct demo_count count;
    struct demo_error error;

    if (!demo_tools_result(message, &result, &count, &error))
        stdio_send_error(server, message->id, &error);
    else if (count.to > 0)
        count_begin(server, message, count);
    else
        stdio_send(server, &body, demo_answer_result(&body, message->id, buffer_slice(&result)));
    buffer_free(&body);
    buffer_free(&result);
}

static void stdio_line(struct demo_stdio *server, struct slice line)
{
    struct demo_message message;
    struct demo_error error;

    if (line.size > 0 && line.data[line.size - 1] == '\r')
        line.size--;
    if (line.size == 0)
        return;
    if (!demo_message_read(NULL, line, &message, &error))
        stdio_send_error(server, message.id, &error);
    else if (message.kind == DEMO_REQUEST)
        stdio_request(server, &message);
    else if (message.kind == DEMO_NOTIFICATION)
        stdio_cancel(server, &message);
}

static void stdio_lines(struct demo_stdio *server)
{
    while (buffer_size(&server->in) > 0) {
        struct slice rest = buffer_slice(&server->in);
        const char *end = memchr(rest.data, '\n', rest.size);

        if (end == NULL && rest.size > LINE_SIZE_MAX) {
            fputs("demo-server: a line is longer than 16 MiB\n", stderr);
            stdio_stop(server, EXIT_FAILURE);
        }
        if (end == NULL)
            return;
        stdio_line(server, slice_make(rest.data, (size_t)(end - rest.data)));
        buffer_consume(&server->in, (size_t)(end - rest.data) + 1);
    }
}

static void stdio_on_input(struct ev_loop *loop, struct ev_io *reader, int events)
{
    struct demo_stdio *server = reader->data;
    size_t room;
    char *space;
    ssize_t size;

    (void)loop;
    (void)events;
    if (buffer_reserve(&server->in, READ_SIZE) != 0) {
        stdio_stop(server, EXIT_FAILURE);
        return;
    }
    space = buffer_space(&server->in, &room);
    size = read(STDIN_FILENO, space, room);
    if (size > 0) {
        buffer_commit(&server->in, (size_t)size);
        stdio_lines(server);
    } else if (size == 0 || (errno != EAGAIN && errno != EINTR)) {
        stdio_stop(server, size == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
    }
}

int demo_stdio_run(void)
{
    struct demo_stdio server = {.loop = ev_default_loop(EVFLAG_NOENV)};

    if (server.loop == NULL)
        return EXIT_FAILURE;
    fputs("demo-server: ready\n", stderr);
    ev_io_init(&server.reader, stdio_on_input, STDIN_FILENO, EV_READ);
    server.reader.data = &server;
    ev_io_start(server.loop, &server.reader);
    ev_run(server.loop, 0);
    for (struct stdio_count *count = server.counts, *next; count != NULL; count = next) {
        next = count->next;
        count_free(count);
    }
    buffer_free(&server.in);
    ev_loop_destroy(server.loop);
    return server.status;
}
