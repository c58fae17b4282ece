/* What is cut is gone with its comma; every other byte is as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/json_scan.h"
#include "shared/json_splice.h"

/* Cuts the elements of the array in `text` whose bit is set in `drop`. */
static int cut(const char *text, unsigned drop, struct buffer *out)
{
    struct json_scan scan;
    struct json_splice splice;
    struct json_array_cut array;
    struct json_value value;
    const char *close;

    assert_true(json_scan_begin(&scan, slice_from(text)));
    json_splice_begin(&splice, slice_from(text), out);
    json_array_cut_begin(&array, &splice, scan.at);
    json_scan_enter(&scan);
    for (unsigned i = 0; json_scan_next(&scan, NULL) == 1; i++) {
        assert_true(json_scan_value(&scan, &value));
        if ((drop >> i & 1) != 0)
            json_array_cut_drop(&array, value.text);
        else
            json_array_cut_keep(&array, value.text);
    }
    close = strrchr(text, ']');
    json_array_cut_end(&array, close);
    return json_splice_end(&splice);
}

static void assert_cut(const char *text, unsigned drop, const char *expected)
{
    struct buffer out = {0};

    assert_int_equal(cut(text, drop, &out), drop == 0 ? 0 : 1);
    if (!slice_equal(buffer_slice(&out), slice_from(expected)))
        print_error("%.*s\n", (int)buffer_size(&out), buffer_data(&out));
    assert_true(slice_equal(buffer_slice(&out), slice_from(expected)));
    buffer_free(&out);
}

static void test_elements(void **state)
{
    (void)state;
    assert_cut("[1,2,3]", 0, "");
    assert_cut("[1,2,3]", 1, "[2,3]");
    assert_cut("[1,2,3]", 2, "[1,3]");
    assert_cut("[1,2,3]", 4, "[1,2]");
    assert_cut("[1,2,3]", 3, "[3]");
    assert_cut("[1,2,3]", 5, "[2]");
    assert_cut("[1,2,3]", 6, "[1]");
    assert_cut("[1,2,3]", 7, "[]");
    assert_cut("[1]", 1, "[]");
    assert_cut("[]", 0, "");
}

static void test_white_space(void **state)
{
    (void)state;
    assert_cut("  [ 1 , 2 , 3 ] ", 1, "  [ 2 , 3 ] ");
    assert_cut("[ 1 , 2 , 3 ]", 2, "[ 1 , 3 ]");
    assert_cut("[ 1 , 2 , 3 ]", 4, "[ 1 , 2 ]");
    assert_cut("[\n 1 ,\n 2\n]\n", 3, "[]\n");
}

/* Every set of elements of a longer array. */
static void test_all_sets(void **state)
{
    static const char *const names[] = {"\"a\"", "{\"b\":[]}", "[3]", "null", "5", "\"]\""};

    (void)state;
    for (unsigned drop = 1; drop < 64; drop++) {
        struct buffer expected = {0};
        const char *comma = "";

        buffer_append_text(&expected, "[");
        for (unsigned i = 0; i < 6; i++) {
            if ((drop >> i & 1) != 0)
                continue;
            buffer_append_format(&expected, "%s%s", comma, names[i]);
            comma = ",";
        }
        buffer_append(&expected, "]", 2);
        assert_cut("[\"a\",{\"b\":[]},[3],null,5,\"]\"]", drop, buffer_data(&expected));
        buffer_free(&expected);
    }
}

static void test_put(void **state)
{
    const char *text = "{\"a\":1,\"b\":2}";
    struct json_splice splice;
    struct buffer out = {0};

    (void)state;
    buffer_append_text(&out, "before ");
    json_splice_begin(&splice, slice_from(text), &out);
    json_splice_put(&splice, text + 5, text + 6, slice_from("\"one\""));
    json_splice_put(&splice, text + 12, text + 12, slice_from(",\"c\":3"));
    assert_int_equal(json_splice_end(&splice), 1);
    assert_true(slice_is(buffer_slice(&out), "before {\"a\":\"one\",\"b\":2,\"c\":3}"));
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elements),
        cmocka_unit_test(test_white_space),
        cmocka_unit_test(test_all_sets),
        cmocka_unit_test(test_put),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
