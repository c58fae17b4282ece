#include "worker/connection.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CONNECTION_TLS_GATHER = 16 * 1024, /* bytes: one TLS record */
    CONNECTION_GATHER = 4 * 1024, /* bytes that are copied faster than the kernel reads a list */
};

/* What the kernel must tell us so that `wanted` can go on. */
static void connection_apply(struct connection *connection)
{
    struct ev_loop *loop = connection->watcher.data;
    int events = connection->wanted;

    if (connection->tls != NULL && events != 0 && tls_wants_write(connection->tls))
        events |= EV_WRITE;
    if (ev_is_active(&connection->watcher)) {
        if ((connection->watcher.events & (EV_READ | EV_WRITE)) == events)
            return;
        ev_io_stop(loop, &connection->watcher);
    }
    if (events == 0)
        return;
    /* Not ev_io_set: after that libev would tell the kernel again, though at the turn's end the
     * events are often those of before. */
    ev_io_modify(&connection->watcher, events);
    ev_io_start(loop, &connection->watcher);
}

static void connection_event(struct ev_loop *loop, struct ev_io *watcher, int events)
{
    struct connection *connection = (struct connection *)watcher; /* its first member */

    (void)loop;
    /* A TLS read may wait for writing, and the other way round: the owner tries what it wants. */
    if (connection->tls != NULL)
        events = connection->wanted;
    connection->ready(connection, events & connection->wanted);
}

void connection_open(struct connection *connection, struct ev_loop *loop, int fd, struct tls *tls,
                     void (*ready)(struct connection *connection, int events), void *owner)
{
    connection->fd = fd;
    connection->tls = tls;
    connection->wanted = 0;
    connection->ready = ready;
    connection->owner = owner;
    ev_io_init(&connection->watcher, connection_event, fd, 0);
    connection->watcher.data = loop;
}

void connection_close(struct connection *connection)
{
    if (connection->fd < 0)
        return;
    ev_io_stop(connection->watcher.data, &connection->watcher);
    ev_clear_pending(connection->watcher.data, &connection->watcher);
    tls_free(connection->tls);
    connection->tls = NULL;
    close(connection->fd);
    connection->fd = -1;
}

void connection_want(struct connection *connection, int events)
{
    connection->wanted = events;
    connection_apply(connection);
    /* Bytes that OpenSSL has read already raise no event. */
    if ((events & EV_READ) != 0 && connection->tls != NULL && tls_pending(connection->tls))
        ev_feed_event(connection->watcher.data, &connection->watcher, EV_READ);
}

int connection_handshake(struct connection *connection, char reason[TLS_REASON_MAX])
{
    int result;

    if (connection->tls == NULL)
        return 0;
    result = tls_handshake(connection->tls, reason);
    if (result == -EAGAIN) {
        connection->wanted = EV_READ;
        connection_apply(connection);
    }
    return result;
}

ssize_t connection_read(struct connection *connection, void *data, size_t size)
{
    ssize_t count;

    if (connection->tls != NULL) {
        count = tls_read(connection->tls, data, size);
        if (count == -EAGAIN)
            connection_apply(connection);
        return count;
    }
    do {
        count = recv(connection->fd, data, size, 0);
    } while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : count;
}

/* Copies what fits; returns how much that is. */
static size_t connection_gather(const struct iovec *parts, int count, char *into, size_t room)
{
    size_t size = 0;

    for (int i = 0; i < count && size < room; i++) {
        size_t part = parts[i].iov_len < room - size ? parts[i].iov_len : room - size;

        if (part > 0)
            memcpy(into + size, parts[i].iov_base, part);
        size += part;
    }
    return size;
}

/* Small parts go into one record, and one write; what is larger goes as it is. */
static ssize_t connection_write_tls(struct connection *connection, const struct iovec *parts,
                                    int count)
{
    char record[CONNECTION_TLS_GATHER];

    if (count == 1 || parts[0].iov_len >= sizeof(record))
        return tls_write(connection->tls, parts[0].iov_base, parts[0].iov_len);
    return tls_write(connection->tls, record,
                     connection_gather(parts, count, record, sizeof(record)));
}

static ssize_t connection_send(int fd, const void *data, size_t size)
{
    ssize_t sent;

    do {
        sent = send(fd, data, size, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

static ssize_t connection_send_parts(int fd, const struct iovec *parts, int count)
{
    struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)count};
    ssize_t sent;

    do {
        sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

ssize_t connection_write(struct connection *connection, const struct iovec *parts, int count)
{
    char gathered[CONNECTION_GATHER];
    size_t size = 0;
    ssize_t written;

    if (connection->tls != NULL) {
        written = connection_write_tls(connection, parts, count);
        if (written == -EAGAIN)
            connection_apply(connection);
        return written;
    }
    if (count == 1)
        return connection_send(connection->fd, parts[0].iov_base, parts[0].iov_len);
    for (int i = 0; i < count; i++)
        size += parts[i].iov_len;
    if (size > sizeof(gathered))
        return connection_send_parts(connection->fd, parts, count);
    return connection_send(connection->fd, gathered,
                           connection_gather(parts, count, gathered, sizeof(gathered)));
}
