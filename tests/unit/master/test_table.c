#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "master/table.h"

#include <stdlib.h>

static const char *const headings[] = {"NAME", "VALUE"};

/* The table as it prints; the caller frees it. */
static char *printed(struct table *table, size_t width)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    assert_int_equal(table_print(table, out, width), 0);
    fclose(out);
    return text;
}

static void assert_prints(struct table *table, size_t width, const char *expected)
{
    char *text = printed(table, width);

    assert_string_equal(text, expected);
    free(text);
}

static void columns_are_aligned(void **state)
{
    struct table table;

    (void)state;
    table_begin(&table, headings, 2);
    table_cell(&table, slice_from("a"));
    table_cell_format(&table, "%d", 1);
    table_cell(&table, slice_from("longer"));
    table_cell(&table, slice_from("2"));
    assert_prints(&table, 0, "NAME    VALUE\na       1\nlonger  2\n");
}

static void characters_count_not_bytes(void **state)
{
    struct table table;

    (void)state;
    table_begin(&table, NULL, 2);
    table_cell(&table, slice_from("\xc3\xa9\xc3\xa9"));
    table_cell(&table, slice_from("x"));
    table_cell(&table, slice_from("abc"));
    table_cell(&table, slice_from("y"));
    assert_prints(&table, 0, "\xc3\xa9\xc3\xa9   x\nabc  y\n");
}

static void the_widest_column_is_cut_to_fit(void **state)
{
    struct table table;

    (void)state;
    table_begin(&table, NULL, 2);
    table_cell(&table, slice_from("short"));
    table_cell(&table, slice_from("0123456789\xc3\xa9"
                                  "abcdef"));
    assert_prints(&table, 19, "short  0123456789\xc3\xa9\xe2\x80\xa6\n");
}

static void no_column_is_cut_below_the_least_width(void **state)
{
    struct table table;

    (void)state;
    table_begin(&table, NULL, 2);
    table_cell(&table, slice_from("0123456789"));
    table_cell(&table, slice_from("0123456789"));
    assert_prints(&table, 3, "0123456\xe2\x80\xa6  0123456\xe2\x80\xa6\n");
}

static void nothing_trails(void **state)
{
    struct table table;

    (void)state;
    table_begin(&table, NULL, 3);
    table_cell(&table, slice_from("a"));
    table_row_end(&table);
    table_cell(&table, slice_from("b"));
    table_cell(&table, slice_from("wide"));
    assert_prints(&table, 0, "a\nb  wide\n");
}

static void an_empty_table_is_its_headings(void **state)
{
    struct table table;

    (void)state;
    table_begin(&table, headings, 2);
    assert_prints(&table, 0, "NAME  VALUE\n");
}

static void assert_escaped(struct slice text, const char *expected)
{
    struct buffer out = {0};

    assert_int_equal(table_escape(&out, text), 0);
    assert_int_equal(buffer_append(&out, "", 1), 0);
    assert_string_equal(buffer_data(&out), expected);
    buffer_free(&out);
}

static void what_drives_a_terminal_is_escaped(void **state)
{
    (void)state;
    assert_escaped(slice_from("caf\xc3\xa9 \xf0\x9f\x98\x80"), "caf\xc3\xa9 \xf0\x9f\x98\x80");
    assert_escaped(slice_from("\x1b[2J\r\n\t\x7f"), "\\x1b[2J\\x0d\\x0a\\x09\\x7f");
    assert_escaped(slice_make("a\0b", 3), "a\\x00b");
    assert_escaped(slice_from("\xc2\x9b"), "\\xc2\\x9b");          /* CSI of C1 */
    assert_escaped(slice_from("\xe2\x80\xae"), "\\xe2\\x80\\xae"); /* right-to-left override */
    assert_escaped(slice_from("\xe2\x80\xa8"), "\\xe2\\x80\\xa8"); /* line separator */
}

static void what_is_no_utf8_is_escaped(void **state)
{
    (void)state;
    assert_escaped(slice_from("\xff"
                              "a"),
                   "\\xffa");
    assert_escaped(slice_from("\xc3"), "\\xc3"); /* cut */
    assert_escaped(slice_from("\xc3"
                              "a"),
                   "\\xc3"
                   "a");
    assert_escaped(slice_from("\xc0\xaf"), "\\xc0\\xaf");          /* overlong */
    assert_escaped(slice_from("\xed\xa0\x80"), "\\xed\\xa0\\x80"); /* surrogate */
    assert_escaped(slice_from("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_aligned),
        cmocka_unit_test(characters_count_not_bytes),
        cmocka_unit_test(the_widest_column_is_cut_to_fit),
        cmocka_unit_test(no_column_is_cut_below_the_least_width),
        cmocka_unit_test(nothing_trails),
        cmocka_unit_test(an_empty_table_is_its_headings),
        cmocka_unit_test(what_drives_a_terminal_is_escaped),
        cmocka_unit_test(what_is_no_utf8_is_escaped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
