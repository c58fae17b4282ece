#include "shared/json_table.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

static struct json_table table;

static int read_text(const char *text, struct json_value *object)
{
    return json_table_read(&table, slice_from(text), object);
}

static struct slice text_of(const char *name)
{
    return json_table_get(&table, slice_from(name)).text;
}

static void test_members_are_found(void **state)
{
    struct json_value object;

    (void)state;
    assert_int_equal(
        read_text(" {\"a\":1 , \"b\": \"x\",\"\\u0063\":[1,{\"a\":2}],\"d\":{} , \"\":null }\n",
                  &object),
        0);
    assert_int_equal(object.kind, JSON_OBJECT);
    assert_true(slice_is(
        object.text, "{\"a\":1 , \"b\": \"x\",\"\\u0063\":[1,{\"a\":2}],\"d\":{} , \"\":null }"));
    assert_true(slice_is(text_of("a"), "1"));
    assert_true(slice_is(text_of("b"), "\"x\""));
    assert_true(slice_is(text_of("c"), "[1,{\"a\":2}]"));
    assert_true(slice_is(text_of("d"), "{}"));
    assert_true(slice_is(text_of(""), "null"));
    assert_int_equal(json_table_get(&table, slice_from("c")).kind, JSON_ARRAY);
    assert_int_equal(json_table_get(&table, slice_from("A")).kind, JSON_INVALID);
    assert_int_equal(json_table_get(&table, slice_from("aa")).kind, JSON_INVALID);
    assert_int_equal(read_text("{}", &object), 0);
    assert_true(slice_is(object.text, "{}"));
    assert_int_equal(json_table_get(&table, slice_from("a")).kind, JSON_INVALID);
}

static void test_what_is_no_object_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        " ",
        "[]",
        "1",
        "null",
        "{",
        "{}{}",
        "{} x",
        "\xef\xbb\xbf{}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":01}",
        "{\"a\":\"\xff\"}",
        "{\"a\":1,\"a\":1}",
        "{\"a\":1,\"\\u0061\":1}",
        "{\"a\":1,\"b\":{\"c\":]}}",
    };
    struct json_value object;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(read_text(wrong[i], &object), -EINVAL);
    /* What stands deeper is not the table's. */
    assert_int_equal(read_text("{\"a\":{\"b\":1,\"b\":2}}", &object), 0);
}

static void test_limits(void **state)
{
    static char text[8192];
    struct json_value object;
    size_t used = 1;

    (void)state;
    text[0] = '{';
    for (int i = 0; i < JSON_MEMBERS_MAX; i++)
        used += (size_t)sprintf(text + used, "%s\"%d\":0", i == 0 ? "" : ",", i);
    memcpy(text + used, "}", 2);
    assert_int_equal(read_text(text, &object), 0);
    assert_true(slice_is(text_of("255"), "0"));
    memcpy(text + used, ",\"x\":0}", 8);
    assert_int_equal(read_text(text, &object), -EINVAL);
    memset(text, 'x', JSON_NAME_MAX + 4);
    memcpy(text, "{\"", 2);
    memcpy(text + 2 + JSON_NAME_MAX, "\":0}", 5);
    assert_int_equal(read_text(text, &object), 0);
    text[2 + JSON_NAME_MAX] = 'x';
    memcpy(text + 3 + JSON_NAME_MAX, "\":0}", 5);
    assert_int_equal(read_text(text, &object), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members_are_found),
        cmocka_unit_test(test_what_is_no_object_is_refused),
        cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
