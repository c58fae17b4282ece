/* Whether a connection can be made: to any address of the endpoint, one at a time. */
#include "conf/probe_tcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/shared/loopback.h"

enum { TIMEOUT = 20000 /* milliseconds: never waited for in full */ };

struct fixture {
    struct ev_loop *loop;
    int listener; /* 127.0.0.1 */
    struct app_endpoint endpoint;
    unsigned ended;
    bool good;
    char failed[128];
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    fixture->loop = ev_loop_new(EVFLAG_AUTO);
    fixture->listener = loopback_listen("127.0.0.1", &fixture->endpoint.port, SOCK_NONBLOCK);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    ev_loop_destroy(fixture->loop);
    close(fixture->listener);
    free(fixture);
    return 0;
}

static void on_done(void *context, const char *failed)
{
    struct fixture *fixture = context;

    fixture->ended++;
    fixture->good = failed == NULL;
    snprintf(fixture->failed, sizeof(fixture->failed), "%s", failed == NULL ? "" : failed);
}

static void addresses_are(struct fixture *fixture, const char *const *addresses)
{
    fixture->endpoint.address_count = 0;
    while (addresses[fixture->endpoint.address_count] != NULL) {
        fixture->endpoint.addresses[fixture->endpoint.address_count] =
            slice_from(addresses[fixture->endpoint.address_count]);
        fixture->endpoint.address_count++;
    }
}

static void probe(struct fixture *fixture, const char *const *addresses, uint32_t timeout)
{
    addresses_are(fixture, addresses);
    fixture->ended = 0;
    ev_now_update(fixture->loop);
    assert_non_null(probe_tcp_start(fixture->loop, &fixture->endpoint, timeout, on_done, fixture));
    assert_int_equal(fixture->ended, 0); /* never from within the start */
    ev_run(fixture->loop, 0);            /* returns: nothing is watched any more */
    assert_int_equal(fixture->ended, 1);
}

/* How many connections the kernel has made; all of them ended. */
static unsigned connections(struct fixture *fixture)
{
    unsigned count = 0;
    char byte;
    int fd;

    while ((fd = accept(fixture->listener, NULL, NULL)) >= 0) {
        assert_int_equal(recv(fd, &byte, 1, 0), 0); /* it was sent nothing, and is closed */
        close(fd);
        count++;
    }
    return count;
}

static void test_connects_and_sends_nothing(void **state)
{
    struct fixture *fixture = *state;

    probe(fixture, (const char *const[]){"127.0.0.1", NULL}, TIMEOUT);
    assert_true(fixture->good);
    assert_int_equal(connections(fixture), 1);
}

static void test_tries_each_address_in_turn(void **state)
{
    struct fixture *fixture = *state;

    probe(fixture, (const char *const[]){"127.0.0.9", "no address", "::1", "127.0.0.1", NULL},
          TIMEOUT);
    assert_true(fixture->good);
    assert_int_equal(connections(fixture), 1);
    probe(fixture, (const char *const[]){"127.0.0.1", "127.0.0.1", NULL}, TIMEOUT);
    assert_true(fixture->good);
    assert_int_equal(connections(fixture), 1); /* one is enough */
}

static void test_says_why_it_failed(void **state)
{
    struct fixture *fixture = *state;

    probe(fixture, (const char *const[]){"127.0.0.9", NULL}, TIMEOUT);
    assert_false(fixture->good);
    assert_string_equal(fixture->failed, strerror(ECONNREFUSED));
    probe(fixture, (const char *const[]){NULL}, TIMEOUT);
    assert_false(fixture->good);
    assert_string_equal(fixture->failed, "its name has no address");
    probe(fixture, (const char *const[]){"no address", NULL}, TIMEOUT);
    assert_false(fixture->good);
    assert_string_equal(fixture->failed, strerror(EINVAL));
}

/* Fills the queue of a listener that nobody accepts from: what comes next gets no answer. */
static int silent_listener(uint16_t port, int *clients, size_t count)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = loopback_listen("127.0.0.8", &port, 0);

    assert_int_equal(listen(fd, 0), 0);
    inet_pton(AF_INET, "127.0.0.8", &address.sin_addr);
    for (size_t i = 0; i < count; i++) {
        clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(clients[i], (struct sockaddr *)&address, sizeof(address));
    }
    return fd;
}

/* An address that is silent leaves time for the next. */
static void test_a_silent_address_is_not_waited_for_in_full(void **state)
{
    struct fixture *fixture = *state;
    int clients[4];
    int silent = silent_listener(fixture->endpoint.port, clients, 4);

    probe(fixture, (const char *const[]){"127.0.0.8", NULL}, 50);
    assert_false(fixture->good);
    assert_string_equal(fixture->failed, strerror(ETIMEDOUT));
    probe(fixture, (const char *const[]){"127.0.0.8", "127.0.0.8", "127.0.0.1", NULL}, 200);
    assert_true(fixture->good);
    assert_int_equal(connections(fixture), 1);
    for (size_t i = 0; i < 4; i++)
        close(clients[i]);
    close(silent);
}

static void test_a_cancelled_probe_is_silent(void **state)
{
    struct fixture *fixture = *state;
    struct probe_tcp *probe;

    addresses_are(fixture, (const char *const[]){"127.0.0.1", NULL});
    probe = probe_tcp_start(fixture->loop, &fixture->endpoint, TIMEOUT, on_done, fixture);
    assert_non_null(probe);
    probe_tcp_cancel(probe);
    ev_run(fixture->loop, 0);
    assert_int_equal(fixture->ended, 0);
    assert_int_equal(connections(fixture), 1);
    probe_tcp_cancel(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_connects_and_sends_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tries_each_address_in_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(test_says_why_it_failed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_silent_address_is_not_waited_for_in_full, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_cancelled_probe_is_silent, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
