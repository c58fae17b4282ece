#include "shared/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

static void test_a_record_reads_as_a_report(void **state)
{
    struct record_writer writer;
    struct buffer out = {0};

    (void)state;
    record_begin(&writer, &out, '1');
    record_put(&writer, "issuer", slice_from("https://idp.example.com"));
    record_put(&writer, "audience", slice_from("gate"));
    record_put(&writer, "empty", slice_make(NULL, 0));
    record_put_number(&writer, "exp", 1790000000);
    assert_int_equal(record_finish(&writer), 0);
    assert_true(slice_is(buffer_slice(&out), "1 issuer=23:https://idp.example.com audience=4:gate "
                                             "empty=0: exp=10:1790000000"));
    buffer_free(&out);
}

static void test_fields_come_in_order(void **state)
{
    struct slice bytes = slice_from("1 a=3:x=1 b=1:2 c=0:");
    struct record_reader reader;

    (void)state;
    record_open(&reader, bytes, '1');
    assert_true(record_next_is(&reader, "a"));
    assert_false(record_next_is(&reader, "b"));
    assert_true(slice_is(record_get(&reader, "a"), "x=1"));
    assert_int_equal(record_get_number(&reader, "b"), 2);
    assert_int_equal(record_end(&reader), -EBADMSG);
    assert_int_equal(record_get(&reader, "c").size, 0);
    assert_int_equal(record_end(&reader), 0);
}

/* A value may hold anything, also what looks like a field. */
static void test_values_are_opaque(void **state)
{
    struct slice value = slice_make("\0 exp=1:9 \xff", 10);
    struct record_writer writer;
    struct record_reader reader;
    struct buffer out = {0};

    (void)state;
    record_begin(&writer, &out, '1');
    record_put(&writer, "a", value);
    record_put_number(&writer, "exp", 1);
    record_open(&reader, buffer_slice(&out), '1');
    assert_true(slice_equal(record_get(&reader, "a"), value));
    assert_int_equal(record_get_number(&reader, "exp"), 1);
    assert_int_equal(record_end(&reader), 0);
    buffer_free(&out);
}

static void test_broken_fields_are_refused(void **state)
{
    static const char *const broken[] = {
        "",
        "2 a=1:x",
        "1a=1:x",
        "1 a=1:",
        "1 a=:x",
        "1 a=1x",
        "1 a=01:x",
        "1 a=-1:x",
        "1 a=+1:x",
        "1  a=1:x",
        "1 b=1:x",
        "1 a",
        "1 a=",
        "1 a=1",
        "1 a=2:x",
        "1 ab=1:x",
        "1 a=0x1:x",
        "1 a=9999999999999999999999:x",
        "1 a=4294967297:x",
        "1 a= 1:x",
        "1 a=18446744073709551615:x",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        /* A copy of exactly that size, so that a sanitizer sees a byte too many. */
        size_t size = strlen(broken[i]);
        char *copy = malloc(size + 1);
        struct record_reader reader;

        assert_non_null(copy);
        memmove(copy, broken[i], size);
        copy = realloc(copy, size > 0 ? size : 1);
        record_open(&reader, slice_make(copy, size), '1');
        assert_int_equal(record_get(&reader, "a").size, 0);
        assert_true(reader.failed);
        assert_int_equal(record_end(&reader), -EBADMSG);
        free(copy);
    }
}

static void test_failure_is_sticky(void **state)
{
    struct record_reader reader;
    struct slice list[2];

    (void)state;
    record_open(&reader, slice_from("1 a=1:1"), '1');
    record_get(&reader, "b");
    assert_int_equal(record_get(&reader, "a").size, 0);
    assert_int_equal(record_get_number(&reader, "a"), 0);
    assert_int_equal(record_get_list(&reader, "a", list, 2), 0);
    assert_false(record_next_is(&reader, "a"));
    assert_int_equal(record_end(&reader), -EBADMSG);
}

static void test_numbers(void **state)
{
    static const int64_t numbers[] = {0, 1, -1, 10, INT64_MAX, INT64_MIN, INT64_MIN + 1, -10};
    static const char *const wrong[] = {
        "1 n=0:",
        "1 n=1:-",
        "1 n=2:01",
        "1 n=2:-0",
        "1 n=3:-01",
        "1 n=2:+1",
        "1 n=2: 1",
        "1 n=2:1 ",
        "1 n=2:1a",
        "1 n=19:9223372036854775808",
        "1 n=20:-9223372036854775809",
        "1 n=21:100000000000000000000",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct record_writer writer;
        struct record_reader reader;
        struct buffer out = {0};

        record_begin(&writer, &out, '1');
        record_put_number(&writer, "n", numbers[i]);
        record_open(&reader, buffer_slice(&out), '1');
        assert_true(record_get_number(&reader, "n") == numbers[i]);
        assert_int_equal(record_end(&reader), 0);
        buffer_free(&out);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct record_reader reader;

        record_open(&reader, slice_from(wrong[i]), '1');
        assert_int_equal(record_get_number(&reader, "n"), 0);
        assert_int_equal(record_end(&reader), -EBADMSG);
    }
}

static void test_ranges(void **state)
{
    struct record_reader reader;

    (void)state;
    record_open(&reader, slice_from("1 n=1:0 n=3:300 n=3:301"), '1');
    assert_int_equal(record_get_range(&reader, "n", 0, 300), 0);
    assert_int_equal(record_get_range(&reader, "n", 0, 300), 300);
    assert_int_equal(record_get_range(&reader, "n", 0, 300), 0);
    assert_int_equal(record_end(&reader), -EBADMSG);
}

static void test_lists(void **state)
{
    struct record_reader reader;
    struct slice list[2];

    (void)state;
    record_open(&reader, slice_from("1 a=1:x a=1:y b=0:"), '1');
    assert_int_equal(record_get_list(&reader, "a", list, 2), 2);
    assert_true(slice_is(list[1], "y"));
    assert_int_equal(record_get_list(&reader, "a", list, 2), 0);
    record_get(&reader, "b");
    assert_int_equal(record_end(&reader), 0);
    record_open(&reader, slice_from("1 a=1:x a=1:y a=1:z"), '1');
    assert_int_equal(record_get_list(&reader, "a", list, 2), 0);
    assert_int_equal(record_end(&reader), -EBADMSG);
    record_open(&reader, slice_from("1 a=1:x a=9:y"), '1');
    assert_int_equal(record_get_list(&reader, "a", list, 2), 0);
    assert_int_equal(record_end(&reader), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_record_reads_as_a_report),
        cmocka_unit_test(test_fields_come_in_order),
        cmocka_unit_test(test_values_are_opaque),
        cmocka_unit_test(test_broken_fields_are_refused),
        cmocka_unit_test(test_failure_is_sticky),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_lists),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
