/* Lines in, however they are cut; lines out, whatever white space the message had. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/connect_line.h"

#include <errno.h>

static void put(struct connect_lines *lines, const char *text)
{
    assert_int_equal(buffer_append_text(&lines->in, text), 0);
}

static void next_is(struct connect_lines *lines, const char *text)
{
    struct slice line;

    assert_int_equal(connect_lines_next(lines, &line), 1);
    assert_true(slice_is(line, text));
}

static void test_framing(void **state)
{
    struct connect_lines lines = {0};
    struct slice line;

    (void)state;
    put(&lines, "{\"a\":");
    assert_int_equal(connect_lines_next(&lines, &line), 0);
    put(&lines, "1}\r\n\n\r\n{}\n{\"b\"");
    next_is(&lines, "{\"a\":1}");
    next_is(&lines, "{}");
    assert_int_equal(connect_lines_next(&lines, &line), 0);
    assert_int_equal(connect_lines_end(&lines, &line), 1);
    assert_true(slice_is(line, "{\"b\""));
    put(&lines, ":2}\n");
    next_is(&lines, "{\"b\":2}");
    assert_int_equal(connect_lines_end(&lines, &line), 0);
    connect_lines_free(&lines);
}

static void test_too_long(void **state)
{
    struct connect_lines lines = {0};
    struct slice line;

    (void)state;
    assert_int_equal(buffer_reserve(&lines.in, CONNECT_LINE_MAX + 1), 0);
    memset(buffer_data(&lines.in), 'x', CONNECT_LINE_MAX + 1);
    buffer_commit(&lines.in, CONNECT_LINE_MAX);
    assert_int_equal(connect_lines_next(&lines, &line), 0);
    buffer_commit(&lines.in, 1);
    assert_int_equal(connect_lines_next(&lines, &line), -EMSGSIZE);
    assert_int_equal(buffer_size(&lines.in), 0);
    put(&lines, "still the same line");
    assert_int_equal(connect_lines_next(&lines, &line), 0);
    assert_int_equal(connect_lines_end(&lines, &line), 0);
    put(&lines, "its end\n{}\n");
    next_is(&lines, "{}");
    connect_lines_free(&lines);
}

static void test_out(void **state)
{
    struct buffer out = {0};

    (void)state;
    assert_int_equal(connect_line_append(&out, slice_from("{\n\"a\":\r\n\"\\n\"}")), 0);
    assert_int_equal(connect_line_append(&out, slice_from("{}")), 0);
    assert_true(slice_is(buffer_slice(&out), "{ \"a\":  \"\\n\"}\n{}\n"));
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_framing),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
