/* loopback.h: a socket that listens on loopback. For tests of what connects. */
#ifndef GATEHOUSE_TESTS_UNIT_SHARED_LOOPBACK_H
#define GATEHOUSE_TESTS_UNIT_SHARED_LOOPBACK_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

/* At *port; 0: a free one, which *port becomes. `flags`: 0 or SOCK_NONBLOCK. */
static inline int loopback_listen(const char *ip, uint16_t *port, int flags)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(*port)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    int on = 1;

    assert_int_equal(inet_pton(AF_INET, ip, &address.sin_addr), 1);
    /* A port is listened at again while connections to it are not forgotten yet. */
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 512), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

#endif
