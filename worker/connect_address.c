#include "worker/connect_address.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ADDRESS_KEEPALIVE_S = 30,        /* of silence, before the kernel asks whether the peer lives */
    ADDRESS_USER_TIMEOUT_MS = 60000, /* unacknowledged bytes for as long: it does not */
};

int connect_addresses_find(struct connect_addresses *addresses, const struct uri *uri,
                           char reason[CONNECT_REASON_MAX])
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    char host[256] = "";
    char port[8];
    int error;

    if (uri->host.size >= sizeof(host)) {
        snprintf(reason, CONNECT_REASON_MAX, "the host's name is too long");
        return -EHOSTUNREACH;
    }
    memcpy(host, uri->host.data, uri->host.size);
    snprintf(port, sizeof(port), "%u", (unsigned)uri->port);
    error = getaddrinfo(host, port, &hints, &addresses->all);
    if (error != 0) {
        snprintf(reason, CONNECT_REASON_MAX, "%s", gai_strerror(error));
        return -EHOSTUNREACH;
    }
    addresses->next = addresses->all;
    return 0;
}

/* -errno: it cannot even begin to connect. */
static int address_socket(const struct addrinfo *address)
{
    int on = 1, silence = ADDRESS_KEEPALIVE_S, timeout = ADDRESS_USER_TIMEOUT_MS;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error;

    if (fd < 0)
        return -errno;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &silence, sizeof(silence));
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof(timeout));
    if (connect(fd, address->ai_addr, address->ai_addrlen) == 0 || errno == EINPROGRESS)
        return fd;
    error = -errno;
    close(fd);
    return error;
}

int connect_addresses_next(struct connect_addresses *addresses, char reason[CONNECT_REASON_MAX])
{
    while (addresses->next != NULL) {
        int fd = address_socket(addresses->next);

        addresses->next = addresses->next->ai_next;
        if (fd >= 0)
            return fd;
        snprintf(reason, CONNECT_REASON_MAX, "%s", strerror(-fd));
    }
    return -EHOSTUNREACH;
}

void connect_addresses_free(struct connect_addresses *addresses)
{
    if (addresses->all != NULL)
        freeaddrinfo(addresses->all);
    *addresses = (struct connect_addresses){0};
}
