/* upstream.c: the bench's server: answers every POST with 1 KiB of JSON, or with an event stream.
 *
 *     upstream PORT
 *
 * One process on one core, epoll, keep-alive. A call with "stream":"COUNT,INTERVAL" is answered by
 * an event stream: an event at once, then COUNT events INTERVAL milliseconds apart, each with the
 * time at which it was sent, then the end; with COUNT 0 it stays open and silent. Understands no
 * more of HTTP than the proxies under test write.
 */
#include "tests/bench/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 256, INPUT_MAX = 16 * 1024, BODY_SIZE = 1024, BACKLOG = 4096 };

struct connection {
    int fd;
    size_t size;                     /* of input */
    struct connection *next, **link; /* among those with events to send */
    unsigned left, interval;         /* events; milliseconds */
    int64_t due;                     /* nanoseconds */
    char *input;                     /* owned; NULL while nothing is half read */
};

static int loop;
static struct connection *streams;
static char answer[BODY_SIZE + 256];
static size_t answer_size;

static const char stream_head[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    "Transfer-Encoding: chunked\r\n\r\n";

static void answer_make(void)
{
    static const char begin[] =
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"";
    static const char end[] = "\"}],\"isError\":false}}";
    int head = snprintf(answer, sizeof(answer),
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                        "Content-Length: %d\r\n\r\n%s",
                        BODY_SIZE, begin);
    size_t text = BODY_SIZE - strlen(begin) - strlen(end);

    memset(answer + head, 'x', text);
    memcpy(answer + (size_t)head + text, end, strlen(end));
    answer_size = (size_t)head + text + strlen(end);
}

static void connection_unlink(struct connection *connection)
{
    if (connection->link == NULL)
        return;
    *connection->link = connection->next;
    if (connection->next != NULL)
        connection->next->link = connection->link;
    connection->link = NULL;
}

static void connection_close(struct connection *connection)
{
    connection_unlink(connection);
    close(connection->fd);
    free(connection->input);
    free(connection);
}

static void connection_send(const struct connection *connection, const char *data, size_t size)
{
    /* What does not fit is lost, and the reader will say so: the bench's answers are small. */
    if (send(connection->fd, data, size, MSG_NOSIGNAL) != (ssize_t)size)
        fprintf(stderr, "upstream: a short write\n");
}

static void connection_event(const struct connection *connection)
{
    char event[160], chunk[200];
    int size = snprintf(event, sizeof(event),
                        "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":"
                        "\"notifications/progress\",\"params\":{\"sent\":%" PRId64 "}}\n\n",
                        peer_now());

    size = snprintf(chunk, sizeof(chunk), "%x\r\n%s\r\n", (unsigned)size, event);
    connection_send(connection, chunk, (size_t)size);
}

static void connection_stream(struct connection *connection, const char *numbers)
{
    if (sscanf(numbers, "%u,%u", &connection->left, &connection->interval) != 2)
        return;
    connection_send(connection, stream_head, sizeof(stream_head) - 1);
    connection_event(connection);
    if (connection->left == 0)
        return;
    connection->due = peer_now() + (int64_t)connection->interval * 1000000;
    connection->link = &streams;
    connection->next = streams;
    if (streams != NULL)
        streams->link = &connection->next;
    streams = connection;
}

/* Bytes of the request at `data`, or 0 while it is not complete. */
static size_t request_size(const char *data, size_t size)
{
    const char *end = memmem(data, size, "\r\n\r\n", 4);
    const char *length = NULL;
    size_t whole;

    if (end == NULL)
        return 0;
    for (const char *line = data; line != NULL && line < end; line = strstr(line, "\r\n")) {
        line += line == data ? 0 : 2;
        if (strncasecmp(line, "content-length:", 15) == 0)
            length = line + 15;
    }
    whole = (size_t)(end - data) + 4 + (length == NULL ? 0 : strtoul(length, NULL, 10));
    return whole <= size ? whole : 0;
}

static void connection_answer(struct connection *connection, char *data, size_t size)
{
    const char *stream;

    data[size] = '\0';
    for (size_t used = request_size(data, size); used > 0; used = request_size(data, size)) {
        stream = memmem(data, used, "\"stream\":\"", 10);
        if (stream != NULL)
            connection_stream(connection, stream + 10);
        else
            connection_send(connection, answer, answer_size);
        data += used;
        size -= used;
    }
    if (size == 0) {
        free(connection->input);
        connection->input = NULL;
    } else if (connection->input == NULL) {
        connection->input = malloc(INPUT_MAX + 1);
        if (connection->input == NULL)
            peer_fail("memory");
        memcpy(connection->input, data, size);
    } else {
        memmove(connection->input, data, size);
    }
    connection->size = size;
}

static void connection_ready(struct connection *connection)
{
    static char shared[INPUT_MAX + 1];
    char *data = connection->input == NULL ? shared : connection->input;
    ssize_t count =
        recv(connection->fd, data + connection->size, INPUT_MAX - connection->size, MSG_DONTWAIT);

    if (count < 0 && errno == EAGAIN)
        return;
    if (count <= 0)
        connection_close(connection);
    else
        connection_answer(connection, data, connection->size + (size_t)count);
}

static void accept_all(int listener)
{
    int on = 1;

    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        struct connection *connection;
        struct epoll_event event = {.events = EPOLLIN};

        if (fd < 0)
            return;
        connection = calloc(1, sizeof(*connection));
        if (connection == NULL)
            peer_fail("memory");
        connection->fd = fd;
        event.data.ptr = connection;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event);
    }
}

/* Sends what is due; milliseconds until the next, or -1. */
static int streams_send(void)
{
    int64_t now = peer_now(), next = INT64_MAX;
    struct connection *following;

    for (struct connection *stream = streams; stream != NULL; stream = following) {
        following = stream->next;
        if (stream->due <= now) {
            connection_event(stream);
            stream->due += (int64_t)stream->interval * 1000000;
            if (--stream->left == 0) {
                connection_send(stream, "0\r\n\r\n", 5);
                connection_unlink(stream);
                continue;
            }
        }
        if (stream->due < next)
            next = stream->due;
    }
    if (next == INT64_MAX)
        return -1;
    return next <= now ? 0 : (int)((next - now + 999999) / 1000000);
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN}, events[EVENTS];
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;

    if (argc != 2)
        return 2;
    peer_raise_limits();
    answer_make();
    address.sin_port = htons((uint16_t)peer_number(argv[1], 1, 65535));
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listener, BACKLOG) != 0)
        peer_fail("listen");
    loop = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(loop, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int count = epoll_wait(loop, events, EVENTS, streams_send());

        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL)
                accept_all(listener);
            else
                connection_ready(events[i].data.ptr);
        }
    }
}
