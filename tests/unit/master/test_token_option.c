#include "master/token_option.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *const names[] = {"key", "keys", "claim", NULL};

static void test_reads_options_and_arguments(void **state)
{
    char *argv[] = {"--key", "a", "--claim=b=c", "-", "--keys=", "x", "--", "--key"};
    struct token_options options = {"mint", names, 8, argv, 0, 0};
    const char *value = NULL;

    (void)state;
    assert_int_equal(token_option_next(&options, &value), 0);
    assert_string_equal(value, "a");
    assert_int_equal(token_option_next(&options, &value), 2);
    assert_string_equal(value, "b=c");
    assert_int_equal(token_option_next(&options, &value), TOKEN_OPTION_ARGUMENT);
    assert_string_equal(value, "-");
    assert_int_equal(token_option_next(&options, &value), 1);
    assert_string_equal(value, "");
    assert_int_equal(token_option_next(&options, &value), TOKEN_OPTION_ARGUMENT);
    assert_string_equal(value, "x");
    assert_int_equal(token_option_next(&options, &value), TOKEN_OPTION_ARGUMENT);
    assert_string_equal(value, "--key");
    assert_int_equal(token_option_next(&options, &value), TOKEN_OPTION_END);
    assert_int_equal(token_option_next(&options, &value), TOKEN_OPTION_END);
}

static int first_of(char *argument)
{
    char *argv[] = {argument};
    struct token_options options = {"mint", names, 1, argv, 0, 0};
    const char *value = NULL;

    return token_option_next(&options, &value);
}

static void test_refuses_what_it_does_not_know(void **state)
{
    (void)state;
    assert_int_equal(first_of("--ke"), TOKEN_OPTION_WRONG);
    assert_int_equal(first_of("--keyx=1"), TOKEN_OPTION_WRONG);
    assert_int_equal(first_of("-k"), TOKEN_OPTION_WRONG);
    assert_int_equal(first_of("--key"), TOKEN_OPTION_WRONG);
    assert_int_equal(first_of("--help"), TOKEN_OPTION_HELP);
    assert_int_equal(first_of("-h"), TOKEN_OPTION_HELP);
}

static void test_reads_durations(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } good[] = {{"1s", 1}, {"30s", 30}, {"10m", 600}, {"2h", 7200}, {"1d", 86400}, {"007m", 420}};
    static const char *const wrong[] = {"",    "m",    "10",   "10x",   "10mm",
                                        "-1m", "1.5h", " 1m",  "1m ",   "1 m",
                                        "0s",  "0d",   "soon", "3661d", "99999999999999999999s"};
    int64_t seconds;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(token_option_duration(good[i].text, &seconds), 0);
        assert_int_equal(seconds, good[i].seconds);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(token_option_duration(wrong[i], &seconds), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_options_and_arguments),
        cmocka_unit_test(test_refuses_what_it_does_not_know),
        cmocka_unit_test(test_reads_durations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
