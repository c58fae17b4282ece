#include "shared/key_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/shared/record_cuts.h"

static struct key_record example(void)
{
    return (struct key_record){
        .kid = slice_from("2026-01"),
        .algorithms = 5,
        .der = slice_make("\x30\x00 \xff", 4),
        .thumbprint =
            slice_from("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        .fetched = 1790000000,
        .good_until = 1790086400,
    };
}

static int decode(struct slice bytes)
{
    struct key_record key;

    return key_record_decode(bytes, &key);
}

static void test_round_trip(void **state)
{
    struct key_record key = example(), decoded;
    struct buffer out = {0};

    (void)state;
    assert_int_equal(key_record_encode(&key, &out), 0);
    assert_int_equal(key_record_decode(buffer_slice(&out), &decoded), 0);
    assert_true(slice_equal(decoded.kid, key.kid));
    assert_int_equal(decoded.algorithms, 5);
    assert_true(slice_equal(decoded.der, key.der));
    assert_true(slice_equal(decoded.thumbprint, key.thumbprint));
    assert_int_equal(decoded.fetched, 1790000000);
    assert_int_equal(decoded.good_until, 1790086400);
    buffer_free(&out);
}

static void expect_refused(struct key_record key)
{
    struct buffer out = {0};

    assert_int_equal(key_record_encode(&key, &out), 0);
    assert_int_equal(decode(buffer_slice(&out)), -EBADMSG);
    buffer_free(&out);
}

static void test_what_is_no_key_is_refused(void **state)
{
    struct key_record key = example();

    (void)state;
    key.der = slice_make(NULL, 0);
    expect_refused(key);
    key = example();
    key.thumbprint.size--;
    expect_refused(key);
    key = example();
    key.good_until = -1;
    expect_refused(key);
}

static void test_cuts(void **state)
{
    struct key_record key = example();
    struct buffer out = {0};

    (void)state;
    assert_int_equal(key_record_encode(&key, &out), 0);
    expect_cuts_refused(buffer_slice(&out), decode);
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_what_is_no_key_is_refused),
        cmocka_unit_test(test_cuts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
