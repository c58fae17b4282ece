#include "worker/tls.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/worker/tls_fixture.h"

static void test_bytes_cross_both_ways(void **state)
{
    struct fixture *fixture = *state;
    struct link link;
    char data[64];

    open_link(&link, fixture->server,
              tls_client_find(fixture->trust, bundle(&fixture->identities[0]), true), "a.example");
    assert_int_equal(link.server_result, 0);
    assert_int_equal(link.client_result, 0);
    assert_int_equal(tls_read(link.server, data, sizeof(data)), -EAGAIN);
    assert_int_equal(tls_write(link.client, "ping", 4), 4);
    assert_int_equal(tls_read(link.server, data, sizeof(data)), 4);
    assert_memory_equal(data, "ping", 4);
    assert_int_equal(tls_write(link.server, "pong", 4), 4);
    assert_int_equal(tls_read(link.client, data, 2), 2);
    assert_true(tls_pending(link.client));
    assert_int_equal(tls_read(link.client, data, sizeof(data)), 2);
    tls_free(link.client);
    link.client = NULL;
    assert_int_equal(tls_read(link.server, data, sizeof(data)), 0);
    close_link(&link);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_cross_both_ways),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
