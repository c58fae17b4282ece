#include "shared/server_board.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct server_board *board;

static int set_up(void **state)
{
    (void)state;
    if (posix_memalign((void **)&board, 64, sizeof(*board)) != 0)
        return -1;
    memset(board, 0, sizeof(*board));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(board);
    return 0;
}

static struct server_board_entry *take(const char *app)
{
    return server_board_take(board, slice_from(app));
}

static void test_an_app_keeps_its_entry(void **state)
{
    struct server_board_entry *one = take("one");
    struct server_board_entry *two = take("two");
    char name[SERVER_BOARD_NAME_SIZE];

    (void)state;
    assert_non_null(one);
    assert_ptr_not_equal(one, two);
    assert_ptr_equal(take("one"), one);
    assert_true(server_board_name(two, name));
    assert_string_equal(name, "two");
}

static void test_what_is_dropped_is_free_and_forgotten(void **state)
{
    struct server_board_entry *one = take("one");
    char name[SERVER_BOARD_NAME_SIZE];

    (void)state;
    server_board_count(&one->starts);
    server_board_count(&one->starts);
    assert_int_equal(atomic_load(&one->starts), 2);
    server_board_drop(one);
    assert_false(server_board_name(one, name));
    assert_ptr_equal(take("other"), one);
    assert_int_equal(atomic_load(&one->starts), 0);
    server_board_drop(NULL);
}

static void test_a_new_bridge_counts_on_and_has_nothing(void **state)
{
    struct server_board_entry *one = take("one");

    (void)state;
    server_board_count(&one->starts);
    server_board_count(&one->servers);
    server_board_begin(board);
    assert_int_equal(atomic_load(&one->starts), 1);
    assert_int_equal(atomic_load(&one->servers), 0);
}

static void test_no_room_and_no_names(void **state)
{
    char name[SERVER_BOARD_NAME_SIZE + 1];

    (void)state;
    for (int i = 0; i < SERVER_BOARD_APPS; i++) {
        snprintf(name, sizeof(name), "app-%d", i);
        assert_non_null(take(name));
    }
    assert_null(take("one-more"));
    assert_null(take(""));
    memset(name, 'a', SERVER_BOARD_NAME_SIZE);
    name[SERVER_BOARD_NAME_SIZE] = '\0';
    assert_null(take(name));
}

/* A bridge that was taken over may write anything: no label is broken out of. */
static void test_names_are_not_believed(void **state)
{
    struct server_board_entry *entry = take("one");
    char name[SERVER_BOARD_NAME_SIZE];

    (void)state;
    memcpy((void *)entry->name, "a\"} 1\nx ", 8);
    assert_false(server_board_name(entry, name));
    memset((void *)entry->name, 'a', SERVER_BOARD_NAME_SIZE);
    assert_true(server_board_name(entry, name));
    assert_int_equal(strlen(name), SERVER_BOARD_NAME_SIZE - 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_app_keeps_its_entry),
        TEST(test_what_is_dropped_is_free_and_forgotten),
        TEST(test_a_new_bridge_counts_on_and_has_nothing),
        TEST(test_no_room_and_no_names),
        TEST(test_names_are_not_believed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
