#include "shared/label.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct slice mcp[] = {{"mcp", 3}};
static const struct slice any[] = {{"*", 1}};
static const struct slice envs[] = {{"prod", 4}, {"staging", 7}};
static const struct slice any_and_one[] = {{"*", 1}, {"prod", 4}};

static const struct label labels[] = {{{"env", 3}, {"prod", 4}}, {{"kind", 4}, {"mcp", 3}}};

static bool matches(const struct label_selector *selectors, size_t count)
{
    return label_matches(selectors, count, labels, 2);
}

static void test_values_are_alternatives(void **state)
{
    const struct label_selector env = {{"env", 3}, envs, 2};
    const struct label_selector other = {{"env", 3}, mcp, 1};

    (void)state;
    assert_true(matches(&env, 1));
    assert_false(matches(&other, 1));
}

static void test_all_labels_must_match(void **state)
{
    const struct label_selector both[] = {{{"env", 3}, envs, 2}, {{"kind", 4}, mcp, 1}};
    const struct label_selector one_wrong[] = {{{"env", 3}, envs, 2}, {{"team", 4}, any, 1}};

    (void)state;
    assert_true(matches(both, 2));
    assert_false(matches(one_wrong, 2));
}

static void test_wildcards(void **state)
{
    const struct label_selector any_value = {{"env", 3}, any, 1};
    const struct label_selector any_app = {{"*", 1}, any, 1};
    const struct label_selector half = {{"*", 1}, mcp, 1};
    const struct label_selector mixed = {{"*", 1}, any_and_one, 2};

    (void)state;
    assert_true(matches(&any_value, 1));
    assert_true(matches(&any_app, 1));
    assert_true(label_matches(&any_app, 1, NULL, 0));
    assert_false(matches(&half, 1));
    assert_false(matches(&mixed, 1));
}

static void test_nothing_matches_nothing(void **state)
{
    const struct label_selector prefix = {{"en", 2}, any, 1};

    (void)state;
    assert_false(label_matches(NULL, 0, labels, 2));
    assert_false(matches(&prefix, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_are_alternatives),
        cmocka_unit_test(test_all_labels_must_match),
        cmocka_unit_test(test_wildcards),
        cmocka_unit_test(test_nothing_matches_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
