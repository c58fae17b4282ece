#include "shared/jose_key.h"

#include "shared/jose.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/shared/jose_fixture.h"

static void test_pem_round_trips(void **state)
{
    struct buffer pem = {0}, signature = {0};
    struct jose_key *made, *read;

    (void)state;
    assert_int_equal(jose_key_generate(&made, JOSE_ES256), 0);
    assert_int_equal(jose_key_private_pem(made, &pem), 0);
    assert_int_equal(jose_key_from_pem(&read, buffer_slice(&pem)), 0);
    assert_int_equal(jose_sign(read, JOSE_ES256, slice_from("x"), &signature), 0);
    assert_int_equal(jose_verify(made, JOSE_ES256, slice_from("x"), buffer_slice(&signature)), 0);
    jose_key_free(read);
    pem.end -= 40;
    assert_int_equal(jose_key_from_pem(&read, buffer_slice(&pem)), -EINVAL);
    assert_null(read);
    assert_int_equal(jose_key_from_pem(&read, slice_from("not a key")), -EINVAL);
    assert_int_equal(jose_key_from_pem(&read, slice_from("")), -EINVAL);
    jose_key_free(made);
    buffer_wipe(&pem);
    buffer_free(&signature);
}

/* A real one (AES-128-CBC, password "secret"). */
static void test_encrypted_pem_is_refused_without_asking(void **state)
{
    static const char encrypted[] =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
        "MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgGWTNBUAoO+AICCAAw\n"
        "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEAQIEELPfp7yyFIiTU68F73RrmLAEQIpY\n"
        "mvFOGrgOKupGzCTzga5Qv+ZdwWx7B58FkrhsyXj7vOI5XjyxIePyFoPNqjSfpInY\n"
        "WcBmc4Iq84KAg5OirsM=\n"
        "-----END ENCRYPTED PRIVATE KEY-----\n";
    struct jose_key *key;

    (void)state;
    assert_int_equal(jose_key_from_pem(&key, slice_from(encrypted)), -EINVAL);
}

static void test_der_is_exactly_one_key(void **state)
{
    struct arena arena = {0};
    struct buffer der = {0};
    struct jwk_set set;
    struct jose_key *key;
    uint32_t algorithms;
    const char *reason;

    (void)state;
    assert_int_equal(jwk_set_parse(slice_from(jose_fixture_rsa), &arena, &set, &reason), 0);
    assert_int_equal(jose_jwk_to_der(&set.keys[0], &der, &algorithms, &reason), 0);
    assert_int_equal(jose_key_from_der(&key, buffer_slice(&der), JOSE_ALL), 0);
    jose_key_free(key);
    assert_int_equal(jose_key_from_der(&key, buffer_slice(&der), 1 << JOSE_ES256), -EINVAL);
    assert_null(key);
    assert_int_equal(jose_key_from_der(&key, buffer_slice(&der), 0), -EINVAL);
    assert_int_equal(buffer_append(&der, "\0", 1), 0);
    assert_int_equal(jose_key_from_der(&key, buffer_slice(&der), JOSE_ALL), -EINVAL);
    for (der.end--; buffer_size(&der) > 0; der.end--)
        assert_int_equal(
            jose_key_from_der(&key, slice_make(buffer_data(&der), buffer_size(&der) - 1), JOSE_ALL),
            -EINVAL);
    buffer_free(&der);
    arena_free(&arena);
}

/* Points and curves are checked of DER, too: it comes from a store that others write. */
static void test_refuses_a_foreign_der(void **state)
{
    static const uint8_t off_curve[] = {/* P-256, point (1, 1) */
                                        0x30, 0x59, 0x30, 0x13,     0x06,    0x07, 0x2a, 0x86,
                                        0x48, 0xce, 0x3d, 0x02,     0x01,    0x06, 0x08, 0x2a,
                                        0x86, 0x48, 0xce, 0x3d,     0x03,    0x01, 0x07, 0x03,
                                        0x42, 0x00, 0x04, [58] = 1, [90] = 1};
    static const uint8_t x25519[44] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b,
                                       0x65, 0x6e, 0x03, 0x21, 0x00, 0x09};
    static const uint8_t ed448[69] = {0x30, 0x43, 0x30, 0x05, 0x06, 0x03, 0x2b,
                                      0x65, 0x71, 0x03, 0x3a, 0x00, 0x01};
    struct jose_key *key;

    (void)state;
    assert_int_equal(
        jose_key_from_der(&key, slice_make((const char *)off_curve, sizeof(off_curve)), JOSE_ALL),
        -EINVAL);
    assert_int_equal(
        jose_key_from_der(&key, slice_make((const char *)x25519, sizeof(x25519)), JOSE_ALL),
        -EINVAL);
    assert_int_equal(
        jose_key_from_der(&key, slice_make((const char *)ed448, sizeof(ed448)), JOSE_ALL), -EINVAL);
    assert_null(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pem_round_trips),
        cmocka_unit_test(test_encrypted_pem_is_refused_without_asking),
        cmocka_unit_test(test_der_is_exactly_one_key),
        cmocka_unit_test(test_refuses_a_foreign_der),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
