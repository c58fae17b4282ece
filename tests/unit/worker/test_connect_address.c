#include "worker/connect_address.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/shared/loopback.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

static void test_each_address_is_tried_once(void **state)
{
    struct connect_addresses addresses = {0};
    char reason[CONNECT_REASON_MAX] = "before";
    struct uri uri = {.host = slice_from("127.0.0.1")};
    int listener = loopback_listen("127.0.0.1", &uri.port, 0);
    struct pollfd waiting = {.fd = listener, .events = POLLIN};
    int fd;

    (void)state;
    assert_int_equal(connect_addresses_find(&addresses, &uri, reason), 0);
    fd = connect_addresses_next(&addresses, reason);
    assert_true(fd >= 0);
    assert_int_equal(poll(&waiting, 1, 10000), 1);
    close(fd);
    assert_int_equal(connect_addresses_next(&addresses, reason), -EHOSTUNREACH);
    assert_string_equal(reason, "before"); /* none was left to fail */
    connect_addresses_free(&addresses);
    assert_int_equal(connect_addresses_next(&addresses, reason), -EHOSTUNREACH);
    close(listener);
}

static void test_an_address_that_cannot_be_is_named(void **state)
{
    struct connect_addresses addresses = {0};
    char reason[CONNECT_REASON_MAX] = "before";
    struct uri uri = {.host = slice_from("255.255.255.255"), .port = 9};

    (void)state;
    assert_int_equal(connect_addresses_find(&addresses, &uri, reason), 0);
    assert_int_equal(connect_addresses_next(&addresses, reason), -EHOSTUNREACH);
    assert_string_not_equal(reason, "before");
    connect_addresses_free(&addresses);
}

static void test_a_name_too_long_is_refused(void **state)
{
    struct connect_addresses addresses = {0};
    char reason[CONNECT_REASON_MAX], name[257];
    struct uri uri = {.host = slice_make(name, 256), .port = 80};

    (void)state;
    memset(name, 'a', sizeof(name));
    assert_int_equal(connect_addresses_find(&addresses, &uri, reason), -EHOSTUNREACH);
    assert_string_equal(reason, "the host's name is too long");
    connect_addresses_free(&addresses);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_address_is_tried_once),
        cmocka_unit_test(test_an_address_that_cannot_be_is_named),
        cmocka_unit_test(test_a_name_too_long_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
