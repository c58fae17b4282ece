#include "worker/mcp_param.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char list[] =
    "{\"tools\":[{\"name\":\"t\",\"inputSchema\":{\"type\":\"object\",\"properties\":{"
    "\"region\":{\"type\":\"string\",\"x-mcp-header\":\"Region\"},"
    "\"count\":{\"type\":\"integer\",\"x-mcp-header\":\"Count\"},"
    "\"dry\":{\"type\":\"boolean\",\"x-mcp-header\":\"Dry-Run\"},"
    "\"at\":{\"type\":\"object\",\"properties\":{"
    "\"zone\":{\"type\":\"string\",\"x-mcp-header\":\"a_zone\"}}}}}}]}";

static void keep(void *context, const struct tool_schema *schema)
{
    *(struct tool_schema *)context = *schema;
}

static enum mcp_param_verdict compare(const char *arguments, const char *headers)
{
    struct tool_schema schema;
    struct http_request request;
    struct json_value value = {0};
    const char *reason = NULL;
    enum mcp_param_verdict verdict;
    char head[2048];

    assert_int_equal(tool_list_read(slice_from(list), keep, &schema), 0);
    assert_int_equal(schema.kind, TOOL_ANNOTATED);
    snprintf(head, sizeof(head), "POST / HTTP/1.1\r\nHost: a\r\n%s\r\n", headers);
    assert_true(http_request_parse(slice_from(head), sizeof(head), &request, &reason) > 0);
    if (arguments != NULL)
        assert_int_equal(json_parse(slice_from(arguments), &value, &reason), 0);
    reason = NULL;
    verdict = mcp_params_compare(&schema, &request, &value, &reason);
    assert_true((verdict == MCP_PARAM_AGREES) == (reason == NULL));
    return verdict;
}

struct example {
    const char *arguments, *headers;
};

static void expect(const struct example *examples, size_t count, enum mcp_param_verdict verdict)
{
    for (size_t i = 0; i < count; i++) {
        if (compare(examples[i].arguments, examples[i].headers) != verdict)
            fail_msg("%s with %s", examples[i].arguments, examples[i].headers);
    }
}

static void test_agrees(void **state)
{
    static const struct example examples[] = {
        {NULL, ""},
        {"{}", ""},
        {"{}", "Mcp-Param-Other: x\r\n"}, /* not recognised: passes */
        {"{\"region\":\"us\"}", "Mcp-Param-Region: us\r\n"},
        {"{\"region\":\"us\"}", "mcp-param-REGION:   us \t\r\n"},
        {"{\"region\":\"us\"}", "Mcp-Param-Region: =?base64?dXM=?=\r\n"},
        {"{\"region\":\"\"}", "Mcp-Param-Region:\r\n"},
        {"{\"region\":\"\\u00fc\"}", "Mcp-Param-Region: =?base64?w7w=?=\r\n"},
        {"{\"region\":\" us \"}", "Mcp-Param-Region: =?base64?IHVzIA==?=\r\n"},
        {"{\"region\":\"a\\nb\"}", "Mcp-Param-Region: =?base64?YQpi?=\r\n"},
        {"{\"region\":\"=?base64?literal?=\"}",
         "Mcp-Param-Region: =?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=\r\n"},
        {"{\"region\":null,\"count\":null,\"at\":null}", ""},
        {"{\"r\\u0065gion\":\"us\"}", "Mcp-Param-Region: us\r\n"},
        {"{\"count\":42}", "Mcp-Param-Count: 42\r\n"},
        {"{\"count\":42}", "Mcp-Param-Count: 42.0\r\n"},
        {"{\"count\":42}", "Mcp-Param-Count: =?base64?NDI=?=\r\n"},
        {"{\"count\":4.2e1}", "Mcp-Param-Count: 42\r\n"},
        {"{\"count\":-7}", "Mcp-Param-Count: -7\r\n"},
        {"{\"count\":-0}", "Mcp-Param-Count: 0\r\n"},
        {"{\"count\":1.5}", "Mcp-Param-Count: 1.5\r\n"}, /* the schema is the server's to apply */
        {"{\"count\":\"42\"}", "Mcp-Param-Count: 42\r\n"},
        {"{\"dry\":true}", "Mcp-Param-Dry-Run: true\r\n"},
        {"{\"dry\":false}", "Mcp-Param-Dry-Run: false\r\n"},
        {"{\"at\":{\"zone\":\"z\"}}", "Mcp-Param-A_Zone: z\r\n"},
        {"{\"at\":{\"zone\":null}}", ""},
        {"{\"at\":\"zone\"}", ""},
        {"{\"zone\":\"z\"}", ""}, /* of another path */
        {"{\"region\":{\"a\":1}}", ""},
        {"[\"region\"]", ""},
        {"{\"other\":1,\"other\":2}", ""}, /* not on any path: for the server */
        {"{\"region\":\"us\",\"count\":1,\"dry\":true,\"at\":{\"zone\":\"z\"}}",
         "Mcp-Param-a_zone: z\r\nMcp-Param-Dry-Run: true\r\nMcp-Param-Count: 1\r\n"
         "Mcp-Param-Region: us\r\n"},
    };

    (void)state;
    expect(examples, COUNT(examples), MCP_PARAM_AGREES);
}

static void test_differs(void **state)
{
    static const struct example examples[] = {
        {"{\"region\":\"us\"}", ""},
        {"{\"region\":\"us\"}", "Mcp-Param-Region: eu\r\n"},
        {"{\"region\":\"us\"}", "Mcp-Param-Region: US\r\n"},
        {"{\"region\":\"us\"}", "Mcp-Param-Region:\r\n"},
        {"{\"region\":\"us\"}", "Mcp-Param-Region: us\r\nMcp-Param-Region: us\r\n"},
        {"{\"region\":\"us\"}", "Mcp-Param-Region: us\r\nMcp_Param_Region: eu\r\n"},
        {"{\"region\":\"us\"}", "Mcp-Param-Region: us\r\nmcp-param_region: eu\r\n"},
        {"{\"at\":{\"zone\":\"z\"}}", "Mcp-Param-a_zone: z\r\nMcp-Param-a-zone: z\r\n"},
        {"{\"region\":\"us\"}", "Mcp-Param-Region: =?base64?dXM?=\r\n"},
        {"{\"region\":\"us\"}", "Mcp-Param-Region: =?base64?dXN=?=\r\n"},
        {"{\"region\":\"us\"}", "Mcp-Param-Region: =?base64?d XM=?=\r\n"},
        {"{\"region\":\"us\"}", "Mcp-Param-Region: =?BASE64?dXM=?=\r\n"},
        {"{\"region\":\"\xc3\xbc\"}", "Mcp-Param-Region: \xc3\xbc\r\n"},
        {"{\"region\":\"\xc3\xbf\"}", "Mcp-Param-Region: =?base64?/w==?=\r\n"}, /* no UTF-8 */
        {"{\"region\":\"=?base64?literal?=\"}", "Mcp-Param-Region: =?base64?literal?=\r\n"},
        {"{}", "Mcp-Param-Region: us\r\n"},
        {NULL, "Mcp-Param-Region: us\r\n"},
        {"{\"region\":null}", "Mcp-Param-Region: null\r\n"},
        {"{\"region\":null}", "Mcp-Param-Region:\r\n"},
        {"{\"region\":{\"a\":1}}", "Mcp-Param-Region: us\r\n"},
        {"{\"region\":[\"us\"]}", "Mcp-Param-Region: us\r\n"},
        {"{\"at\":{\"region\":\"us\"}}", "Mcp-Param-Region: us\r\n"},
        {"{\"count\":42}", ""},
        {"{\"count\":42}", "Mcp-Param-Count: 43\r\n"},
        {"{\"count\":42}", "Mcp-Param-Count: 42.5\r\n"},
        {"{\"count\":42}", "Mcp-Param-Count: 042\r\n"},
        {"{\"count\":42}", "Mcp-Param-Count: +42\r\n"},
        {"{\"count\":42}", "Mcp-Param-Count: 0x2a\r\n"},
        {"{\"count\":42}", "Mcp-Param-Count: 4.2e1\r\n"},
        {"{\"count\":42}", "Mcp-Param-Count: \"42\"\r\n"},
        {"{\"count\":42}", "Mcp-Param-Count: 42, 42\r\n"},
        {"{\"count\":9007199254740993}", "Mcp-Param-Count: 9007199254740992\r\n"},
        {"{\"count\":1.5}", "Mcp-Param-Count: 1.50\r\n"},
        {"{\"dry\":true}", "Mcp-Param-Dry-Run: True\r\n"},
        {"{\"dry\":true}", "Mcp-Param-Dry-Run: 1\r\n"},
        {"{\"dry\":false}", ""},
        {"{\"at\":{\"zone\":\"z\"}}", ""},
    };

    (void)state;
    expect(examples, COUNT(examples), MCP_PARAM_DIFFERS);
}

static void test_refuses_doubt(void **state)
{
    static const struct example examples[] = {
        {"{\"region\":\"us\",\"region\":\"eu\"}", "Mcp-Param-Region: eu\r\n"},
        {"{\"region\":\"us\",\"r\\u0065gion\":\"eu\"}", "Mcp-Param-Region: us\r\n"},
        {"{\"region\":\"us\",\"Region\":\"eu\"}", "Mcp-Param-Region: us\r\n"},
        {"{\"REGION\":\"eu\"}", ""},
        {"{\"at\":{\"zone\":\"a\"},\"at\":{\"zone\":\"b\"}}", "Mcp-Param-a_zone: b\r\n"},
        {"{\"at\":{\"zone\":\"a\",\"zone\":\"b\"}}", "Mcp-Param-a_zone: b\r\n"},
        {"{\"At\":{\"zone\":\"a\"}}", ""},
    };

    (void)state;
    expect(examples, COUNT(examples), MCP_PARAM_AMBIGUOUS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agrees),
        cmocka_unit_test(test_differs),
        cmocka_unit_test(test_refuses_doubt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
