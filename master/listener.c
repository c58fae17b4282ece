#include "master/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

enum { BACKLOG = 4096 }; /* the kernel cuts it to net.core.somaxconn */

static uint16_t address_port(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
    return ntohs(((const struct sockaddr_in *)address)->sin_port);
}

/* A bound socket, or -errno. */
static int socket_bind(const struct sockaddr_storage *address, socklen_t size, bool reuse_port)
{
    int on = 1, error;
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        (!reuse_port || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0) &&
        (address->ss_family != AF_INET6 ||
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0) &&
        bind(fd, (const struct sockaddr *)address, size) == 0)
        return fd;
    error = -errno;
    close(fd);
    return error;
}

/* With SO_REUSEPORT a second gateway of the same user could share our port unnoticed, and each
 * would get half of the connections: a bind and listen without it fails in that case. */
static int listener_probe(const struct listener *listener)
{
    int fd = socket_bind(&listener->address, listener->size, false);
    int error = 0;

    if (fd < 0)
        return fd;
    if (listen(fd, 1) < 0)
        error = -errno;
    close(fd);
    return error;
}

static int listener_bind_slot(struct listener *listener, size_t slot)
{
    int fd = socket_bind(&listener->bound, listener->size, true);
    socklen_t size = sizeof(listener->bound);
    int error;

    if (fd < 0)
        return fd;
    /* Port 0: the first slot's bind chooses the port, the others share it. */
    if (listen(fd, BACKLOG) == 0 &&
        getsockname(fd, (struct sockaddr *)&listener->bound, &size) == 0) {
        listener->fds[slot] = fd;
        return 0;
    }
    error = -errno;
    close(fd);
    return error;
}

static const struct listener *listener_find(const struct listener_set *old,
                                            const struct listener *wanted)
{
    for (size_t i = 0; old != NULL && i < old->count; i++)
        if (old->listeners[i].size == wanted->size &&
            memcmp(&old->listeners[i].address, &wanted->address, sizeof(wanted->address)) == 0)
            return &old->listeners[i];
    return NULL;
}

static bool listener_port_is_ours(const struct listener_set *old, const struct listener *wanted)
{
    for (size_t i = 0; old != NULL && i < old->count; i++)
        if (address_port(&old->listeners[i].bound) == address_port(&wanted->address))
            return true;
    return false;
}

static int listener_adopt(struct listener *listener, const struct listener *old)
{
    listener->bound = old->bound;
    for (size_t slot = 0; slot < SETTINGS_WORKERS_MAX; slot++) {
        if (old->fds[slot] < 0)
            continue;
        listener->fds[slot] = fcntl(old->fds[slot], F_DUPFD_CLOEXEC, 0);
        if (listener->fds[slot] < 0)
            return -errno;
    }
    return 0;
}

static int listener_open_one(struct listener *listener, const struct listener_set *old,
                             size_t slots)
{
    const struct listener *same = listener_find(old, listener);
    int error = 0;

    listener->bound = listener->address;
    if (same != NULL)
        error = listener_adopt(listener, same);
    else if (!listener_port_is_ours(old, listener))
        error = listener_probe(listener);
    for (size_t slot = 0; slot < slots && error == 0; slot++)
        if (listener->fds[slot] < 0)
            error = listener_bind_slot(listener, slot);
    return error;
}

static void listener_prepare(struct listener_set *out, const struct settings *settings)
{
    *out = (struct listener_set){.count = settings->listener_count, .slots = settings->workers};
    for (size_t i = 0; i < out->count; i++)
        for (size_t slot = 0; slot < SETTINGS_WORKERS_MAX; slot++)
            out->listeners[i].fds[slot] = -1;
}

int listener_open(struct listener_set *out, const struct settings *settings,
                  const struct listener_set *old, size_t *failed)
{
    int error = 0;

    listener_prepare(out, settings);
    for (size_t i = 0; i < out->count && error == 0; i++) {
        struct listener *listener = &out->listeners[i];

        *failed = i;
        listener->admin = settings->listeners[i].admin;
        error =
            settings_address(settings->listeners[i].address, &listener->address, &listener->size);
        if (error == 0)
            error = listener_open_one(listener, old, settings->workers);
        for (size_t slot = out->slots; slot < SETTINGS_WORKERS_MAX; slot++)
            if (listener->fds[slot] >= 0)
                out->slots = slot + 1;
    }
    if (error < 0)
        listener_close(out);
    return error;
}

void listener_close(struct listener_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        for (size_t slot = 0; slot < SETTINGS_WORKERS_MAX; slot++)
            if (set->listeners[i].fds[slot] >= 0)
                close(set->listeners[i].fds[slot]);
    *set = (struct listener_set){.count = 0};
}

void listener_text(const struct listener *listener, char *out, size_t room)
{
    char host[INET6_ADDRSTRLEN] = "?";
    bool six = listener->bound.ss_family == AF_INET6;
    const void *address =
        six ? (const void *)&((const struct sockaddr_in6 *)&listener->bound)->sin6_addr
            : &((const struct sockaddr_in *)&listener->bound)->sin_addr;

    inet_ntop(listener->bound.ss_family, address, host, sizeof(host));
    snprintf(out, room, six ? "[%s]:%u" : "%s:%u", host, address_port(&listener->bound));
}
