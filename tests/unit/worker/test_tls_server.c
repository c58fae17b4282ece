#include "worker/tls_server.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/worker/tls_fixture.h"

static void test_sni_chooses_the_certificate(void **state)
{
    static const char *const names[] = {"a.example", "b.example"};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < 2; i++) {
        struct link link;

        open_link(&link, fixture->server,
                  tls_client_find(fixture->trust, bundle(&fixture->identities[i]), true), names[i]);
        assert_int_equal(link.client_result, 0);
        close_link(&link);
    }
}

static void test_a_connection_outlives_its_server(void **state)
{
    struct fixture *fixture = *state;
    struct tls_server *server;
    struct link link;
    char reason[TLS_REASON_MAX];
    char data[8];

    assert_int_equal(tls_server_open(&server, &fixture->identities[0].pair, 1, &tickets, reason),
                     0);
    open_link(&link, server, tls_client_find(fixture->trust, slice_make(NULL, 0), false),
              "a.example");
    tls_server_close(server);
    assert_int_equal(tls_write(link.client, "on", 2), 2);
    assert_int_equal(tls_read(link.server, data, sizeof(data)), 2);
    close_link(&link);
}

static void test_wrong_files_are_refused_with_a_reason(void **state)
{
    struct fixture *fixture = *state;
    struct tls_pair mixed = {.certificate = fixture->identities[0].pair.certificate,
                             .key = fixture->identities[1].pair.key};
    struct tls_server *server;
    char reason[TLS_REASON_MAX] = "";

    assert_int_equal(tls_server_open(&server, &mixed, 1, &tickets, reason), -EINVAL);
    assert_null(server);
    assert_non_null(strstr(reason, "a key cannot be used"));
    mixed.certificate = mixed.key;
    assert_int_equal(tls_server_open(&server, &mixed, 1, &tickets, reason), -EINVAL);
    assert_non_null(strstr(reason, "a certificate cannot be used"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sni_chooses_the_certificate),
        cmocka_unit_test(test_a_connection_outlives_its_server),
        cmocka_unit_test(test_wrong_files_are_refused_with_a_reason),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
