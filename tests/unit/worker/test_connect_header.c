/* Headers that repeat a message; each is what mcp_header.h takes for the same value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/connect_header.h"
#include "worker/connect_tools.h"
#include "worker/mcp_header.h"

#define META                                                                 \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"," \
    "\"io.modelcontextprotocol/clientCapabilities\":{}}"

static void value_is(const char *text, const char *expected)
{
    struct buffer out = {0};
    struct buffer json = {0};
    struct json_value value = {.kind = JSON_STRING, .escaped = true};

    assert_int_equal(connect_header_value(&out, slice_from(text)), 0);
    assert_true(slice_is(buffer_slice(&out), expected));
    assert_int_equal(json_append_string(&json, slice_from(text)), 0);
    value.text = buffer_slice(&json);
    assert_true(mcp_header_is(buffer_slice(&out), &value));
    buffer_free(&json);
    buffer_free(&out);
}

static void test_sentinel(void **state)
{
    (void)state;
    value_is("get-sum", "get-sum");
    value_is("", "");
    value_is("two words\tand", "two words\tand");
    value_is(" outer", "=?base64?IG91dGVy?=");
    value_is("outer ", "=?base64?b3V0ZXIg?=");
    value_is("Z\xc3\xbcrich", "=?base64?WsO8cmljaA==?=");
    value_is("a\nb", "=?base64?YQpi?=");
    value_is("=?base64?x?=", "=?base64?PT9iYXNlNjQ/eD89?=");
    value_is("=?base64?x", "=?base64?x");
    value_is("\xf0\xbf\xbf\xbf\xf0\xbb\xbb\xbb", "=?base64?8L+/v/C7u7s=?=");
}

static void repeat_is(const struct tool_schema *schema, const char *text, const char *expected)
{
    struct mcp_reader reader;
    struct mcp_message message;
    struct buffer out = {0};

    mcp_reader_begin(&reader, slice_from(text), false);
    assert_int_equal(mcp_reader_next(&reader, &message), 1);
    assert_int_equal(connect_header_repeat(&out, &message, schema), 0);
    assert_true(slice_is(buffer_slice(&out), expected));
    buffer_free(&out);
}

static void test_repeat(void **state)
{
    (void)state;
    repeat_is(NULL,
              "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{" META "}}",
              "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/list\r\n");
    repeat_is(NULL,
              "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools\\/call\",\"params\":{\"name\":"
              "\"\\u00fc\"," META "}}",
              "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\n"
              "Mcp-Name: =?base64?w7w=?=\r\n");
    repeat_is(NULL,
              "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tasks/get\",\"params\":{\"taskId\":\"t\","
              "\"name\":\"n\"," META "}}",
              "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tasks/get\r\nMcp-Name: t\r\n");
}

static void test_params(void **state)
{
    static const char list[] =
        "{\"tools\":[{\"name\":\"where\",\"inputSchema\":{\"type\":\"object\",\"properties\":{"
        "\"region\":{\"type\":\"string\",\"x-mcp-header\":\"Region\"},"
        "\"deep\":{\"type\":\"object\",\"properties\":{"
        "\"count\":{\"type\":\"integer\",\"x-mcp-header\":\"Count\"}}},"
        "\"sure\":{\"type\":\"boolean\",\"x-mcp-header\":\"Sure\"}}}},"
        "{\"name\":\"plain\",\"inputSchema\":{\"type\":\"object\"}}]}";
    struct connect_tools tools = {0};
    struct json_value name = {.kind = JSON_STRING, .text = slice_from("\"where\"")};
    const struct tool_schema *schema;

    (void)state;
    connect_tools_learn(&tools, slice_from(list));
    connect_tools_learn(&tools, slice_from(list));
    assert_int_equal(tools.count, 1);
    schema = connect_tools_find(&tools, &name);
    assert_non_null(schema);
    repeat_is(
        schema,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":"
        "\"where\",\"arguments\":{\"region\":\"a b\",\"deep\":{\"count\":42},\"sure\":true}," META
        "}}",
        "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: where\r\n"
        "Mcp-Param-Region: a b\r\nMcp-Param-Count: 42\r\nMcp-Param-Sure: true\r\n");
    repeat_is(schema,
              "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":"
              "\"where\",\"arguments\":{\"region\":null,\"deep\":7}," META "}}",
              "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: where\r\n");
    /* A list that shows it without annotations makes it plain. */
    connect_tools_learn(&tools,
                        slice_from("{\"tools\":[{\"name\":\"where\",\"inputSchema\":{}}]}"));
    assert_null(connect_tools_find(&tools, &name));
    connect_tools_free(&tools);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sentinel),
        cmocka_unit_test(test_repeat),
        cmocka_unit_test(test_params),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
