#include "worker/tls_trust.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/worker/tls_fixture.h"

static void test_name_and_issuer_are_verified(void **state)
{
    struct fixture *fixture = *state;
    struct slice a = bundle(&fixture->identities[0]);
    struct slice b = bundle(&fixture->identities[1]);
    const struct {
        struct slice bundle;
        bool verify;
        const char *host;
        int result;
    } cases[] = {
        {a, true, "a.example", 0},       {a, true, "c.example", -EPROTO},
        {b, true, "a.example", -EPROTO}, {{0}, true, "a.example", -EPROTO},
        {{0}, false, "c.example", 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct link link;

        open_link(&link, fixture->server,
                  tls_client_find(fixture->trust, cases[i].bundle, cases[i].verify), cases[i].host);
        assert_int_equal(link.client_result, cases[i].result);
        if (cases[i].result != 0)
            assert_non_null(strstr(link.reason, "certificate not trusted"));
        close_link(&link);
    }
}

static void test_clients_are_shared_by_bundle(void **state)
{
    struct fixture *fixture = *state;
    struct tls_trust *trust = fixture->trust;
    struct slice a = bundle(&fixture->identities[0]);
    struct slice none = slice_make(NULL, 0);

    assert_ptr_equal(tls_client_find(trust, a, true), tls_client_find(trust, a, true));
    assert_ptr_not_equal(tls_client_find(trust, a, true), tls_client_find(trust, none, true));
    assert_ptr_equal(tls_client_find(trust, a, false), tls_client_find(trust, none, false));
    assert_null(tls_client_find(trust, slice_from("not a bundle"), true));
}

static void test_a_client_identifies_itself_with_a_pair(void **state)
{
    struct fixture *fixture = *state;
    struct tls_client *client =
        tls_client_find(fixture->trust, bundle(&fixture->identities[0]), true);
    struct tls_pair mixed = {.certificate = fixture->identities[0].pair.certificate,
                             .key = fixture->identities[1].pair.key};
    struct tls_pair none = {.certificate = -1, .key = -1};
    char reason[TLS_REASON_MAX];

    assert_int_equal(tls_client_identify(client, &none, reason), -EINVAL);
    assert_int_equal(tls_client_identify(client, &mixed, reason), -EINVAL);
    assert_non_null(strstr(reason, "key"));
    assert_int_equal(tls_client_identify(client, &fixture->identities[0].pair, reason), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_name_and_issuer_are_verified),
        cmocka_unit_test(test_clients_are_shared_by_bundle),
        cmocka_unit_test(test_a_client_identifies_itself_with_a_pair),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
