#include "worker/bridge_stderr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/shared/log_capture.h"

#include <stdio.h>

/* "line <first>" and so on, each with its end. */
static void say(struct bridge_stderr *errors, unsigned first, unsigned count, double now)
{
    char line[32];

    for (unsigned i = first; i < first + count; i++) {
        int size = snprintf(line, sizeof(line), "line %u;\n", i);

        bridge_stderr_take(errors, slice_make(line, (size_t)size), 7, now);
    }
}

static void test_a_line_may_come_in_pieces(void **state)
{
    struct bridge_stderr errors;

    (void)state;
    bridge_stderr_open(&errors, "everything", 100.);
    bridge_stderr_take(&errors, slice_from("it can"), 7, 100.);
    assert_int_equal(logged_count("server_stderr"), 0);
    bridge_stderr_take(&errors, slice_from("not be\nand more"), 7, 100.);
    assert_int_equal(logged_count("server_stderr: app everything, server 7: it cannot be\n"), 1);
    assert_int_equal(logged_count("server_stderr"), 1);
    bridge_stderr_free(&errors);
}

static void test_what_is_logged_is_bounded(void **state)
{
    struct bridge_stderr errors;

    (void)state;
    bridge_stderr_open(&errors, "noisy", 100.);
    say(&errors, 0, 25, 100.);
    assert_int_equal(logged_count("server_stderr"), 20);
    assert_int_equal(logged_count("line 19;"), 1);
    say(&errors, 25, 1, 100.1);
    assert_int_equal(logged_count("server_stderr"), 20);
    say(&errors, 26, 2, 100.25);
    assert_int_equal(logged_count("6 lines were left out"), 1);
    assert_int_equal(logged_count("line 26;"), 1);
    assert_int_equal(logged_count("line 27;"), 0);
    /* However long it was silent, no more than the first burst. */
    say(&errors, 28, 30, 1000.);
    assert_int_equal(logged_count("line 47;"), 1);
    assert_int_equal(logged_count("line 48;"), 0);
    bridge_stderr_free(&errors);
}

static void test_the_last_words_are_kept(void **state)
{
    struct bridge_stderr errors;

    (void)state;
    bridge_stderr_open(&errors, "dying", 100.);
    bridge_stderr_last_words(&errors, 0xabc);
    assert_int_equal(logged_count("server_last_words"), 0);
    say(&errors, 0, 3, 100.);
    bridge_stderr_last_words(&errors, 0xabc);
    assert_int_equal(logged_count("server_last_words: error id 00000abc: line "), 3);
    say(&errors, 3, 97, 100.);
    bridge_stderr_free(&errors);
    bridge_stderr_last_words(&errors, 0xdef);
    assert_int_equal(logged_count("server_last_words: error id 00000def: line "),
                     BRIDGE_STDERR_LAST);
    assert_int_equal(logged_count("error id 00000def: line 91;"), 0);
    assert_int_equal(logged_count("error id 00000def: line 92;"), 1);
    assert_int_equal(logged_count("error id 00000def: line 99;"), 1);
}

static void test_a_line_too_long_is_named(void **state)
{
    char text[2 * BRIDGE_STDERR_LINE];
    struct bridge_stderr errors;

    (void)state;
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\n';
    bridge_stderr_open(&errors, "verbose", 100.);
    bridge_stderr_take(&errors, slice_make(text, sizeof(text)), 7, 100.);
    assert_int_equal(logged_count("(a line that is too long)"), 1);
    assert_int_equal(logged_count("server_stderr"), 1);
    bridge_stderr_free(&errors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_line_may_come_in_pieces, capture_begin, capture_end),
        cmocka_unit_test_setup_teardown(test_what_is_logged_is_bounded, capture_begin, capture_end),
        cmocka_unit_test_setup_teardown(test_the_last_words_are_kept, capture_begin, capture_end),
        cmocka_unit_test_setup_teardown(test_a_line_too_long_is_named, capture_begin, capture_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
