#include "worker/audit_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "shared/json.h"

static char bytes[4096];
static struct audit_line line;

static int begin(void **state)
{
    (void)state;
    line = (struct audit_line){.bytes = bytes, .room = sizeof(bytes)};
    return 0;
}

static void expect(const char *members)
{
    assert_int_equal(line.size, strlen(members));
    assert_memory_equal(bytes, members, line.size);
}

/* The members so far are those of a JSON object. */
static void expect_json(void)
{
    char text[sizeof(bytes) + 2];
    struct json_value value;
    const char *reason;
    int size =
        snprintf(text, sizeof(text), "{%.*s}", line.size == 0 ? 0 : (int)line.size - 1, bytes);

    assert_int_equal(json_parse(slice_make(text, (size_t)size), &value, &reason), 0);
}

static void test_members(void **state)
{
    const struct slice roles[] = {slice_from("a"), slice_from("b\"")};

    (void)state;
    audit_line_text(&line, "user", slice_from("alice"), 100);
    audit_line_text(&line, "none", slice_make(NULL, 0), 100);
    audit_line_plain(&line, "event", "request");
    audit_line_number(&line, "zero", 0);
    audit_line_number(&line, "most", UINT64_MAX);
    audit_line_duration(&line, "ms", 1234567);
    audit_line_duration(&line, "short", 7);
    audit_line_duration(&line, "back", -5);
    audit_line_time(&line, "at", 1700000000);
    audit_line_true(&line, "cut");
    audit_line_endpoint(&line, "four", slice_from("10.0.0.1"), 65535);
    audit_line_endpoint(&line, "six", slice_from("::1"), 1);
    audit_line_texts(&line, "roles", roles, 2);
    audit_line_texts(&line, "empty", roles, 0);
    audit_line_json(&line, "id", slice_from("\"a\\u0001\""));
    audit_line_json(&line, "number", slice_from("-7"));
    expect("\"user\":\"alice\",\"event\":\"request\",\"zero\":0,\"most\":18446744073709551615,"
           "\"ms\":1234.567,\"short\":0.007,\"back\":0.000,\"at\":\"2023-11-14T22:13:20Z\","
           "\"cut\":true,\"four\":\"10.0.0.1:65535\",\"six\":\"[::1]:1\",\"roles\":[\"a\","
           "\"b\\\"\"],\"id\":\"a\\u0001\",\"number\":-7,");
    expect_json();
    assert_false(line.cut);
}

static void test_nothing_from_outside_forges_a_line(void **state)
{
    (void)state;
    audit_line_text(&line, "a", slice_make("\"},\n{\\\0\x01\x1f", 9), 100);
    audit_line_text(&line, "b", slice_from("\xC3\xA9\xFF\xE2\x82\xED\xA0\x80."), 100);
    expect("\"a\":\"\\\"},\\u000a{\\\\\\u0000\\u0001\\u001f\","
           "\"b\":\"\xC3\xA9\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF"
           "\xBD.\",");
    expect_json();
}

static void test_long_texts_are_cut_between_characters(void **state)
{
    (void)state;
    audit_line_text(&line, "a", slice_from("1234\xC3\xA9"), 5);
    expect("\"a\":\"1234\",");
    assert_true(line.cut);
}

/* JSON text is cut neither within an escape, nor within a pair of surrogates, nor a character. */
static void test_long_json_is_cut_between_escapes(void **state)
{
    static const char *const ends[] = {"\\n", "\\u00e9", "\\ud83d\\ude00", "\xC3\xA9"};
    char text[AUDIT_VALUE_MAX + 64];

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        for (size_t before = AUDIT_VALUE_MAX - 14; before < AUDIT_VALUE_MAX + 2; before++) {
            int size = snprintf(text, sizeof(text), "\"%0*d%sxxxxxxxxxxxxxxxxxxxx\"", (int)before,
                                0, ends[i]);

            begin(state);
            audit_line_json(&line, "n", slice_make(text, (size_t)size));
            expect_json();
            assert_true(line.cut);
            assert_in_range(line.size, AUDIT_VALUE_MAX - 14, AUDIT_VALUE_MAX + 8);
        }
    }
}

/* Whatever room there is, the members are whole, and nothing is written behind it. */
static void test_any_room(void **state)
{
    const struct slice roles[] = {slice_from("one"), slice_from("\x01\x02"), slice_from("three")};

    size_t whole = sizeof(bytes);

    /* From all of it down to nothing. */
    for (size_t room = 239; room < 240; room--) {
        begin(state);
        line.room = room;
        memset(bytes, '#', sizeof(bytes));
        audit_line_text(&line, "text", slice_from("abc\n\"\\\xFF\xC3\xA9 and more"), 100);
        audit_line_texts(&line, "roles", roles, 3);
        audit_line_number(&line, "number", 123456);
        audit_line_duration(&line, "ms", 99999);
        audit_line_json(&line, "json", slice_from("\"name\""));
        audit_line_members(&line, slice_from("\"more\":1,"));
        audit_line_true(&line, "true");
        audit_line_endpoint(&line, "endpoint", slice_from("::1"), 8080);
        audit_line_time(&line, "time", 0);
        assert_true(line.size <= room);
        assert_int_equal(bytes[room], '#');
        if (!line.cut)
            whole = line.size;
        assert_int_equal(line.cut, room < whole);
        expect_json();
    }
}

#define LINE_TEST(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LINE_TEST(test_members),
        LINE_TEST(test_nothing_from_outside_forges_a_line),
        LINE_TEST(test_long_texts_are_cut_between_characters),
        LINE_TEST(test_long_json_is_cut_between_escapes),
        LINE_TEST(test_any_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
