#include "worker/mcp_result.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool read_result(const char *members, struct mcp_result *result)
{
    static char text[4096];

    snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"result\":%s}", members);
    return mcp_result_read(slice_from(text), result);
}

static void test_reads_results_alone(void **state)
{
    static const char *const others[] = {
        "",
        "[]",
        "{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"params\":{}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"result\":{}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[]}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"result\":{}}",
        "{\"jsonrpc\":\"2.0\",\"result\":{}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":\"\xff\"}}",
    };
    struct mcp_result result;

    (void)state;
    assert_true(read_result("{\"a\": 1}", &result));
    assert_true(slice_is(result.id, "\"a\"") && slice_is(result.result.text, "{\"a\": 1}"));
    for (size_t i = 0; i < COUNT(others); i++) {
        if (mcp_result_read(slice_from(others[i]), &result))
            fail_msg("%s", others[i]);
    }
}

struct task_case {
    const char *members;
    bool modern;
    const char *id; /* JSON text; NULL: no task */
    int64_t ttl;
};

static void test_sees_new_tasks(void **state)
{
    static const struct task_case cases[] = {
        {"{\"task\":{\"taskId\":\"t\",\"ttl\":60000,\"ttlMs\":1}}", false, "\"t\"", 60000},
        {"{\"task\":{\"taskId\":\"t\",\"ttl\":null}}", false, "\"t\"", -1},
        {"{\"task\":{\"taskId\":\"t\",\"ttl\":-5}}", false, "\"t\"", -1},
        {"{\"task\":{\"taskId\":\"t\",\"ttl\":1.5}}", false, "\"t\"", 1},
        {"{\"task\":{\"taskId\":\"t\",\"ttl\":\"1\"}}", false, "\"t\"", -1},
        {"{\"task\":{\"taskId\":1}}", false, NULL, 0},
        {"{\"task\":{\"taskId\":\"t\",\"taskId\":\"u\"}}", false, NULL, 0},
        {"{\"task\":[\"t\"]}", false, NULL, 0},
        {"{\"taskId\":\"t\"}", false, NULL, 0},
        {"{\"resultType\":\"task\",\"taskId\":\"t\"}", false, NULL, 0},
        {"{\"resultType\":\"task\",\"taskId\":\"t\",\"ttlMs\":5}", true, "\"t\"", 5},
        {"{\"resultType\":\"t\\u0061sk\",\"taskId\":\"t\",\"ttlMs\":null}", true, "\"t\"", -1},
        {"{\"resultType\":\"complete\",\"taskId\":\"t\"}", true, NULL, 0},
        {"{\"taskId\":\"t\"}", true, NULL, 0},
        {"{\"resultType\":\"task\",\"task\":{\"taskId\":\"t\"}}", true, NULL, 0},
        {"{\"task\":{\"taskId\":\"t\"}}", true, NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct mcp_result result;
        struct mcp_result_task task;
        bool made;

        assert_true(read_result(cases[i].members, &result));
        made = mcp_result_makes_task(&result, cases[i].modern, &task);
        if (made != (cases[i].id != NULL))
            fail_msg("%s", cases[i].members);
        if (made && (!slice_is(task.id.text, cases[i].id) || task.ttl != cases[i].ttl))
            fail_msg("%s: %lld", cases[i].members, (long long)task.ttl);
    }
}

static void test_reads_lists_and_versions(void **state)
{
    struct mcp_result result;
    struct json_value value;

    (void)state;
    assert_true(read_result("{\"tasks\":[{\"taskId\":\"t\"}],\"protocolVersion\":\"v\"}", &result));
    value = mcp_result_tasks(&result);
    assert_true(slice_is(value.text, "[{\"taskId\":\"t\"}]"));
    value = mcp_result_version(&result);
    assert_true(slice_is(value.text, "\"v\""));
    assert_true(read_result("{\"tasks\":{},\"protocolVersion\":1}", &result));
    assert_int_equal(mcp_result_tasks(&result).kind, JSON_INVALID);
    assert_int_equal(mcp_result_version(&result).kind, JSON_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_results_alone),
        cmocka_unit_test(test_sees_new_tasks),
        cmocka_unit_test(test_reads_lists_and_versions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
