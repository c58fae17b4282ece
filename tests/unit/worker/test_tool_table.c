#include "worker/tool_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { NOW = 1790000000 };

#define TOOL(name, header)                                                                \
    "{\"name\":\"" name "\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"a\":{" \
    "\"type\":\"string\"" header "}}}}"
#define HEADER ",\"x-mcp-header\":\"A\""

static int open_table(void **state)
{
    *state = tool_table_make();
    return *state == NULL ? -1 : 0;
}

static int close_table(void **state)
{
    tool_table_free(*state);
    return 0;
}

static void learn(struct tool_table *table, const char *app, const char *tools, int64_t now)
{
    char result[65536];

    snprintf(result, sizeof(result), "{\"tools\":[%s]}", tools);
    tool_table_learn(table, slice_from(app), slice_from(result), now);
}

static bool knows(const struct tool_table *table, const char *app, const char *tool, int64_t now)
{
    struct json_value name;
    const char *reason;

    assert_int_equal(json_parse(slice_from(tool), &name, &reason), 0);
    return tool_table_find(table, slice_from(app), &name, now) != NULL;
}

static void test_learns_by_app(void **state)
{
    struct tool_table *table = *state;

    assert_false(knows(table, "one", "\"t\"", NOW));
    learn(table, "one", TOOL("t", HEADER) "," TOOL("plain", ""), NOW);
    assert_true(knows(table, "one", "\"t\"", NOW));
    assert_true(knows(table, "one", "\"\\u0074\"", NOW));
    assert_false(knows(table, "one", "\"T\"", NOW));
    assert_false(knows(table, "one", "\"plain\"", NOW));
    assert_false(knows(table, "two", "\"t\"", NOW));
}

static void test_forgets(void **state)
{
    struct tool_table *table = *state;

    learn(table, "one", TOOL("t", HEADER) "," TOOL("u", HEADER), NOW);
    learn(table, "one", TOOL("t", ""), NOW + 1); /* its annotation is gone */
    assert_false(knows(table, "one", "\"t\"", NOW + 1));
    assert_true(knows(table, "one", "\"u\"", NOW + TOOL_TABLE_AGE));
    assert_false(knows(table, "one", "\"u\"", NOW + TOOL_TABLE_AGE + 1));
    learn(table, "one", TOOL("u", ",\"x-mcp-header\":\"no token\""), NOW + 2);
    assert_false(knows(table, "one", "\"u\"", NOW + 2));
}

static void test_reads_seldom(void **state)
{
    struct tool_table *table = *state;
    struct slice app = slice_from("one");

    for (int i = 0; i < TOOL_TABLE_READS; i++)
        assert_true(tool_table_wants(table, app, NOW + i));
    assert_false(tool_table_wants(table, app, NOW + TOOL_TABLE_PERIOD - 1));
    assert_true(tool_table_wants(table, slice_from("two"), NOW));
    tool_table_doubt(table, app);
    assert_true(tool_table_wants(table, app, NOW + TOOL_TABLE_PERIOD - 1));
    assert_true(tool_table_wants(table, app, NOW + 2 * TOOL_TABLE_PERIOD));
    assert_true(tool_table_wants(table, app, NOW)); /* the clock was set back */
}

static void test_is_bounded(void **state)
{
    struct tool_table *table = *state;
    char tools[16384] = "", tool[16];
    size_t size = 0;

    for (int i = 0; i <= TOOL_TABLE_APP_MAX; i++)
        size += (size_t)snprintf(tools + size, sizeof(tools) - size,
                                 "%s{\"name\":\"t%d\",\"inputSchema\":{\"properties\":{\"a\":{"
                                 "\"type\":\"string\"" HEADER "}}}}",
                                 i > 0 ? "," : "", i);
    assert_true(size < sizeof(tools));
    for (int i = 0; i <= TOOL_TABLE_MAX / TOOL_TABLE_APP_MAX; i++) {
        char app[16];

        snprintf(app, sizeof(app), "app%d", i);
        learn(table, app, tools, NOW);
        assert_true(knows(table, app, "\"t0\"", NOW) == (i < TOOL_TABLE_MAX / TOOL_TABLE_APP_MAX));
    }
    snprintf(tool, sizeof(tool), "\"t%d\"", TOOL_TABLE_APP_MAX - 1);
    assert_true(knows(table, "app0", tool, NOW));
    snprintf(tool, sizeof(tool), "\"t%d\"", TOOL_TABLE_APP_MAX);
    assert_false(knows(table, "app0", tool, NOW));
    /* What is old gives its room to others. */
    assert_true(tool_table_wants(table, slice_from("app0"), NOW + TOOL_TABLE_AGE + 1));
    learn(table, "last", TOOL("t", HEADER), NOW);
    assert_true(knows(table, "last", "\"t\"", NOW));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_learns_by_app, open_table, close_table),
        cmocka_unit_test_setup_teardown(test_forgets, open_table, close_table),
        cmocka_unit_test_setup_teardown(test_reads_seldom, open_table, close_table),
        cmocka_unit_test_setup_teardown(test_is_bounded, open_table, close_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
