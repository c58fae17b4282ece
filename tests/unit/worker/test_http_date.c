#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/http_date.h"

static void test_dates(void **state)
{
    char date[HTTP_DATE_SIZE];

    (void)state;
    http_date(784111777, date);
    assert_string_equal(date, "Sun, 06 Nov 1994 08:49:37 GMT");
    http_date(0, date);
    assert_string_equal(date, "Thu, 01 Jan 1970 00:00:00 GMT");
    http_date(1709251199, date);
    assert_string_equal(date, "Thu, 29 Feb 2024 23:59:59 GMT");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_dates)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
