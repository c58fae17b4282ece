#include "worker/connect_output.h"

#include "worker/connect_line.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    OUTPUT_SLOW = 4 * 1024 * 1024, /* bytes that wait before we stop making more */
    OUTPUT_PIECE = 4096,           /* PIPE_BUF: what a pipe that polls writable takes at once */
    OUTPUT_LAST_MS = 1000,         /* for what waits at the end */
};

/* > 0 bytes; -EAGAIN; -errno. */
static ssize_t output_write(const char *data, size_t size)
{
    struct pollfd writable = {.fd = STDOUT_FILENO, .events = POLLOUT};
    ssize_t count = send(STDOUT_FILENO, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (count < 0 && errno == ENOTSOCK) {
        if (poll(&writable, 1, 0) <= 0)
            return -EAGAIN;
        count = write(STDOUT_FILENO, data, size < OUTPUT_PIECE ? size : OUTPUT_PIECE);
    }
    if (count < 0)
        return errno == EINTR || errno == EWOULDBLOCK ? -EAGAIN : -errno;
    return count;
}

static void output_pace(struct connect_output *output)
{
    bool slow = buffer_size(&output->waiting) > OUTPUT_SLOW;

    if (slow == output->slow)
        return;
    output->slow = slow;
    output->paced(output->context, slow);
}

static void output_flush(struct connect_output *output)
{
    while (!output->broken && buffer_size(&output->waiting) > 0) {
        ssize_t count = output_write(buffer_data(&output->waiting), buffer_size(&output->waiting));

        if (count == -EAGAIN) {
            ev_io_start(output->loop, &output->writer);
            output_pace(output);
            return;
        }
        output->broken = count < 0;
        if (count > 0)
            buffer_consume(&output->waiting, (size_t)count);
    }
    ev_io_stop(output->loop, &output->writer);
    if (output->broken) {
        buffer_free(&output->waiting);
        output->gone(output->context);
        return;
    }
    output_pace(output);
}

static void output_writable(struct ev_loop *loop, struct ev_io *watcher, int events)
{
    (void)loop;
    (void)events;
    output_flush(watcher->data);
}

void connect_output_open(struct connect_output *output)
{
    ev_io_init(&output->writer, output_writable, STDOUT_FILENO, EV_WRITE);
    output->writer.data = output;
}

void connect_output_line(struct connect_output *output, struct slice message)
{
    if (output->broken)
        return;
    if (connect_line_append(&output->waiting, message) != 0) {
        connect_say("a message was dropped: out of memory");
        return;
    }
    if (ev_is_active(&output->writer))
        output_pace(output);
    else
        output_flush(output);
}

void connect_output_close(struct connect_output *output)
{
    struct pollfd writable = {.fd = STDOUT_FILENO, .events = POLLOUT};

    while (!output->broken && buffer_size(&output->waiting) > 0) {
        ssize_t count = output_write(buffer_data(&output->waiting), buffer_size(&output->waiting));

        if (count > 0)
            buffer_consume(&output->waiting, (size_t)count);
        else if (count != -EAGAIN || poll(&writable, 1, OUTPUT_LAST_MS) <= 0)
            break;
    }
    ev_io_stop(output->loop, &output->writer);
    buffer_free(&output->waiting);
}

void connect_say(const char *format, ...)
{
    char words[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(words, sizeof(words), format, arguments);
    va_end(arguments);
    /* What a server said may stand in it: no terminal takes orders from there. */
    for (char *at = words; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = ' ';
    fprintf(stderr, "gatehouse connect: %s\n", words);
}
