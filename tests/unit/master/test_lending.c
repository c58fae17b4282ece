#include "master/lending.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_a_slot_is_lent_after_its_patience(void **state)
{
    struct lending_slot slot = {.ready = true, .borrower = -1};

    (void)state;
    assert_int_equal(lending_decide(&slot, 5000), LENDING_NONE);
    lending_death(&slot, 1, 0, 5000);
    assert_int_equal(lending_decide(&slot, 5199), LENDING_NONE);
    assert_int_equal(lending_decide(&slot, 5200), LENDING_LEND);
    slot.borrower = 1;
    assert_int_equal(lending_decide(&slot, 9000), LENDING_NONE);
}

static void test_a_lent_slot_is_returned_to_its_own_worker(void **state)
{
    struct lending_slot slot = {.ready = false, .borrower = 1};

    (void)state;
    lending_ready(&slot, 0);
    assert_int_equal(lending_decide(&slot, 0), LENDING_RETURN);
    slot.borrower = -1;
    assert_int_equal(lending_decide(&slot, 0), LENDING_NONE);
}

static void test_ready_workers_borrow_in_turn(void **state)
{
    struct lending_slot slots[4] = {
        {.ready = true}, {.ready = false}, {.ready = true}, {.ready = true}};
    size_t cursor = 0;

    (void)state;
    assert_int_equal(lending_choose(slots, 4, &cursor), 2);
    assert_int_equal(lending_choose(slots, 4, &cursor), 3);
    assert_int_equal(lending_choose(slots, 4, &cursor), 0);
    assert_int_equal(lending_choose(slots, 4, &cursor), 2);
}

static void test_with_no_ready_worker_nobody_borrows(void **state)
{
    struct lending_slot slots[2] = {{.ready = false}, {.ready = false}};
    size_t cursor = 1;

    (void)state;
    assert_int_equal(lending_choose(slots, 2, &cursor), -1);
    assert_int_equal(cursor, 1);
}

static void test_what_a_dead_borrower_had_is_lent_again_at_once(void **state)
{
    struct lending_slot slots[3] = {{.ready = true, .borrower = -1},
                                    {.ready = false, .down_since = 100, .borrower = 0},
                                    {.ready = true, .borrower = -1}};

    (void)state;
    lending_death(slots, 3, 0, 1000);
    assert_int_equal(lending_decide(&slots[1], 1000), LENDING_LEND);
    assert_int_equal(lending_decide(&slots[0], 1000), LENDING_NONE);
    assert_int_equal(lending_decide(&slots[0], 1200), LENDING_LEND);
}

static void test_dying_again_before_ready_does_not_renew_the_patience(void **state)
{
    struct lending_slot slot = {.ready = true, .borrower = -1};

    (void)state;
    lending_death(&slot, 1, 0, 1000);
    lending_death(&slot, 1, 0, 1150);
    assert_int_equal(lending_decide(&slot, 1200), LENDING_LEND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_slot_is_lent_after_its_patience),
        cmocka_unit_test(test_a_lent_slot_is_returned_to_its_own_worker),
        cmocka_unit_test(test_ready_workers_borrow_in_turn),
        cmocka_unit_test(test_with_no_ready_worker_nobody_borrows),
        cmocka_unit_test(test_what_a_dead_borrower_had_is_lent_again_at_once),
        cmocka_unit_test(test_dying_again_before_ready_does_not_renew_the_patience),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
