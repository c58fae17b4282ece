#include "worker/deadline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct fixture {
    struct ev_loop *loop;
    struct deadline deadline;
    int passed;
};

static void count_passed(struct deadline *deadline)
{
    struct fixture *fixture = deadline->owner;

    fixture->passed++;
}

static int set_up(void **state)
{
    static struct fixture fixture;

    fixture = (struct fixture){.loop = ev_loop_new(EVFLAG_AUTO)};
    deadline_open(&fixture.deadline, fixture.loop, count_passed, &fixture);
    *state = &fixture;
    return fixture.loop == NULL;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    deadline_close(&fixture->deadline);
    ev_loop_destroy(fixture->loop);
    return 0;
}

static void test_passes_once_and_not_early(void **state)
{
    struct fixture *fixture = *state;
    ev_tstamp begin = ev_time();

    deadline_set(&fixture->deadline, 30);
    ev_run(fixture->loop, 0); /* ends when no timer is left */
    assert_int_equal(fixture->passed, 1);
    assert_true(ev_time() - begin >= 0.029);
}

static void test_moved_away_waits_for_the_rest(void **state)
{
    struct fixture *fixture = *state;
    ev_tstamp begin = ev_time();

    deadline_set(&fixture->deadline, 20);
    deadline_set(&fixture->deadline, 60);
    ev_run(fixture->loop, 0);
    assert_int_equal(fixture->passed, 1);
    assert_true(ev_time() - begin >= 0.059);
}

static void test_moved_nearer_passes_sooner(void **state)
{
    struct fixture *fixture = *state;
    ev_tstamp begin = ev_time();

    deadline_set(&fixture->deadline, 60000);
    deadline_set(&fixture->deadline, 10);
    ev_run(fixture->loop, 0);
    assert_int_equal(fixture->passed, 1);
    assert_true(ev_time() - begin < 30.);
}

static void test_cleared_never_passes(void **state)
{
    struct fixture *fixture = *state;

    deadline_set(&fixture->deadline, 5);
    deadline_clear(&fixture->deadline);
    ev_run(fixture->loop, 0);
    assert_int_equal(fixture->passed, 0);
}

static void test_set_again_after_it_was_cleared(void **state)
{
    struct fixture *fixture = *state;

    deadline_set(&fixture->deadline, 5);
    deadline_clear(&fixture->deadline);
    deadline_set(&fixture->deadline, 10);
    ev_run(fixture->loop, 0);
    assert_int_equal(fixture->passed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_passes_once_and_not_early, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_moved_away_waits_for_the_rest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_moved_nearer_passes_sooner, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cleared_never_passes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_set_again_after_it_was_cleared, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
