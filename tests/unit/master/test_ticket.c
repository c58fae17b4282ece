#include "master/ticket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_the_newest_is_first_and_the_oldest_goes(void **state)
{
    struct message_ticket_keys keys = {0}, before;

    (void)state;
    for (uint32_t i = 1; i <= 5; i++) {
        uint32_t kept = i < TICKET_KEYS_MAX ? i : TICKET_KEYS_MAX;

        before = keys;
        assert_int_equal(ticket_renew(&keys), 0);
        assert_int_equal(keys.count, kept);
        assert_memory_equal(keys.keys[1], before.keys[0], (kept - 1) * sizeof(keys.keys[0]));
        assert_memory_not_equal(keys.keys[0], before.keys[0], sizeof(keys.keys[0]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_newest_is_first_and_the_oldest_goes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
