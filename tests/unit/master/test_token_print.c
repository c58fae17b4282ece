#include "master/token_print.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void check_json(const char *json, const char *expected)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    token_print_json(slice_from(json), out);
    fclose(out);
    assert_string_equal(text, expected);
    free(text);
}

static void test_prints_a_member_a_line(void **state)
{
    (void)state;
    check_json(" {\"a\" :1,\"b\":[ ],\"c\":{\n},\"d\":[true,\"x,y:{\"]} ", "  {\n"
                                                                           "    \"a\": 1,\n"
                                                                           "    \"b\": [],\n"
                                                                           "    \"c\": {},\n"
                                                                           "    \"d\": [\n"
                                                                           "      true,\n"
                                                                           "      \"x,y:{\"\n"
                                                                           "    ]\n"
                                                                           "  }\n");
    check_json("1", "  1\n");
}

static void test_terminals_see_no_controls(void **state)
{
    (void)state;
    check_json("\"\x7f\xc2\x9b"
               "31m\xc2\xa0\\u001b\\\"\\\\\"",
               "  \"\\u007f\\u009b31m\xc2\xa0\\u001b\\\"\\\\\"\n");
}

static void check_time(int64_t time, int64_t now, const char *expected)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    token_print_time(time, now, out);
    fclose(out);
    assert_string_equal(text, expected);
    free(text);
}

static void test_says_times_in_words(void **state)
{
    (void)state;
    check_time(1700000000, 1700000000, "2023-11-14 22:13:20 UTC, 0 seconds ago");
    check_time(1700000001, 1700000000, "2023-11-14 22:13:21 UTC, in 1 second");
    check_time(1700000000, 1700000119, "2023-11-14 22:13:20 UTC, 119 seconds ago");
    check_time(1700000600, 1700000000, "2023-11-14 22:23:20 UTC, in 10 minutes");
    check_time(1700000000, 1700007200, "2023-11-14 22:13:20 UTC, 2 hours ago");
    check_time(0, 1700000000, "1970-01-01 00:00:00 UTC, 19675 days ago");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prints_a_member_a_line),
        cmocka_unit_test(test_terminals_see_no_controls),
        cmocka_unit_test(test_says_times_in_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
