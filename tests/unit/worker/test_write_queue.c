#include "worker/write_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { ENTRIES = 4 };

struct fixture {
    struct write_queue queue;
    struct write_entry entries[ENTRIES];
    char written[16]; /* a letter each, in order */
    int adds;         /* how often writing 'a' adds itself again */
};

static void on_write(struct write_entry *entry)
{
    struct fixture *fixture = entry->owner;
    char letter = (char)('a' + (entry - fixture->entries));

    assert_false(write_entry_waits(entry));
    strncat(fixture->written, &letter, 1);
    if (letter == 'a' && fixture->adds-- > 0)
        write_queue_add(&fixture->queue, entry);
}

static int set_up(void **state)
{
    static struct fixture fixture;

    memset(&fixture, 0, sizeof(fixture));
    for (int i = 0; i < ENTRIES; i++)
        fixture.entries[i] = (struct write_entry){.write = on_write, .owner = &fixture};
    *state = &fixture;
    return 0;
}

static void add(struct fixture *fixture, const char *letters)
{
    for (; *letters != '\0'; letters++)
        write_queue_add(&fixture->queue, &fixture->entries[*letters - 'a']);
}

static void test_writes_in_the_order_of_asking(void **state)
{
    struct fixture *fixture = *state;

    write_queue_run(&fixture->queue);
    add(fixture, "bdca");
    write_queue_run(&fixture->queue);
    assert_string_equal(fixture->written, "bdca");
    write_queue_run(&fixture->queue);
    assert_string_equal(fixture->written, "bdca");
}

static void test_an_entry_keeps_its_place(void **state)
{
    struct fixture *fixture = *state;

    add(fixture, "abab");
    write_queue_run(&fixture->queue);
    assert_string_equal(fixture->written, "ab");
}

static void test_who_is_gone_writes_nothing(void **state)
{
    static const char *const gone[] = {"a", "b", "d", "ad", "cd", "abcd"};
    static const char *const left[] = {"bcd", "acd", "abc", "bc", "ab", ""};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++) {
        fixture->written[0] = '\0';
        add(fixture, "abcd");
        for (const char *letter = gone[i]; *letter != '\0'; letter++) {
            struct write_entry *entry = &fixture->entries[*letter - 'a'];

            assert_true(write_entry_waits(entry));
            write_queue_remove(&fixture->queue, entry);
            write_queue_remove(&fixture->queue, entry);
            assert_false(write_entry_waits(entry));
        }
        write_queue_run(&fixture->queue);
        assert_string_equal(fixture->written, left[i]);
    }
}

static void test_the_last_may_go_and_another_come(void **state)
{
    struct fixture *fixture = *state;

    add(fixture, "abc");
    write_queue_remove(&fixture->queue, &fixture->entries[2]);
    add(fixture, "dc");
    write_queue_run(&fixture->queue);
    assert_string_equal(fixture->written, "abdc");
}

static void test_what_writing_adds_is_written_too(void **state)
{
    struct fixture *fixture = *state;

    fixture->adds = 2;
    add(fixture, "ab");
    write_queue_run(&fixture->queue);
    assert_string_equal(fixture->written, "abaa");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_writes_in_the_order_of_asking, set_up),
        cmocka_unit_test_setup(test_an_entry_keeps_its_place, set_up),
        cmocka_unit_test_setup(test_who_is_gone_writes_nothing, set_up),
        cmocka_unit_test_setup(test_the_last_may_go_and_another_come, set_up),
        cmocka_unit_test_setup(test_what_writing_adds_is_written_too, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
