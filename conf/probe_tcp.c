#include "conf/probe_tcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct probe_tcp {
    struct ev_loop *loop;                /* borrowed */
    const struct app_endpoint *endpoint; /* borrowed */
    size_t next;                         /* address to be tried */
    int error;                           /* of the last one */
    ev_io io;                            /* its fd is open while it is active */
    ev_tstamp deadline;                  /* of all */
    ev_timer timeout;                    /* of this one */
    probe_done done;
    void *context;
};

/* A socket that connects, or -errno. */
static int probe_connect(struct slice host, uint16_t port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    const struct sockaddr *address = (const struct sockaddr *)&v4;
    char text[INET6_ADDRSTRLEN];
    socklen_t size = sizeof(v4);
    int error = 0;
    int fd;

    snprintf(text, sizeof(text), "%.*s", (int)host.size, host.data);
    if (inet_pton(AF_INET, text, &v4.sin_addr) != 1) {
        if (inet_pton(AF_INET6, text, &v6.sin6_addr) != 1)
            return -EINVAL;
        address = (const struct sockaddr *)&v6;
        size = sizeof(v6);
    }
    fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, address, size) != 0 && errno != EINPROGRESS) {
        error = errno;
        close(fd);
    }
    return error == 0 ? fd : -error;
}

static void probe_close(struct probe_tcp *probe)
{
    if (!ev_is_active(&probe->io))
        return;
    ev_io_stop(probe->loop, &probe->io);
    close(probe->io.fd);
}

void probe_tcp_cancel(struct probe_tcp *probe)
{
    if (probe == NULL)
        return;
    probe_close(probe);
    ev_timer_stop(probe->loop, &probe->timeout);
    free(probe);
}

static void probe_end(struct probe_tcp *probe, const char *failed)
{
    probe_done done = probe->done;
    void *context = probe->context;

    probe_tcp_cancel(probe);
    done(context, failed);
}

/* Each address has its share of what is left: one that is silent leaves time for the others. */
static void probe_wait(struct probe_tcp *probe, int fd)
{
    size_t left = probe->endpoint->address_count - probe->next + 1;
    ev_tstamp wait = (probe->deadline - ev_now(probe->loop)) / (double)left;

    ev_io_set(&probe->io, fd, EV_WRITE);
    ev_io_start(probe->loop, &probe->io);
    ev_timer_stop(probe->loop, &probe->timeout);
    ev_timer_set(&probe->timeout, wait > 0 ? wait : 0., 0.);
    ev_timer_start(probe->loop, &probe->timeout);
}

/* The next address that a socket could be had for. false: none is left. */
static bool probe_next(struct probe_tcp *probe)
{
    while (probe->next < probe->endpoint->address_count) {
        int fd = probe_connect(probe->endpoint->addresses[probe->next++], probe->endpoint->port);

        if (fd >= 0) {
            probe_wait(probe, fd);
            return true;
        }
        probe->error = -fd;
    }
    return false;
}

static void on_connected(struct ev_loop *loop, ev_io *io, int events)
{
    struct probe_tcp *probe = io->data;
    socklen_t size = sizeof(probe->error);

    (void)loop;
    (void)events;
    if (getsockopt(io->fd, SOL_SOCKET, SO_ERROR, &probe->error, &size) != 0)
        probe->error = errno;
    probe_close(probe);
    if (probe->error == 0)
        probe_end(probe, NULL);
    else if (!probe_next(probe))
        probe_end(probe, strerror(probe->error));
}

static void on_late(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct probe_tcp *probe = timer->data;

    (void)loop;
    (void)events;
    if (ev_is_active(&probe->io)) {
        probe_close(probe);
        probe->error = ETIMEDOUT;
        if (probe_next(probe))
            return;
    }
    probe_end(probe, probe->error == 0 ? "its name has no address" : strerror(probe->error));
}

struct probe_tcp *probe_tcp_start(struct ev_loop *loop, const struct app_endpoint *endpoint,
                                  uint32_t timeout, probe_done done, void *context)
{
    struct probe_tcp *probe = calloc(1, sizeof(*probe));

    if (probe == NULL)
        return NULL;
    probe->loop = loop;
    probe->endpoint = endpoint;
    probe->done = done;
    probe->context = context;
    ev_init(&probe->io, on_connected);
    probe->io.data = probe;
    probe->deadline = ev_now(loop) + timeout / 1000.;
    ev_timer_init(&probe->timeout, on_late, 0., 0.);
    probe->timeout.data = probe;
    if (!probe_next(probe)) /* told from the loop */
        ev_timer_start(loop, &probe->timeout);
    return probe;
}
