#include "master/backoff.h"

#include "shared/child.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>

static int exited(int code)
{
    return code << 8; /* as waitpid tells it */
}

static void test_a_proven_seat_is_filled_at_once(void **state)
{
    struct backoff backoff = {0};
    int64_t now = 1000000;

    (void)state;
    for (int i = 0; i < 100; i++) {
        backoff_ready(&backoff, now);
        assert_int_equal(backoff_death(&backoff, SIGKILL, now + 150), BACKOFF_NOW);
        now += 150;
    }
}

static void test_what_never_was_ready_waits_longer_and_longer(void **state)
{
    const int64_t waits[] = {2000, 4000, 8000, 16000, 32000, 60000, 60000};
    struct backoff backoff = {0};
    int64_t now = 5;

    (void)state;
    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        assert_int_equal(backoff_death(&backoff, exited(1), now), waits[i]);
        now += waits[i];
    }
}

static void test_a_proven_seat_may_fail_once_before_ready(void **state)
{
    struct backoff backoff = {0};

    (void)state;
    backoff_ready(&backoff, 0);
    assert_int_equal(backoff_death(&backoff, SIGSEGV, 10000), BACKOFF_NOW);
    assert_int_equal(backoff_death(&backoff, SIGSEGV, 20000), BACKOFF_NOW);
    assert_int_equal(backoff_death(&backoff, SIGSEGV, 30000), 2000);
    assert_int_equal(backoff_death(&backoff, SIGSEGV, 40000), 4000);
    backoff_ready(&backoff, 50000);
    assert_int_equal(backoff_death(&backoff, SIGSEGV, 50100), BACKOFF_NOW);
}

static void test_the_eleventh_death_in_a_second_waits(void **state)
{
    struct backoff backoff = {0};
    int64_t now = 7000;

    (void)state;
    for (int i = 0; i < 10; i++, now += 50) {
        backoff_ready(&backoff, now);
        assert_int_equal(backoff_death(&backoff, SIGABRT, now), BACKOFF_NOW);
    }
    backoff_ready(&backoff, now);
    assert_int_equal(backoff_death(&backoff, SIGABRT, now), 2000);
}

static void test_eleven_deaths_in_more_than_a_second_do_not(void **state)
{
    struct backoff backoff = {0};
    int64_t now = 7000;

    (void)state;
    for (int i = 0; i < 30; i++, now += 101) {
        backoff_ready(&backoff, now);
        assert_int_equal(backoff_death(&backoff, SIGABRT, now), BACKOFF_NOW);
    }
}

static void test_a_calm_minute_resets_the_wait(void **state)
{
    struct backoff backoff = {0};

    (void)state;
    assert_int_equal(backoff_death(&backoff, exited(1), 0), 2000);
    assert_int_equal(backoff_death(&backoff, exited(1), 2000), 4000);
    backoff_ready(&backoff, 6000);
    assert_int_equal(backoff_death(&backoff, exited(1), 66000), BACKOFF_NOW);
    assert_int_equal(backoff_death(&backoff, exited(1), 67000), BACKOFF_NOW);
    assert_int_equal(backoff_death(&backoff, exited(1), 68000), 2000);
}

static void test_a_wrong_configuration_is_not_tried_again(void **state)
{
    struct backoff fresh = {0}, proven = {0};

    (void)state;
    assert_int_equal(backoff_death(&fresh, exited(EXIT_SETTINGS), 0), BACKOFF_NEVER);
    backoff_ready(&proven, 0);
    assert_int_equal(backoff_death(&proven, exited(EXIT_SETTINGS), 0), BACKOFF_NEVER);
    assert_int_equal(backoff_death(&proven, EXIT_SETTINGS, 5000),
                     BACKOFF_NOW); /* a signal's number */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_proven_seat_is_filled_at_once),
        cmocka_unit_test(test_what_never_was_ready_waits_longer_and_longer),
        cmocka_unit_test(test_a_proven_seat_may_fail_once_before_ready),
        cmocka_unit_test(test_the_eleventh_death_in_a_second_waits),
        cmocka_unit_test(test_eleven_deaths_in_more_than_a_second_do_not),
        cmocka_unit_test(test_a_calm_minute_resets_the_wait),
        cmocka_unit_test(test_a_wrong_configuration_is_not_tried_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
