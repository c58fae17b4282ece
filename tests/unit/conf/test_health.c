#include "conf/health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_rise_and_fall(void **state)
{
    static const struct {
        bool good, changes;
    } steps[] = {
        {true, false},  {false, false}, {false, false}, {true, false}, /* two are not three */
        {false, false}, {false, false}, {false, true},  {false, false}, {true, false},
        {false, false}, {true, false},  {true, true},   {true, false},
    };
    const struct app_health check = {.rise = 2, .fall = 3};
    struct health health = {0};
    bool dead = false;

    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        assert_int_equal(health_judge(&health, &check, steps[i].good), steps[i].changes);
        dead = dead != steps[i].changes;
        assert_int_equal(health.dead, dead);
    }
}

static void test_at_once(void **state)
{
    const struct app_health check = {.rise = 1, .fall = 1};
    struct health health = {0};

    (void)state;
    assert_false(health_judge(&health, &check, true));
    assert_true(health_judge(&health, &check, false));
    assert_true(health_judge(&health, &check, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rise_and_fall),
        cmocka_unit_test(test_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
