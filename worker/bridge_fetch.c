#include "worker/bridge_fetch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FETCH_HEAD_MAX = 64 * 1024 }; /* bytes */

void bridge_fetch_close(struct bridge_fetch *fetch)
{
    if (fetch == NULL || fetch->state == BRIDGE_FETCH_CLOSED)
        return;
    fetch->state = BRIDGE_FETCH_CLOSED;
    deadline_close(&fetch->deadline);
    connection_close(&fetch->connection);
    buffer_wipe(&fetch->out);
    buffer_free(&fetch->in);
    bridge_bury(fetch->bridge, &fetch->remains);
}

static void fetch_done(struct bridge_fetch *fetch, const char *failure)
{
    if (fetch->state == BRIDGE_FETCH_CLOSED)
        return;
    fetch->done(fetch, failure);
    bridge_fetch_close(fetch);
}

static void fetch_ready(struct connection *connection, int events);

/* A socket that connects; -errno. */
static int fetch_socket(const char *text, uint16_t port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    bool six = inet_pton(AF_INET, text, &v4.sin_addr) != 1;
    const struct sockaddr *address = six ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
    int on = 1;
    int fd;

    if (six && inet_pton(AF_INET6, text, &v6.sin6_addr) != 1)
        return -EINVAL;
    fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(fd, address, six ? sizeof(v6) : sizeof(v4)) != 0 && errno != EINPROGRESS) {
        int error = errno;

        close(fd);
        return -error;
    }
    return fd;
}

/* Begins to connect to the next address. false: there is none left. */
static bool fetch_connect(struct bridge_fetch *fetch)
{
    const struct bridge_target *target = &fetch->target;
    char address[INET6_ADDRSTRLEN];

    while (target->addresses[fetch->tried] != '\0') {
        const char *text = target->addresses + fetch->tried;
        size_t size = strcspn(text, ",");
        int fd = -1;

        fetch->tried += size + (text[size] == ',' ? 1 : 0);
        if (size < sizeof(address)) {
            memcpy(address, text, size);
            address[size] = '\0';
            fd = fetch_socket(address, target->port);
        }
        if (fd < 0)
            continue;
        connection_open(&fetch->connection, fetch->bridge->loop, fd, NULL, fetch_ready, fetch);
        deadline_set(&fetch->deadline, fetch->bridge->child.settings.limits.connect_timeout);
        connection_want(&fetch->connection, EV_WRITE);
        return true;
    }
    return false;
}

/* This address does not serve: the next one may. */
static void fetch_unconnected(struct bridge_fetch *fetch, const char *failure)
{
    connection_close(&fetch->connection);
    if (!fetch_connect(fetch))
        fetch_done(fetch, failure);
}

static void fetch_late(struct deadline *deadline)
{
    struct bridge_fetch *fetch = deadline->owner;

    if (fetch->state == BRIDGE_FETCH_CONNECT)
        fetch_unconnected(fetch, "no answer to connect in time");
    else
        fetch_done(fetch, "no response in time");
}

static void fetch_send(struct bridge_fetch *fetch)
{
    fetch->state = BRIDGE_FETCH_SEND;
    deadline_set(&fetch->deadline, fetch->bridge->child.settings.limits.response_timeout);
    while (buffer_size(&fetch->out) > 0) {
        struct iovec part = {.iov_base = buffer_data(&fetch->out),
                             .iov_len = buffer_size(&fetch->out)};
        ssize_t count = connection_write(&fetch->connection, &part, 1);

        if (count == -EAGAIN) {
            connection_want(&fetch->connection, EV_READ | EV_WRITE);
            return;
        }
        if (count < 0) {
            fetch_done(fetch, "the connection broke");
            return;
        }
        buffer_consume(&fetch->out, (size_t)count);
    }
    buffer_wipe(&fetch->out);
    fetch->state = BRIDGE_FETCH_HEAD;
    connection_want(&fetch->connection, EV_READ);
}

static void fetch_handshake(struct bridge_fetch *fetch)
{
    char reason[TLS_REASON_MAX];
    int result = connection_handshake(&fetch->connection, reason);

    if (result == 0)
        fetch_send(fetch);
    else if (result != -EAGAIN)
        fetch_done(fetch, "its certificate, or TLS, cannot be relied on");
}

static bool fetch_host_is_address(const struct bridge_target *target)
{
    struct in6_addr any;

    return inet_pton(AF_INET, target->host, &any) == 1 ||
           inet_pton(AF_INET6, target->host, &any) == 1;
}

static void fetch_connected(struct bridge_fetch *fetch)
{
    const struct bridge_target *target = &fetch->target;
    int error = 0;
    socklen_t size = sizeof(error);

    if (getsockopt(fetch->connection.fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
        fetch_unconnected(fetch, "it cannot be connected to");
        return;
    }
    if (target->trust == NULL) {
        fetch_send(fetch);
        return;
    }
    if (tls_connect(&fetch->connection.tls, target->trust, fetch->connection.fd,
                    slice_from(target->host), fetch_host_is_address(target)) != 0) {
        fetch_done(fetch, "TLS cannot start");
        return;
    }
    fetch->state = BRIDGE_FETCH_HANDSHAKE;
    fetch_handshake(fetch);
}

static void fetch_body_chunked(struct bridge_fetch *fetch, struct slice data)
{
    while (fetch->state == BRIDGE_FETCH_BODY) {
        struct slice piece = {0};
        size_t used = 0;
        enum http_chunk_result result = http_chunk_decode(&fetch->decoder, data, &used, &piece);

        data = slice_skip(data, used);
        if (result == HTTP_CHUNK_MORE)
            return;
        if (result == HTTP_CHUNK_DATA)
            fetch->data(fetch, piece);
        else
            fetch_done(fetch, result == HTTP_CHUNK_END ? NULL : "its response is malformed");
    }
}

static void fetch_body(struct bridge_fetch *fetch, struct slice data)
{
    if (!fetch->event_stream)
        deadline_set(&fetch->deadline, fetch->bridge->child.settings.limits.response_timeout);
    if (fetch->body == HTTP_BODY_CHUNKED) {
        fetch_body_chunked(fetch, data);
        return;
    }
    if (fetch->body == HTTP_BODY_LENGTH && data.size > fetch->left)
        data.size = (size_t)fetch->left;
    if (data.size > 0)
        fetch->data(fetch, data);
    fetch->left -= fetch->body == HTTP_BODY_LENGTH ? data.size : 0;
    if (fetch->body != HTTP_BODY_UNTIL_CLOSE && fetch->left == 0)
        fetch_done(fetch, NULL);
}

static void fetch_head(struct bridge_fetch *fetch)
{
    struct http_response response;
    const char *reason;
    struct buffer held;
    long size;

    for (;;) {
        size = http_response_parse(buffer_slice(&fetch->in), FETCH_HEAD_MAX, &response, &reason);
        if (size <= 0 || response.status >= 200 || response.status == 101)
            break;
        buffer_consume(&fetch->in, (size_t)size);
    }
    if (size == 0)
        return;
    if (size < 0 || response.status == 101) {
        fetch_done(fetch, "it sent no valid response");
        return;
    }
    held = fetch->in;
    fetch->in = (struct buffer){0};
    fetch->state = BRIDGE_FETCH_BODY;
    fetch->body = response.body;
    fetch->left = response.body == HTTP_BODY_LENGTH ? response.content_length : 0;
    fetch->event_stream = response.event_stream;
    deadline_clear(&fetch->deadline);
    fetch->head(fetch, &response);
    if (fetch->state == BRIDGE_FETCH_BODY)
        fetch_body(fetch, slice_skip(buffer_slice(&held), (size_t)size));
    buffer_free(&held);
}

static void fetch_read(struct bridge_fetch *fetch)
{
    char *scratch = fetch->bridge->scratch;
    ssize_t count = connection_read(&fetch->connection, scratch, sizeof(fetch->bridge->scratch));

    if (count == -EAGAIN)
        return;
    if (count > 0 && fetch->state == BRIDGE_FETCH_BODY) {
        fetch_body(fetch, slice_make(scratch, (size_t)count));
    } else if (count > 0) {
        if (buffer_append(&fetch->in, scratch, (size_t)count) == 0)
            fetch_head(fetch);
        else
            fetch_done(fetch, "the bridge is out of memory");
    } else if (count == 0 && fetch->state == BRIDGE_FETCH_BODY &&
               fetch->body == HTTP_BODY_UNTIL_CLOSE) {
        fetch_done(fetch, NULL);
    } else {
        fetch_done(fetch, "the connection ended");
    }
}

static void fetch_ready(struct connection *connection, int events)
{
    struct bridge_fetch *fetch = connection->owner;

    switch (fetch->state) {
    case BRIDGE_FETCH_CONNECT:
        fetch_connected(fetch);
        return;
    case BRIDGE_FETCH_HANDSHAKE:
        fetch_handshake(fetch);
        return;
    case BRIDGE_FETCH_SEND:
        if ((events & EV_WRITE) != 0)
            fetch_send(fetch);
        break;
    case BRIDGE_FETCH_HEAD:
    case BRIDGE_FETCH_BODY:
    case BRIDGE_FETCH_CLOSED:
        break;
    }
    if ((events & EV_READ) != 0 && fetch->state != BRIDGE_FETCH_CLOSED && !fetch->paused)
        fetch_read(fetch);
}

void bridge_fetch_pause(struct bridge_fetch *fetch, bool paused)
{
    if (fetch == NULL || fetch->state == BRIDGE_FETCH_CLOSED)
        return;
    fetch->paused = paused;
    if (fetch->state == BRIDGE_FETCH_BODY)
        connection_want(&fetch->connection, paused ? 0 : EV_READ);
}

struct bridge_fetch *bridge_fetch_start(struct bridge *bridge, const struct bridge_target *target,
                                        struct buffer *request)
{
    struct bridge_fetch *fetch = calloc(1, sizeof(*fetch));

    if (fetch == NULL)
        return NULL;
    fetch->bridge = bridge;
    fetch->target = *target;
    deadline_open(&fetch->deadline, bridge->loop, fetch_late, fetch);
    if (!fetch_connect(fetch)) {
        deadline_close(&fetch->deadline);
        free(fetch);
        return NULL;
    }
    fetch->out = *request;
    *request = (struct buffer){0};
    return fetch;
}
