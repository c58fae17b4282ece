#include "worker/bridge_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Feeds `text` in pieces of `step` bytes; what comes out, with "|" behind each line and "!" for one
 * that is too long. */
static void cut(const char *text, size_t step, size_t limit, const char *expected)
{
    struct bridge_lines lines = {.limit = limit};
    struct buffer out = {0};
    struct slice all = slice_from(text);

    while (all.size > 0) {
        struct slice input = slice_make(all.data, all.size < step ? all.size : step);
        struct slice line;
        enum bridge_line found;

        all = slice_skip(all, input.size);
        while ((found = bridge_line_next(&lines, &input, &line)) != BRIDGE_LINE_MORE) {
            if (found == BRIDGE_LINE_FOUND)
                buffer_append_slice(&out, line);
            buffer_append_text(&out, found == BRIDGE_LINE_FOUND ? "|" : "!");
        }
        assert_int_equal(input.size, 0);
        assert_true(buffer_size(&lines.part) <= limit);
    }
    buffer_append(&out, "", 1);
    assert_string_equal(buffer_data(&out), expected);
    buffer_free(&out);
    bridge_line_free(&lines);
}

static void test_lines(void **state)
{
    (void)state;
    for (size_t step = 1; step < 12; step++) {
        cut("one\ntwo\n\nthree", step, 10, "one|two||");
        cut("\n\n", step, 10, "||");
        cut("12345\n1234567\n12\n", step, 5, "12345|!12|");
        cut("1234567890123\nab\n", step, 5, "!ab|");
        cut("123456\n123456\n", step, 5, "!!");
    }
    cut("", 1, 5, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
