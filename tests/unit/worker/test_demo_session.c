#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/demo_session.h"

static void test_sessions(void **state)
{
    static struct demo_sessions sessions;
    char first[DEMO_SESSION_ID_SIZE + 1];
    struct slice id = slice_make(first, DEMO_SESSION_ID_SIZE);

    (void)state;
    strcpy(first, demo_session_add(&sessions));
    assert_int_equal(strspn(first, "0123456789abcdef"), DEMO_SESSION_ID_SIZE);
    assert_true(demo_session_exists(&sessions, id));
    assert_false(demo_session_exists(&sessions, slice_make(first, DEMO_SESSION_ID_SIZE - 1)));
    assert_false(demo_session_exists(&sessions, slice_from("")));
    assert_true(demo_session_remove(&sessions, id));
    assert_false(demo_session_remove(&sessions, id));
    assert_false(demo_session_exists(&sessions, id));
}

static void test_oldest_makes_room(void **state)
{
    static struct demo_sessions sessions;
    char first[DEMO_SESSION_ID_SIZE + 1];
    struct slice id = slice_make(first, DEMO_SESSION_ID_SIZE);

    (void)state;
    strcpy(first, demo_session_add(&sessions));
    for (int i = 1; i < DEMO_SESSIONS_MAX; i++)
        assert_non_null(demo_session_add(&sessions));
    assert_true(demo_session_exists(&sessions, id));
    assert_non_null(demo_session_add(&sessions));
    assert_false(demo_session_exists(&sessions, id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_oldest_makes_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
