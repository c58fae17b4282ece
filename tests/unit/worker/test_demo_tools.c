/* Results of the demo server's methods: valid JSON, with the members that each era asks for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/demo_tools.h"

#include <stdio.h>

static struct buffer result;
static struct demo_count count;
static struct demo_error error;

static int teardown(void **state)
{
    (void)state;
    buffer_free(&result);
    return 0;
}

static bool run(bool modern, const char *method, const char *params)
{
    struct demo_message message = {.modern = modern};
    struct json_value value;
    const char *reason;
    char quoted[64];
    bool done;

    snprintf(quoted, sizeof(quoted), "\"%s\"", method);
    assert_int_equal(json_parse(slice_from(quoted), &message.method, &reason), 0);
    if (params != NULL)
        assert_int_equal(json_parse(slice_from(params), &message.params, &reason), 0);
    buffer_clear(&result);
    done = demo_tools_result(&message, &result, &count, &error);
    if (done && count.to == 0)
        assert_int_equal(json_parse(buffer_slice(&result), &value, &reason), 0);
    return done;
}

static bool holds(const char *text)
{
    return memmem(buffer_data(&result), buffer_size(&result), text, strlen(text)) != NULL;
}

static void test_lists(void **state)
{
    static const char *const lists[][2] = {{"tools/list", "\"slow_count\""},
                                           {"resources/list", "\"demo://greeting\""},
                                           {"resources/templates/list", "[]"},
                                           {"prompts/list", "\"greet\""}};

    (void)state;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        assert_true(run(false, lists[i][0], NULL));
        assert_true(holds(lists[i][1]));
        assert_false(holds("resultType"));
        assert_true(run(true, lists[i][0], "{}"));
        assert_true(holds(lists[i][1]));
        assert_true(holds("\"resultType\":\"complete\""));
        assert_true(holds("\"ttlMs\":60000,\"cacheScope\":\"public\""));
        assert_true(holds("\"io.modelcontextprotocol/serverInfo\":{"));
    }
}

static void test_initialize(void **state)
{
    (void)state;
    assert_true(run(false, "initialize", "{\"protocolVersion\":\"2025-03-26\"}"));
    assert_true(holds("\"protocolVersion\":\"2025-03-26\""));
    assert_true(run(false, "initialize", "{\"protocolVersion\":\"2024-11-05\"}"));
    assert_true(holds("\"protocolVersion\":\"2025-11-25\""));
    assert_true(run(false, "initialize", "{\"protocolVersion\":\"2026-07-28\"}"));
    assert_true(holds("\"protocolVersion\":\"2025-11-25\""));
    assert_false(run(false, "initialize", "{}"));
    assert_int_equal(error.code, DEMO_INVALID_PARAMS);
}

static void test_eras(void **state)
{
    (void)state;
    assert_true(run(true, "server/discover", "{}"));
    assert_true(holds("\"supportedVersions\":[\"2026-07-28\"]"));
    assert_false(run(false, "server/discover", "{}"));
    assert_int_equal(error.status, 200);
    assert_int_equal(error.code, DEMO_METHOD_NOT_FOUND);
    assert_true(run(false, "ping", NULL));
    assert_false(run(true, "ping", NULL));
    assert_int_equal(error.status, 404);
    assert_false(run(true, "initialize", "{\"protocolVersion\":\"2025-03-26\"}"));
}

static void test_echo(void **state)
{
    (void)state;
    assert_true(run(false, "tools/call",
                    "{\"name\":\"echo\",\"arguments\":{\"message\":\"a\\\"\\u00e4\\n\"}}"));
    assert_true(holds("\"text\":\"a\\\"\\u00e4\\n\""));
    assert_true(run(false, "tools/call", "{\"name\":\"echo\"}"));
    assert_true(holds("\"isError\":true"));
}

static void test_add(void **state)
{
    (void)state;
    assert_true(run(true, "tools/call", "{\"name\":\"add\",\"arguments\":{\"a\":-2,\"b\":4.5e1}}"));
    assert_true(holds("\"text\":\"43\""));
    assert_false(holds("ttlMs"));
    assert_true(run(true, "tools/call", "{\"name\":\"add\",\"arguments\":{\"a\":\"2\",\"b\":1}}"));
    assert_true(holds("\"isError\":true"));
    assert_true(run(true, "tools/call", "{\"name\":\"add\",\"arguments\":{\"a\":1e999,\"b\":1}}"));
    assert_true(holds("\"isError\":true"));
}

static void test_slow_count(void **state)
{
    static const char *const wrong[] = {"{}",
                                        "{\"to\":0}",
                                        "{\"to\":100001}",
                                        "{\"to\":\"3\"}",
                                        "{\"to\":3,\"delay_ms\":-1}",
                                        "{\"to\":3,\"delay_ms\":60001}"};
    char params[128];

    (void)state;
    assert_true(run(false, "tools/call",
                    "{\"name\":\"slow_count\",\"arguments\":{\"to\":3,\"delay_ms\":7}}"));
    assert_int_equal(count.to, 3);
    assert_int_equal(count.delay, 7);
    assert_int_equal(buffer_size(&result), 0);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        snprintf(params, sizeof(params), "{\"name\":\"slow_count\",\"arguments\":%s}", wrong[i]);
        assert_true(run(false, "tools/call", params));
        assert_int_equal(count.to, 0);
        assert_true(holds("\"isError\":true"));
    }
    buffer_clear(&result);
    assert_int_equal(demo_tools_counted(&result, 3, true), 0);
    assert_true(holds("Counted to 3."));
    assert_true(holds("resultType"));
}

static void test_unknown(void **state)
{
    (void)state;
    assert_false(run(false, "tools/call", "{\"name\":\"rm\"}"));
    assert_int_equal(error.code, DEMO_INVALID_PARAMS);
    assert_false(run(false, "resources/read", "{\"uri\":\"file:///\"}"));
    assert_int_equal(error.code, DEMO_RESOURCE_NOT_FOUND);
    assert_false(run(true, "resources/read", "{\"uri\":\"file:///\"}"));
    assert_int_equal(error.code, DEMO_INVALID_PARAMS);
    assert_false(run(true, "prompts/get", "{\"name\":\"greet\",\"arguments\":{}}"));
    assert_int_equal(error.code, DEMO_INVALID_PARAMS);
    assert_true(run(true, "prompts/get", "{\"name\":\"greet\",\"arguments\":{\"name\":\"Ann\"}}"));
    assert_true(holds("Say hello to Ann."));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_lists, teardown),
        cmocka_unit_test_teardown(test_initialize, teardown),
        cmocka_unit_test_teardown(test_eras, teardown),
        cmocka_unit_test_teardown(test_echo, teardown),
        cmocka_unit_test_teardown(test_add, teardown),
        cmocka_unit_test_teardown(test_slow_count, teardown),
        cmocka_unit_test_teardown(test_unknown, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
