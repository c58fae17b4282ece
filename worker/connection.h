/* connection.h: a non-blocking socket in the loop, plain or TLS, that does not care which.
 *
 * Owns its descriptor and TLS state. Its owner (a client or an upstream) says what it wants to hear
 * of; the connection asks the kernel for what that takes. Knows nothing of HTTP; keeps no bytes.
 */
#ifndef GATEHOUSE_WORKER_CONNECTION_H
#define GATEHOUSE_WORKER_CONNECTION_H

#include "worker/tls.h"

#include <ev.h>
#include <sys/uio.h>

struct connection {
    struct ev_io watcher; /* private; its data is the loop */
    int fd;               /* -1 after connection_close */
    int wanted;           /* EV_READ, EV_WRITE */
    struct tls *tls;      /* NULL: plain */
    void (*ready)(struct connection *connection, int events);
    void *owner;
};

/* Takes `fd` and `tls` (may be NULL) over. */
void connection_open(struct connection *connection, struct ev_loop *loop, int fd, struct tls *tls,
                     void (*ready)(struct connection *connection, int events), void *owner);
void connection_close(struct connection *connection);
/* Which of EV_READ and EV_WRITE to report; 0: neither. */
void connection_want(struct connection *connection, int events);

/* 0 when done (or plain), -EAGAIN (a call will follow), -EPROTO with `reason`. */
int connection_handshake(struct connection *connection, char reason[TLS_REASON_MAX]);
/* > 0 bytes; 0 at the end; -EAGAIN; other -errno: it is broken. */
ssize_t connection_read(struct connection *connection, void *data, size_t size);
/* >= 0 bytes taken, -EAGAIN, other -errno. */
ssize_t connection_write(struct connection *connection, const struct iovec *parts, int count);

#endif
