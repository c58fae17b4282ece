#include "master/listener.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Ports that the kernel chose, as settings_address takes no 0. */
static char addresses[2][32];

static int choose_ports(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t size = sizeof(address);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
        snprintf(addresses[i], sizeof(addresses[i]), "127.0.0.1:%u", ntohs(address.sin_port));
        close(fd);
    }
    return 0;
}

static struct settings make(size_t listeners, size_t workers)
{
    struct settings settings = {.listener_count = listeners, .workers = workers};

    for (size_t i = 0; i < listeners; i++)
        settings.listeners[i].address = slice_from(addresses[i]);
    return settings;
}

static ino_t inode(int fd)
{
    struct stat status;

    assert_int_equal(fstat(fd, &status), 0);
    return status.st_ino;
}

static void test_every_slot_has_a_socket_of_its_own(void **state)
{
    struct listener_set set;
    struct settings settings = make(2, 3);
    size_t failed;
    char text[64];

    (void)state;
    assert_int_equal(listener_open(&set, &settings, NULL, &failed), 0);
    assert_int_equal(set.slots, 3);
    for (size_t i = 0; i < 2; i++) {
        for (size_t slot = 0; slot < 3; slot++) {
            int on = 0;
            socklen_t size = sizeof(on);
            int fd = set.listeners[i].fds[slot];

            assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &size), 0);
            assert_int_equal(on, 1);
            assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
            assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
        }
        assert_int_equal(set.listeners[i].fds[3], -1);
        listener_text(&set.listeners[i], text, sizeof(text));
        assert_string_equal(text, addresses[i]);
    }
    assert_int_not_equal(inode(set.listeners[0].fds[0]), inode(set.listeners[0].fds[1]));
    listener_close(&set);
}

static void test_a_port_of_another_gateway_is_refused(void **state)
{
    struct listener_set first, second;
    struct settings settings = make(2, 2);
    size_t failed = 9;

    (void)state;
    assert_int_equal(listener_open(&first, &settings, NULL, &failed), 0);
    assert_int_equal(listener_open(&second, &settings, NULL, &failed), -EADDRINUSE);
    assert_int_equal(failed, 0);
    listener_close(&first);
    assert_int_equal(listener_open(&second, &settings, NULL, &failed), 0);
    listener_close(&second);
}

static void test_sockets_that_stay_are_kept_and_so_are_removed_slots(void **state)
{
    struct listener_set old, new;
    struct settings settings = make(1, 3);
    ino_t inodes[3];
    size_t failed;

    (void)state;
    assert_int_equal(listener_open(&old, &settings, NULL, &failed), 0);
    for (size_t slot = 0; slot < 3; slot++)
        inodes[slot] = inode(old.listeners[0].fds[slot]);
    settings = make(2, 1);
    assert_int_equal(listener_open(&new, &settings, &old, &failed), 0);
    listener_close(&old);
    assert_int_equal(new.slots, 3);
    for (size_t slot = 0; slot < 3; slot++)
        assert_int_equal(inode(new.listeners[0].fds[slot]), inodes[slot]);
    assert_true(new.listeners[1].fds[0] >= 0);
    assert_int_equal(new.listeners[1].fds[1], -1);
    listener_close(&new);
}

static void test_an_address_that_is_not_ours_is_refused(void **state)
{
    struct listener_set set;
    struct settings settings = make(1, 1);
    size_t failed;

    (void)state;
    settings.listeners[0].address = slice_from("192.0.2.1:1"); /* RFC 5737 */
    assert_int_equal(listener_open(&set, &settings, NULL, &failed), -EADDRNOTAVAIL);
    assert_int_equal(set.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_every_slot_has_a_socket_of_its_own, choose_ports),
        cmocka_unit_test_setup(test_a_port_of_another_gateway_is_refused, choose_ports),
        cmocka_unit_test_setup(test_sockets_that_stay_are_kept_and_so_are_removed_slots,
                               choose_ports),
        cmocka_unit_test_setup(test_an_address_that_is_not_ours_is_refused, choose_ports),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
