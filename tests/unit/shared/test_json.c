#include "shared/json.h"

#include "shared/buffer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int parse(struct slice text, struct json_value *value)
{
    const char *reason = NULL;
    int error = json_parse(text, value, &reason);

    assert_true(error == 0 || (error == -EINVAL && reason != NULL));
    return error;
}

static struct json_value parsed(const char *text)
{
    struct json_value value;

    assert_int_equal(parse(slice_from(text), &value), 0);
    return value;
}

static void test_accepts_json(void **state)
{
    static const struct {
        const char *text;
        enum json_kind kind;
    } good[] = {
        {"{}", JSON_OBJECT},
        {" [ ] \r\n\t", JSON_ARRAY},
        {"{\"a\":[1,{\"b\":null}],\"c\":\"d\"}", JSON_OBJECT},
        {"\"\"", JSON_STRING},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"", JSON_STRING},
        {"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf\"", JSON_STRING},
        {"\"12345678\x7f\"", JSON_STRING},
        {"-0", JSON_NUMBER},
        {"1.5e+300", JSON_NUMBER},
        {"true", JSON_TRUE},
        {"false", JSON_FALSE},
        {"null", JSON_NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++)
        assert_int_equal(parsed(good[i].text).kind, good[i].kind);
}

static void test_refuses_what_is_not_json(void **state)
{
    static const char *const wrong[] = {
        "",
        " ",
        "{",
        "[",
        "]",
        "}",
        "{]",
        "[}",
        "[1,]",
        "[,1]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{1:1}",
        "{\"a\" 1}",
        "[1 2]",
        "1 2",
        "{}{}",
        "{} x",
        "'a'",
        "\"a",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\t\"",
        "\"\n\"",
        "01",
        "-",
        "+1",
        ".5",
        "1.",
        "1e",
        "1e+",
        "0x1",
        "NaN",
        "Infinity",
        "-Infinity",
        "tru",
        "True",
        "nul",
        "truex",
        "//\n1",
        "/**/1",
        "[1]]",
        "\xef\xbb\xbf{}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct json_value value;

        assert_int_equal(parse(slice_from(wrong[i]), &value), -EINVAL);
        assert_int_equal(value.kind, JSON_INVALID);
    }
}

static void test_refuses_bad_unicode(void **state)
{
    static const char *const wrong[] = {
        "\"\x80\"",             /* a continuation alone */
        "\"\xc0\xaf\"",         /* overlong */
        "\"\xc1\xbf\"",         /* overlong */
        "\"\xe0\x9f\xbf\"",     /* overlong */
        "\"\xf0\x8f\xbf\xbf\"", /* overlong */
        "\"\xed\xa0\x80\"",     /* a surrogate */
        "\"\xf4\x90\x80\x80\"", /* beyond U+10FFFF */
        "\"\xf5\x80\x80\x80\"", /* same */
        "\"\xe2\x82\"",         /* cut short */
        "\"\xc3",               /* by the end */
        "\"abcdefgh\xff\"",     /* after eight plain bytes */
        "\"\\ud800\"",          /* half a pair */
        "\"\\udc00\"",          /* the other half */
        "\"\\ud800\\u0041\"",   /* followed by no half */
        "\"\\ud800x\"",         /* same */
        "{\"\xff\":1}",         /* in a name */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct json_value value;

        assert_int_equal(parse(slice_from(wrong[i]), &value), -EINVAL);
    }
}

/* Each byte of a string is looked at, wherever it stands in the words that are skipped whole. */
static void test_controls_are_found_at_every_place(void **state)
{
    (void)state;
    for (size_t at = 1; at < 33; at++) {
        for (int byte = 0; byte < 256; byte++) {
            char text[34];
            struct json_value value;
            bool good = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';

            memset(text, 'a', sizeof(text));
            text[0] = text[sizeof(text) - 1] = '"';
            text[at] = (char)byte;
            assert_int_equal(parse(slice_make(text, sizeof(text)), &value) == 0, good);
        }
    }
}

static void test_depth_has_a_limit(void **state)
{
    char text[2 * JSON_DEPTH_MAX + 2];
    struct json_value value;

    (void)state;
    memset(text, '[', JSON_DEPTH_MAX + 1);
    memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
    assert_int_equal(parse(slice_make(text + 1, 2 * JSON_DEPTH_MAX), &value), 0);
    assert_int_equal(parse(slice_make(text, sizeof(text)), &value), -EINVAL);
}

static void test_value_is_without_surrounding_space(void **state)
{
    struct json_value value = parsed(" \n{ \"a\" : 1 } ");

    (void)state;
    assert_true(slice_is(value.text, "{ \"a\" : 1 }"));
}

static void test_walks_an_object(void **state)
{
    struct json_value object =
        parsed("{ \"a\" : [1, \"]}\"] , \"\\u0062\":{\"x\":{}} ,\"c\":-1.5e3 }");
    struct json_iterator iterator;
    struct json_value value;
    struct slice name;
    bool escaped;

    (void)state;
    json_iterate(&iterator, &object);
    assert_int_equal(json_next(&iterator, &name, &escaped, &value), 1);
    assert_true(slice_is(name, "a") && !escaped);
    assert_true(slice_is(value.text, "[1, \"]}\"]"));
    assert_int_equal(json_next(&iterator, &name, &escaped, &value), 1);
    assert_true(slice_is(name, "\\u0062") && escaped);
    assert_true(slice_is(value.text, "{\"x\":{}}"));
    assert_int_equal(json_next(&iterator, &name, &escaped, &value), 1);
    assert_true(slice_is(value.text, "-1.5e3"));
    assert_int_equal(json_next(&iterator, &name, &escaped, &value), 0);
    assert_int_equal(json_next(&iterator, &name, &escaped, &value), 0);
    assert_int_equal(iterator.count, 3);
}

static void test_walks_an_array(void **state)
{
    struct json_value array = parsed("[ \"a\\\"\" ,true,[],{\"b\":[2]}, 3 ]");
    static const char *const texts[] = {"\"a\\\"\"", "true", "[]", "{\"b\":[2]}", "3"};
    struct json_iterator iterator;
    struct json_value value;

    (void)state;
    json_iterate(&iterator, &array);
    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_int_equal(json_next(&iterator, NULL, NULL, &value), 1);
        assert_true(slice_is(value.text, texts[i]));
    }
    assert_int_equal(json_next(&iterator, NULL, NULL, &value), 0);
}

static void test_walks_nothing_of_a_scalar(void **state)
{
    struct json_value scalar = parsed("\"[1]\"");
    struct json_iterator iterator;
    struct json_value value;

    (void)state;
    json_iterate(&iterator, &scalar);
    assert_int_equal(json_next(&iterator, NULL, NULL, &value), 0);
}

static void test_finds_members(void **state)
{
    static const char *const names[] = {"iss", "exp", "absent"};
    struct json_value object = parsed("{\"exp\":12,\"\\u0069ss\":\"me\",\"x\":{\"absent\":1}}");
    struct json_value found[3];

    (void)state;
    assert_int_equal(json_members(&object, names, 3, found), 0);
    assert_true(json_string_is(&found[0], slice_from("me")));
    assert_true(slice_is(found[1].text, "12"));
    assert_int_equal(found[2].kind, JSON_INVALID);
}

static void test_refuses_a_member_that_appears_twice(void **state)
{
    static const char *const twice[] = {
        "{\"a\":1,\"a\":1}",
        "{\"a\":1,\"b\":2,\"a\":3}",
        "{\"iss\":\"x\",\"\\u0069ss\":\"y\"}",
        "{\"\\u0069ss\":\"x\",\"i\\u0073s\":\"y\"}",
        "{\"\":1,\"\":2}",
        "{\"\\/\":1,\"/\":2}",
        "{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(twice); i++) {
        struct json_value object = parsed(twice[i]);

        assert_int_equal(json_members(&object, NULL, 0, NULL), -EINVAL);
    }
}

static void test_tells_like_members_apart(void **state)
{
    struct json_value object =
        parsed("{\"a\":1,\"A\":2,\"aa\":3,\"a\\u0000\":4,\"\":5,\"\\u0000\":6,\"\\\\u0061\":7}");

    (void)state;
    assert_int_equal(json_members(&object, NULL, 0, NULL), 0);
}

static void test_members_have_a_limit(void **state)
{
    struct buffer text = {0};
    struct json_value object;

    (void)state;
    for (unsigned i = 0; i < JSON_MEMBERS_MAX; i++)
        assert_int_equal(buffer_append_format(&text, "%s\"%u\":0", i == 0 ? "{" : ",", i), 0);
    buffer_append_text(&text, "}");
    assert_int_equal(parse(buffer_slice(&text), &object), 0);
    assert_int_equal(json_members(&object, NULL, 0, NULL), 0);
    text.end--;
    buffer_append_text(&text, ",\"x\":0}");
    assert_int_equal(parse(buffer_slice(&text), &object), 0);
    assert_int_equal(json_members(&object, NULL, 0, NULL), -EINVAL);
    buffer_free(&text);
}

static int members_with_name_of(size_t size)
{
    struct buffer text = {0};
    struct json_value object;
    int result;

    buffer_append_text(&text, "{\"");
    for (size_t i = 0; i < size; i++)
        buffer_append_text(&text, "n");
    buffer_append_text(&text, "\":0}");
    assert_int_equal(parse(buffer_slice(&text), &object), 0);
    result = json_members(&object, NULL, 0, NULL);
    buffer_free(&text);
    return result;
}

static void test_names_have_a_limit(void **state)
{
    (void)state;
    assert_int_equal(members_with_name_of(JSON_NAME_MAX), 0);
    assert_int_equal(members_with_name_of(JSON_NAME_MAX + 1), -EINVAL);
}

static void test_members_of_no_object(void **state)
{
    static const char *const names[] = {"a"};
    struct json_value array = parsed("[\"a\"]");
    struct json_value found;

    (void)state;
    assert_int_equal(json_members(&array, names, 1, &found), -EINVAL);
    assert_int_equal(found.kind, JSON_INVALID);
}

static void test_decodes_strings(void **state)
{
    struct json_value value = parsed("\"a\\n\\u0000\\u00e9\\u20ac\\ud83d\\ude00z\"");
    static const char expected[] = "a\n\0\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z";
    char out[32];

    (void)state;
    assert_int_equal(json_string(&value, out, sizeof(out)), sizeof(expected) - 1);
    assert_memory_equal(out, expected, sizeof(expected) - 1);
    assert_int_equal(json_string(&value, out, sizeof(expected) - 1), sizeof(expected) - 1);
    assert_int_equal(json_string(&value, out, sizeof(expected) - 2), -ENOSPC);
    assert_true(json_string_is(&value, slice_make(expected, sizeof(expected) - 1)));
    assert_false(json_string_is(&value, slice_make(expected, sizeof(expected) - 2)));
    assert_false(json_string_is(&value, slice_make(expected, sizeof(expected))));
    value = parsed("1");
    assert_int_equal(json_string(&value, out, sizeof(out)), -EINVAL);
    assert_false(json_string_is(&value, slice_from("1")));
}

struct number {
    const char *text;
    int64_t value;
};

static void expect_numbers(int (*read)(const struct json_value *, int64_t *),
                           const struct number *good, size_t good_count, const char *const *wrong,
                           size_t wrong_count)
{
    struct json_value value;
    int64_t number;

    for (size_t i = 0; i < good_count; i++) {
        value = parsed(good[i].text);
        assert_int_equal(read(&value, &number), 0);
        assert_true(number == good[i].value);
    }
    for (size_t i = 0; i < wrong_count; i++) {
        value = parsed(wrong[i]);
        assert_int_equal(read(&value, &number), -EINVAL);
    }
}

static void test_reads_integers(void **state)
{
    static const struct number good[] = {
        {"0", 0},
        {"-0", 0},
        {"-12", -12},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
    };
    static const char *const wrong[] = {
        "9223372036854775808", "-9223372036854775809", "1.0", "1e0", "\"1\"", "true", "null",
    };

    (void)state;
    expect_numbers(json_integer, good, COUNT(good), wrong, COUNT(wrong));
}

static void test_reads_numeric_dates(void **state)
{
    static const struct number good[] = {
        {"0", 0},
        {"1700000000", 1700000000},
        {"1700000000.999", 1700000000},
        {"1.7e9", 1700000000},
        {"17E+8", 1700000000},
        {"17000000000e-1", 1700000000},
        {"0.5e1", 5},
        {"1e-400", 0},
        {"0e999999999999999999999", 0},
        {"9007199254740991", INT64_C(9007199254740991)},
    };
    static const char *const wrong[] = {
        "-1",
        "-0",
        "-8.1e7810200000000000000000000",
        "9007199254740992",
        "1e16",
        "1e999999999999999999999",
        "99999999999999999999999999999999999999",
        "\"1700000000\"",
        "true",
        "null",
        "[1]",
    };

    (void)state;
    expect_numbers(json_numeric_date, good, COUNT(good), wrong, COUNT(wrong));
}

static void test_reads_safe_integers(void **state)
{
    static const struct number good[] = {
        {"0", 0},
        {"-0", 0},
        {"42", 42},
        {"-42.0", -42},
        {"40.00", 40},
        {"4.2e1", 42},
        {"420e-1", 42},
        {"0.5E+1", 5},
        {"0e999999999999999999999", 0},
        {"42.0000000000000000000000000000", 42},
        {"9007199254740991", INT64_C(9007199254740991)},
        {"-9007199254740991", INT64_C(-9007199254740991)},
        {"9.007199254740991e15", INT64_C(9007199254740991)},
    };
    static const char *const wrong[] = {
        "9007199254740992",
        "-9007199254740992",
        "1.5",
        "42e-1",
        "1e-400",
        "1e400",
        "1e16",
        "\"1\"",
        "18446744073709551617",
        "true",
    };

    (void)state;
    expect_numbers(json_safe_integer, good, COUNT(good), wrong, COUNT(wrong));
}

static void test_appends_strings(void **state)
{
    static const char plain[] = "a\"\\/\b\f\n\r\t\0\x1f\x7f\xc3\xa9\xff\xed\xa0\x80z";
    struct buffer out = {0};

    (void)state;
    assert_int_equal(json_append_string(&out, slice_make(plain, sizeof(plain) - 1)), 0);
    assert_true(slice_is(buffer_slice(&out),
                         "\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\x7f\xc3\xa9\xef\xbf\xbd"
                         "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\""));
    buffer_clear(&out);
    assert_int_equal(json_append_string(&out, slice_make(NULL, 0)), 0);
    assert_true(slice_is(buffer_slice(&out), "\"\""));
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts_json),
        cmocka_unit_test(test_refuses_what_is_not_json),
        cmocka_unit_test(test_refuses_bad_unicode),
        cmocka_unit_test(test_controls_are_found_at_every_place),
        cmocka_unit_test(test_depth_has_a_limit),
        cmocka_unit_test(test_value_is_without_surrounding_space),
        cmocka_unit_test(test_walks_an_object),
        cmocka_unit_test(test_walks_an_array),
        cmocka_unit_test(test_walks_nothing_of_a_scalar),
        cmocka_unit_test(test_finds_members),
        cmocka_unit_test(test_refuses_a_member_that_appears_twice),
        cmocka_unit_test(test_tells_like_members_apart),
        cmocka_unit_test(test_members_have_a_limit),
        cmocka_unit_test(test_names_have_a_limit),
        cmocka_unit_test(test_members_of_no_object),
        cmocka_unit_test(test_decodes_strings),
        cmocka_unit_test(test_reads_integers),
        cmocka_unit_test(test_reads_numeric_dates),
        cmocka_unit_test(test_reads_safe_integers),
        cmocka_unit_test(test_appends_strings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
