#include "conf/timestamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* By `date -d TEXT +%s`. */
static void test_times(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1972-03-01T00:00:00Z", 68256000},
        {"2000-02-29T12:34:56Z", 951827696},
        {"2026-11-23T01:47:49Z", 1795398469},
        {"2027-01-31t18:00:00z", 1801418400},
        {"2027-01-31T18:00:00.123456789Z", 1801418400},
        {"2027-01-31T18:00:00+01:30", 1801413000},
        {"2027-01-31T18:00:00-01:30", 1801423800},
        {"2016-12-31T23:59:60Z", 1483228800},
        {"2100-03-01T00:00:00Z", 4107542400},
        {"9999-12-31T23:59:59Z", 253402300799},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t seconds = -1;

        assert_true(timestamp_read(slice_from(cases[i].text), &seconds));
        assert_int_equal(seconds, cases[i].seconds);
    }
}

static void test_what_is_none(void **state)
{
    static const char *const texts[] = {
        "",
        "2027",
        "2027-01-31",
        "2027-01-31T18:00Z",
        "2027-01-31T18:00:00",
        "2027-01-31 18:00:00Z",
        "2027-01-31T18:00:00Zx",
        "2027-01-31T18:00:00.Z",
        "2027-01-31T18:00:00+0100",
        "2027-01-31T18:00:00+24:00",
        "2027-02-29T18:00:00Z",
        "2100-02-29T18:00:00Z",
        "2027-13-01T18:00:00Z",
        "2027-00-01T18:00:00Z",
        "2027-01-00T18:00:00Z",
        "2027-04-31T18:00:00Z",
        "2027-01-31T24:00:00Z",
        "2027-01-31T18:60:00Z",
        "2027-01-31T18:00:61Z",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01",
        "+027-01-31T18:00:00Z",
        "2027-1-31T18:00:00Z",
    };
    int64_t seconds;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (timestamp_read(slice_from(texts[i]), &seconds))
            fail_msg("%s is no time", texts[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_what_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
