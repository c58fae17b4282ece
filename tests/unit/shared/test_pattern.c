#include "shared/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <time.h>

static enum pattern_answer match(const char *text, struct slice subject)
{
    struct pattern pattern;
    enum pattern_answer answer;
    unsigned given_up = 0;

    assert_int_equal(pattern_make(&pattern, slice_from(text), false, NULL), 0);
    answer = pattern_match(&pattern, subject, &given_up);
    pattern_free(&pattern);
    return answer;
}

static enum pattern_answer matches(const char *text, const char *subject)
{
    return match(text, slice_from(subject));
}

static void test_literals_are_compared_byte_by_byte(void **state)
{
    (void)state;
    assert_int_equal(matches("get_sum", "get_sum"), PATTERN_YES);
    assert_int_equal(matches("get_sum", "Get_sum"), PATTERN_NO);
    assert_int_equal(matches("get_sum", "get_sum "), PATTERN_NO);
    assert_int_equal(matches("a.c", "abc"), PATTERN_NO);
    assert_int_equal(matches("a?c[d]", "a?c[d]"), PATTERN_YES);
    assert_int_equal(match("a", slice_make("a\0b", 3)), PATTERN_NO);
}

static void test_globs(void **state)
{
    static const struct {
        const char *glob, *subject;
        enum pattern_answer answer;
    } cases[] = {
        {"*", "", PATTERN_YES},
        {"**", "anything", PATTERN_YES},
        {"get_*", "get_", PATTERN_YES},
        {"get_*", "get_sum", PATTERN_YES},
        {"get_*", "set_get_", PATTERN_NO},
        {"*_sum", "get_sum", PATTERN_YES},
        {"*_sum", "_sum_", PATTERN_NO},
        {"a*b*c", "abc", PATTERN_YES},
        {"a*b*c", "axxbyyc", PATTERN_YES},
        {"a*b*c", "acb", PATTERN_NO},
        {"a*a", "a", PATTERN_NO},
        {"a*a", "aa", PATTERN_YES},
        {"*ab*ab*", "abab", PATTERN_YES},
        {"*ab*ab*", "aba", PATTERN_NO},
        {"*ab*b", "abb", PATTERN_YES},
        {"*ab*b", "ab", PATTERN_NO},
        {"a*", "", PATTERN_NO},
        {"a?*", "ab", PATTERN_NO},
        {"^a*", "^ab", PATTERN_YES},
        {"a**b", "ab", PATTERN_YES},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (matches(cases[i].glob, cases[i].subject) != cases[i].answer)
            fail_msg("%s and %s", cases[i].glob, cases[i].subject);
}

static void test_regular_expressions_match_the_whole(void **state)
{
    (void)state;
    assert_int_equal(matches("^list_[a-z]+$", "list_all"), PATTERN_YES);
    assert_int_equal(matches("^list_[a-z]+$", "list_All"), PATTERN_NO);
    assert_int_equal(matches("^list_[a-z]+$", "list_all\n"), PATTERN_NO);
    assert_int_equal(matches("^(?m)a$", "a\nb"), PATTERN_NO);
    assert_int_equal(matches("^(a|b)$", "b"), PATTERN_YES);
    assert_int_equal(matches("^[|]a\\|$", "|a|"), PATTERN_YES);
    assert_int_equal(matches("^[]|]$", "|"), PATTERN_YES);
    assert_int_equal(matches("^.$", "\xc3\xbc"), PATTERN_YES);
    assert_int_equal(matches("^$", ""), PATTERN_YES);
    /* A subject that is no UTF-8 cannot be judged. */
    assert_int_equal(matches("^.$", "\xff"), PATTERN_GAVE_UP);
}

static void test_mistakes_say_where(void **state)
{
    static const struct {
        const char *text;
        size_t offset;
    } cases[] = {{"^a($", 4}, {"^[z-a]$", 4}, {"^a|b$", 2}, {"^(a)|b$", 4}, {"", 0}};
    struct pattern_mistake mistake;
    struct pattern pattern;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(pattern_make(&pattern, slice_from(cases[i].text), false, &mistake),
                         -EINVAL);
        assert_int_equal(mistake.offset, cases[i].offset);
        assert_true(strlen(mistake.reason) > 5);
        pattern_free(&pattern);
    }
}

/* A subject made to explode costs milliseconds, and is told from one that does not match. */
static void test_a_limit_is_no_answer(void **state)
{
    static const char *const bombs[] = {"^(a+)+[bc]$",        "^(a|aa)+$",   "^(.*)*x$",
                                        "^(a?){1,30}a{30}c$", "^((a*)*)*b$", "^(([a-z])+.)+[A-Z]$"};
    char subject[PATTERN_SUBJECT_MAX + 1];
    struct timespec before, after;

    (void)state;
    memset(subject, 'a', sizeof(subject));
    subject[PATTERN_SUBJECT_MAX - 1] = '!';
    for (size_t i = 0; i < sizeof(bombs) / sizeof(bombs[0]); i++) {
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
        assert_int_not_equal(match(bombs[i], slice_make(subject, PATTERN_SUBJECT_MAX)),
                             PATTERN_YES);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
        assert_true((after.tv_sec - before.tv_sec) * 1000 +
                        (after.tv_nsec - before.tv_nsec) / 1000000 <
                    500);
    }
    assert_int_equal(match("^(a+)+[bc]$", slice_make(subject, 64)), PATTERN_GAVE_UP);
    assert_int_equal(match("^.*$", slice_make(subject, sizeof(subject))), PATTERN_GAVE_UP);
}

static void test_giving_up_is_counted(void **state)
{
    struct pattern pattern;
    unsigned given_up = 0;

    (void)state;
    assert_int_equal(pattern_make(&pattern, slice_from("^(a+)+[bc]$"), false, NULL), 0);
    for (unsigned i = 0; i < PATTERN_GIVE_UPS_MAX; i++)
        assert_int_equal(
            pattern_match(&pattern, slice_from("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), &given_up),
            PATTERN_GAVE_UP);
    assert_int_equal(given_up, PATTERN_GIVE_UPS_MAX);
    /* Even what would match is not tried any more. */
    assert_int_equal(pattern_match(&pattern, slice_from("ab"), &given_up), PATTERN_GAVE_UP);
    given_up = 0;
    assert_int_equal(pattern_match(&pattern, slice_from("ab"), &given_up), PATTERN_YES);
    pattern_free(&pattern);
}

static void test_case_is_ignored_on_demand(void **state)
{
    struct pattern pattern;
    unsigned given_up = 0;

    (void)state;
    assert_int_equal(pattern_make(&pattern, slice_from("^FILE:.*$"), true, NULL), 0);
    assert_int_equal(pattern_match(&pattern, slice_from("file:x"), &given_up), PATTERN_YES);
    pattern_free(&pattern);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_literals_are_compared_byte_by_byte),
        cmocka_unit_test(test_globs),
        cmocka_unit_test(test_regular_expressions_match_the_whole),
        cmocka_unit_test(test_mistakes_say_where),
        cmocka_unit_test(test_a_limit_is_no_answer),
        cmocka_unit_test(test_giving_up_is_counted),
        cmocka_unit_test(test_case_is_ignored_on_demand),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
