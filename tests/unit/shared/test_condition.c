#include "shared/condition.h"
#include "shared/json_number.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

static bool holds(const char *value, const char *found, bool deny)
{
    struct slice values[] = {slice_from(value)};
    struct policy_condition source = {
        .pointer = slice_from("/a"), .values = values, .value_count = 1};
    struct condition condition;
    struct json_value json;
    struct arena arena = {0};
    unsigned given_up = 0;
    const char *reason;
    bool answer;

    assert_int_equal(condition_make(&condition, &source, &arena, NULL), 0);
    assert_int_equal(json_parse(slice_from(found), &json, &reason), 0);
    answer = condition_holds(&condition, JSON_POINTER_FOUND, &json, deny, &given_up);
    assert_false(condition_holds(&condition, JSON_POINTER_ABSENT, &json, deny, &given_up));
    condition_free(&condition);
    arena_free(&arena);
    return answer;
}

static void test_scalars_are_of_one_kind(void **state)
{
    static const char *const scalars[] = {"\"a\"", "1", "true", "false", "null"};

    (void)state;
    for (size_t i = 0; i < 5; i++)
        for (size_t j = 0; j < 5; j++)
            for (int deny = 0; deny < 2; deny++)
                assert_int_equal(holds(scalars[i], scalars[j], deny), i == j);
    assert_false(holds("\"1\"", "1", true));
}

static void test_numbers(void **state)
{
    static const struct {
        const char *a, *b;
        bool equal;
    } cases[] = {
        {"1", "1", true},
        {"1", "1.0", true},
        {"1", "1e0", true},
        {"1", "10E-1", true},
        {"100", "1e2", true},
        {"0", "-0", true},
        {"0", "0e999999", true},
        {"0.001", "1e-3", true},
        {"12.50", "1.25e+1", true},
        {"1", "-1", false},
        {"1", "10", false},
        {"1", "1.01", false},
        {"120", "12", false},
        {"1.2", "12", false},
        {"1e1", "1e01", true},
        {"1e99999999999999999999", "1e99999999999999999998", false},
        {"9007199254740993", "9007199254740992", false},
        {"101", "11", false},
        {"1.01", "101e-2", true},
        {"1000", "1e3", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct slice a = slice_from(cases[i].a);
        struct slice b = slice_from(cases[i].b);

        if (json_number_equal(a, b) != cases[i].equal || json_number_equal(b, a) != cases[i].equal)
            fail_msg("%s and %s", cases[i].a, cases[i].b);
        assert_int_equal(holds(cases[i].a, cases[i].b, false), cases[i].equal);
    }
}

/* What a double cannot tell apart is forbidden together, and allowed apart. */
static void test_numbers_of_deny(void **state)
{
    (void)state;
    assert_false(holds("9007199254740993", "9007199254740992", false));
    assert_true(holds("9007199254740993", "9007199254740992", true));
    assert_true(holds("1", "1.00000000000000000000001", true));
    assert_true(holds("1e999", "1e998", true));
    assert_false(holds("1", "1.0000001", true));
}

static void test_strings(void **state)
{
    (void)state;
    assert_true(holds("\"caf\\u00e9\"", "\"caf\xc3\xa9\"", false));
    assert_true(holds("\"*\"", "\"\"", false));
    assert_true(holds("\"a*\"", "\"a\\u0000b\"", false));
    assert_true(holds("\"^a.$\"", "\"a\xc3\xa9\"", false));
    assert_false(holds("\"^a.$\"", "\"abc\"", false));
    assert_true(holds("\"\"", "\"\"", false));
    assert_false(holds("\"\"", "\"a\"", false));
}

static void test_containers(void **state)
{
    (void)state;
    assert_false(holds("\"a\"", "[\"a\"]", false));
    assert_true(holds("\"a\"", "[\"a\"]", true));
    assert_true(holds("\"a\"", "{}", true));
}

static void test_what_is_too_long_to_judge(void **state)
{
    char text[PATTERN_SUBJECT_MAX + 4];

    (void)state;
    memset(text, 'a', sizeof(text));
    text[0] = text[sizeof(text) - 2] = '"';
    text[sizeof(text) - 1] = '\0';
    assert_false(holds("\"b*\"", text, false));
    assert_true(holds("\"b*\"", text, true));
    /* A literal is compared however long the value is. */
    assert_false(holds("\"b\"", text, true));
    assert_true(holds("\"*\"", text, false));
}

static void test_mistakes(void **state)
{
    static const char *const wrong[] = {"[]", "{}", "", "a", "\"^(\"", "\"^($\"", "01", "\"a"};
    struct pattern_mistake mistake;
    struct condition condition;
    struct slice value;
    struct policy_condition source = {
        .pointer = slice_from("/a"), .values = &value, .value_count = 1};

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct arena arena = {0};
        bool glob = i == 4; /* no regular expression without its $ */

        value = slice_from(wrong[i]);
        assert_int_equal(condition_make(&condition, &source, &arena, &mistake), glob ? 0 : -EINVAL);
        condition_free(&condition);
        arena_free(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars_are_of_one_kind),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_numbers_of_deny),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_containers),
        cmocka_unit_test(test_what_is_too_long_to_judge),
        cmocka_unit_test(test_mistakes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
