#include "worker/tool_schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <errno.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct seen {
    size_t count;
    struct tool_schema last;
};

static void visit(void *context, const struct tool_schema *schema)
{
    struct seen *seen = context;

    seen->count++;
    seen->last = *schema;
}

static int read_list(const char *result, struct seen *seen)
{
    seen->count = 0;
    return tool_list_read(slice_from(result), visit, seen);
}

/* The one tool with these members of inputSchema. */
static struct tool_schema read_input(const char *members)
{
    struct seen seen;
    char text[8192];

    snprintf(text, sizeof(text),
             "{\"tools\":[{\"name\":\"t\",\"inputSchema\":{\"type\":\"object\",%s}}]}", members);
    assert_int_equal(read_list(text, &seen), 0);
    assert_int_equal(seen.count, 1);
    assert_true(slice_is(tool_schema_text(&seen.last, seen.last.name), "t"));
    return seen.last;
}

static bool param_is(const struct tool_schema *schema, size_t n, const char *header,
                     const char *const *path, size_t depth)
{
    const struct tool_param *param = &schema->params[n];

    if (!slice_is(tool_schema_text(schema, param->header), header) || param->depth != depth)
        return false;
    for (size_t i = 0; i < depth; i++) {
        if (!slice_is(tool_schema_text(schema, param->path[i]), path[i]))
            return false;
    }
    return true;
}

static void test_reads_annotations(void **state)
{
    static const char *const region[] = {"region"};
    static const char *const deep[] = {"where", "zo/ne", "n"};
    static const char *const flag[] = {"x-mcp-header"};
    struct tool_schema schema =
        read_input("\"properties\":{\"region\":{\"x-mcp-header\":\"Region\",\"type\":\"string\"},"
                   "\"query\":{\"type\":\"string\",\"default\":\"a\"},"
                   "\"where\":{\"properties\":{\"zo\\/ne\":{\"type\":\"object\",\"properties\":{"
                   "\"n\":{\"type\":\"integer\",\"x-mcp-header\":\"Zone-N\"}}}}},"
                   "\"x-mcp-header\":{\"type\":\"boolean\",\"x-mcp-header\":\"f.l_a~g\"}},"
                   "\"required\":[\"region\"]");

    (void)state;
    assert_int_equal(schema.kind, TOOL_ANNOTATED);
    assert_int_equal(schema.param_count, 3);
    assert_true(param_is(&schema, 0, "Region", region, 1));
    assert_true(param_is(&schema, 1, "Zone-N", deep, 3));
    assert_true(param_is(&schema, 2, "f.l_a~g", flag, 1));
}

static void test_knows_plain_tools(void **state)
{
    static const char *const plain[] = {
        "\"properties\":{\"a\":{\"type\":\"string\",\"description\":\"x-mcp-header\"}}",
        "\"properties\":{}",
        "\"properties\":[1,{}]",
        "\"properties\":{\"a\":true,\"x-mcp-header\":false}",
        "\"additionalProperties\":false",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(plain); i++)
        assert_int_equal(read_input(plain[i]).kind, TOOL_PLAIN);
}

#define STRING(header) "{\"type\":\"string\",\"x-mcp-header\":" header "}"

static void test_refuses_annotations(void **state)
{
    static const char *const wrong[] = {
        "\"properties\":{\"a\":" STRING("\"\"") "}",
        "\"properties\":{\"a\":" STRING("\"a b\"") "}",
        "\"properties\":{\"a\":" STRING("\"a:b\"") "}",
        "\"properties\":{\"a\":" STRING("\"a\\r\\nb\"") "}",
        "\"properties\":{\"a\":" STRING("\"a\\u0000\"") "}",
        "\"properties\":{\"a\":" STRING("\"\xc3\xbc\"") "}",
        "\"properties\":{\"a\":" STRING("1") "}",
        "\"properties\":{\"a\":" STRING("null") "}",
        "\"properties\":{\"a\":" STRING("[\"a\"]") "}",
        "\"properties\":{\"a\":" STRING("\"H\"") ",\"b\":" STRING("\"h\"") "}",
        "\"properties\":{\"a\":" STRING("\"x\"") ",\"a\":" STRING("\"y\"") "}",
        "\"properties\":{\"a\":" STRING("\"x\"") ",\"\\u0061\":{}}",
        "\"properties\":{\"a\":{\"x-mcp-header\":\"x\"}}",
        "\"properties\":{\"a\":{\"type\":\"number\",\"x-mcp-header\":\"x\"}}",
        "\"properties\":{\"a\":{\"type\":\"object\",\"x-mcp-header\":\"x\"}}",
        "\"properties\":{\"a\":{\"type\":\"array\",\"x-mcp-header\":\"x\"}}",
        "\"properties\":{\"a\":{\"type\":[\"string\",\"null\"],\"x-mcp-header\":\"x\"}}",
        "\"properties\":{\"a\":{\"type\":\"string\",\"type\":\"integer\",\"x-mcp-header\":\"x\"}}",
        "\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"x\",\"x-mcp-header\":\"y\"}"
        "}",
        "\"properties\":{\"a\":{\"type\":\"array\",\"items\":" STRING("\"x\"") "}}",
        "\"properties\":{\"a\":{\"items\":{\"properties\":{\"b\":" STRING("\"x\"") "}}}}",
        "\"properties\":{},\"properties\":{}",
        "\"anyOf\":[{\"properties\":{\"a\":" STRING("\"x\"") "}}]",
        "\"if\":{\"properties\":{\"a\":" STRING("\"x\"") "}}",
        "\"$defs\":{\"a\":" STRING("\"x\"") "}",
        "\"x-mcp-header\":\"x\"",
        "\"additionalProperties\":" STRING("\"x\""),
        "\"patternProperties\":{\"a\":" STRING("\"x\"") "}",
        "\"not\":" STRING("\"x\""),
        "\"items\":{\"x-mcp-\\u0068eader\":\"x\"}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        if (read_input(wrong[i]).kind != TOOL_UNKNOWN)
            fail_msg("%s", wrong[i]);
    }
}

/* Every limit, at it and beyond. */
static void test_is_bounded(void **state)
{
    char text[8192];
    size_t size = 0;

    (void)state;
    for (int count = TOOL_PARAMS_MAX; count <= TOOL_PARAMS_MAX + 1; count++) {
        size = (size_t)snprintf(text, sizeof(text), "\"properties\":{");
        for (int i = 0; i < count; i++)
            size += (size_t)snprintf(text + size, sizeof(text) - size,
                                     "%s\"a%d\":{\"type\":\"string\",\"x-mcp-header\":\"h%d\"}",
                                     i > 0 ? "," : "", i, i);
        snprintf(text + size, sizeof(text) - size, "}");
        assert_int_equal(read_input(text).kind,
                         count == TOOL_PARAMS_MAX ? TOOL_ANNOTATED : TOOL_UNKNOWN);
    }
    for (int depth = TOOL_PATH_MAX; depth <= TOOL_PATH_MAX + 1; depth++) {
        size = (size_t)snprintf(text, sizeof(text), "\"title\":\"\"");
        for (int i = 0; i < depth; i++)
            size += (size_t)snprintf(text + size, sizeof(text) - size, ",\"properties\":{\"a\":{%s",
                                     i + 1 < depth ? "\"title\":\"\"" : "\"type\":\"string\"");
        size += (size_t)snprintf(text + size, sizeof(text) - size, ",\"x-mcp-header\":\"h\"");
        for (int i = 0; i < 2 * depth; i++)
            text[size++] = '}';
        text[size] = '\0';
        assert_int_equal(read_input(text).kind,
                         depth == TOOL_PATH_MAX ? TOOL_ANNOTATED : TOOL_UNKNOWN);
    }
    /* Names on the way to nothing cost no room for good. */
    size = (size_t)snprintf(text, sizeof(text), "\"properties\":{");
    for (int i = 0; i < 200; i++)
        size += (size_t)snprintf(text + size, sizeof(text) - size, "\"plain-parameter-%d\":{},", i);
    snprintf(text + size, sizeof(text) - size, "\"a\":" STRING("\"h\"") "}");
    assert_int_equal(read_input(text).kind, TOOL_ANNOTATED);
}

static void test_reads_lists(void **state)
{
    static const char *const wrong[] = {
        "",
        "[]",
        "{}",
        "{\"tools\":[]",
        "{\"tools\":[]}x",
        "{\"tools\":[],\"tools\":[]}",
        "\xef\xbb\xbf{\"tools\":[]}",
        "{\"tools\":[{\"name\":\"a\"}]",
        "{\"tools\":[{\"name\":\"\xff\"}]}",
    };
    struct seen seen;

    (void)state;
    assert_int_equal(read_list("{\"tools\":[{\"name\":\"a\"},1,{\"inputSchema\":{},\"name\":\"b\"},"
                               "{\"title\":\"none\"}],\"nextCursor\":\"x\"}",
                               &seen),
                     0);
    assert_int_equal(seen.count, 2);
    assert_true(slice_is(tool_schema_text(&seen.last, seen.last.name), "b"));
    assert_int_equal(read_list("{\"tools\":{}}", &seen), 0);
    assert_int_equal(seen.count, 0);
    assert_int_equal(read_list("{\"tools\":[{\"name\":\"a\",\"name\":\"b\"}]}", &seen), 0);
    assert_int_equal(seen.last.kind, TOOL_UNKNOWN);
    for (size_t i = 0; i < COUNT(wrong); i++) {
        if (read_list(wrong[i], &seen) != -EINVAL)
            fail_msg("%s", wrong[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_annotations),   cmocka_unit_test(test_knows_plain_tools),
        cmocka_unit_test(test_refuses_annotations), cmocka_unit_test(test_is_bounded),
        cmocka_unit_test(test_reads_lists),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
