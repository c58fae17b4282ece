#include "shared/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_numbers(void **state)
{
    struct buffer buffer = {0};

    (void)state;
    assert_int_equal(buffer_append_number(&buffer, 0), 0);
    assert_int_equal(buffer_append_text(&buffer, " "), 0);
    assert_int_equal(buffer_append_number(&buffer, 1024), 0);
    assert_int_equal(buffer_append_text(&buffer, " "), 0);
    assert_int_equal(buffer_append_number(&buffer, UINT64_MAX), 0);
    assert_true(slice_is(buffer_slice(&buffer), "0 1024 18446744073709551615"));
    buffer_free(&buffer);
}

/* A token that was consumed, or moved to the front, left its bytes behind: buffer_wipe reaches as
 * far as any byte was ever written. */
static void test_what_is_wiped(void **state)
{
    struct buffer buffer = {0};
    char secret[200];

    (void)state;
    memset(secret, 's', sizeof(secret));
    assert_int_equal(buffer_append(&buffer, secret, sizeof(secret)), 0);
    buffer_consume(&buffer, sizeof(secret));
    assert_int_equal(buffer_append_text(&buffer, "x"), 0);
    assert_int_equal(buffer.high, sizeof(secret));
    assert_int_equal(buffer_append(&buffer, secret, sizeof(secret)), 0);
    assert_int_equal(buffer.end, sizeof(secret) + 1);
    buffer_consume(&buffer, 150);
    assert_int_equal(buffer_reserve(&buffer, 150), 0); /* moves what is left to the front */
    assert_int_equal(buffer.start, 0);
    assert_int_equal(buffer.high, sizeof(secret) + 1);
    buffer_wipe(&buffer);
    assert_null(buffer.memory);
    assert_int_equal(buffer.high, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_what_is_wiped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
