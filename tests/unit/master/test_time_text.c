#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "master/time_text.h"

#include <stdlib.h>
#include <time.h>

static void assert_local(const char *zone, int64_t seconds, const char *expected)
{
    char text[TIME_TEXT_SIZE];

    assert_int_equal(setenv("TZ", zone, 1), 0);
    tzset();
    time_text_local(seconds, text);
    assert_string_equal(text, expected);
}

static void local_times_bear_their_offset(void **state)
{
    (void)state;
    assert_local("UTC0", 1790000000, "2026-09-21T14:13:20+00:00");
    assert_local("XXX-5:30", 1790000000, "2026-09-21T19:43:20+05:30");
    assert_local("XXX+8", 1790000000, "2026-09-21T06:13:20-08:00");
    assert_local("UTC0", 0, "-");
    assert_local("UTC0", INT64_MAX, "-");
}

static void utc_times_end_in_z(void **state)
{
    char text[TIME_TEXT_SIZE];

    (void)state;
    time_text_utc(1790000000, text);
    assert_string_equal(text, "2026-09-21T14:13:20Z");
    time_text_utc(INT64_MAX, text);
    assert_string_equal(text, "-");
}

static void assert_span(int64_t seconds, const char *expected)
{
    char text[TIME_SPAN_SIZE];

    time_span(seconds, text);
    assert_string_equal(text, expected);
}

static void spans_have_two_of_their_unit(void **state)
{
    (void)state;
    assert_span(-5, "0s");
    assert_span(119, "119s");
    assert_span(120, "2m");
    assert_span(7199, "119m");
    assert_span(7200, "2h");
    assert_span(172799, "47h");
    assert_span(172800, "2d");
    assert_span(INT64_MAX, "106751991167300d");
}

static void assert_relative(int64_t seconds, int64_t now, const char *expected)
{
    char text[TIME_SPAN_SIZE];

    time_relative(seconds, now, text);
    assert_string_equal(text, expected);
}

static void relative_times_look_both_ways(void **state)
{
    (void)state;
    assert_relative(1000, 1090, "90s ago");
    assert_relative(1090, 1000, "in 90s");
    assert_relative(1000, 1000, "0s ago");
    assert_relative(0, 1000, "-");
    assert_relative(INT64_MAX, 1000, "in 106751991167300d");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(local_times_bear_their_offset),
        cmocka_unit_test(utc_times_end_in_z),
        cmocka_unit_test(spans_have_two_of_their_unit),
        cmocka_unit_test(relative_times_look_both_ways),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
