#include "shared/ecdsa_signature.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct slice bytes(const uint8_t *data, size_t size)
{
    return slice_make((const char *)data, size);
}

static void test_writes_the_shortest_der(void **state)
{
    static const uint8_t raw[] = {0x00, 0x00, 0x7f, 0x01, 0x00, 0x80, 0x00, 0x01};
    static const uint8_t der[] = {0x30, 0x0a, 0x02, 0x02, 0x7f, 0x01,
                                  0x02, 0x04, 0x00, 0x80, 0x00, 0x01};
    uint8_t out[ECDSA_DER_MAX];

    (void)state;
    assert_int_equal(ecdsa_signature_to_der(bytes(raw, sizeof(raw)), out), sizeof(der));
    assert_memory_equal(out, der, sizeof(der));
}

static void test_zero_is_one_byte(void **state)
{
    static const uint8_t raw[4] = {0};
    static const uint8_t der[] = {0x30, 0x06, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00};
    uint8_t out[ECDSA_DER_MAX];

    (void)state;
    assert_int_equal(ecdsa_signature_to_der(bytes(raw, sizeof(raw)), out), sizeof(der));
    assert_memory_equal(out, der, sizeof(der));
}

static void test_sizes_round_trip(void **state)
{
    static const size_t sizes[] = {1, 32, 48, ECDSA_NUMBER_MAX};
    static const uint8_t tops[] = {0x00, 0x01, 0x7f, 0x80, 0xff};

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (size_t top = 0; top < sizeof(tops); top++) {
            uint8_t raw[2 * ECDSA_NUMBER_MAX], back[2 * ECDSA_NUMBER_MAX], der[ECDSA_DER_MAX];
            size_t size = sizes[i];
            int der_size;

            memset(raw, 0xa5, sizeof(raw));
            raw[0] = tops[top];
            raw[size] = tops[sizeof(tops) - 1 - top];
            der_size = ecdsa_signature_to_der(bytes(raw, 2 * size), der);
            assert_true(der_size > 0 && (size_t)der_size <= sizeof(der));
            assert_int_equal(ecdsa_signature_from_der(bytes(der, (size_t)der_size), size, back), 0);
            assert_memory_equal(raw, back, 2 * size);
            for (int cut = 0; cut < der_size; cut++)
                assert_int_equal(ecdsa_signature_from_der(bytes(der, (size_t)cut), size, back),
                                 -EINVAL);
        }
    }
}

static void test_refuses_wrong_sizes(void **state)
{
    static const uint8_t raw[2 * ECDSA_NUMBER_MAX + 2] = {0};
    uint8_t out[ECDSA_DER_MAX];

    (void)state;
    assert_int_equal(ecdsa_signature_to_der(bytes(raw, 0), out), -EINVAL);
    assert_int_equal(ecdsa_signature_to_der(bytes(raw, 63), out), -EINVAL);
    assert_int_equal(ecdsa_signature_to_der(bytes(raw, sizeof(raw)), out), -EINVAL);
}

static void test_refuses_numbers_that_do_not_fit(void **state)
{
    static const uint8_t two_bytes[] = {0x30, 0x07, 0x02, 0x02, 0x01, 0x00, 0x02, 0x01, 0x01};
    static const uint8_t negative[] = {0x30, 0x06, 0x02, 0x01, 0x80, 0x02, 0x01, 0x01};
    static const uint8_t trailing[] = {0x30, 0x07, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01, 0x00};
    uint8_t out[4];

    (void)state;
    assert_int_equal(ecdsa_signature_from_der(bytes(two_bytes, sizeof(two_bytes)), 2, out), 0);
    assert_int_equal(ecdsa_signature_from_der(bytes(two_bytes, sizeof(two_bytes)), 1, out),
                     -EINVAL);
    assert_int_equal(ecdsa_signature_from_der(bytes(negative, sizeof(negative)), 1, out), -EINVAL);
    assert_int_equal(ecdsa_signature_from_der(bytes(trailing, sizeof(trailing)), 1, out), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writes_the_shortest_der),
        cmocka_unit_test(test_zero_is_one_byte),
        cmocka_unit_test(test_sizes_round_trip),
        cmocka_unit_test(test_refuses_wrong_sizes),
        cmocka_unit_test(test_refuses_numbers_that_do_not_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
