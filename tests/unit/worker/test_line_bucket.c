#include "worker/line_bucket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_so_many_a_second(void **state)
{
    struct line_bucket bucket = {0};

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_true(line_bucket_admits(&bucket, 3, 5000));
    assert_false(line_bucket_admits(&bucket, 3, 5000));
    assert_false(line_bucket_admits(&bucket, 3, 5999));
    assert_true(line_bucket_admits(&bucket, 3, 6000));
}

static void test_what_is_held_back_is_told_once(void **state)
{
    struct line_bucket bucket = {0};

    (void)state;
    assert_int_equal(line_bucket_take(&bucket, 5000), 0);
    for (int i = 0; i < 5; i++)
        line_bucket_admits(&bucket, 1, 5000);
    assert_int_equal(line_bucket_take(&bucket, 5500), 0); /* the second still runs */
    assert_int_equal(line_bucket_take(&bucket, 6000), 4);
    assert_int_equal(line_bucket_take(&bucket, 7000), 0);
}

static void test_zero_is_any(void **state)
{
    struct line_bucket bucket = {0};

    (void)state;
    for (int i = 0; i < 10000; i++)
        assert_true(line_bucket_admits(&bucket, 0, 5000));
    assert_int_equal(line_bucket_take(&bucket, 7000), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_so_many_a_second),
        cmocka_unit_test(test_what_is_held_back_is_told_once),
        cmocka_unit_test(test_zero_is_any),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
