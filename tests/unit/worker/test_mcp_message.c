#include "worker/mcp_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define HEAD "{\"jsonrpc\":\"2.0\",\"id\":7,"
#define LISTEN HEAD "\"method\":\"subscriptions/listen\",\"params\":{\"notifications\":{"

static int read_one(struct slice text, struct mcp_message *message, struct mcp_reader *reader)
{
    int result;

    mcp_reader_begin(reader, text, false);
    result = mcp_reader_next(reader, message);
    if (result == 1) {
        struct mcp_message other;

        assert_int_equal(mcp_reader_next(reader, &other), 0);
    } else {
        assert_int_equal(result, -1);
        assert_non_null(reader->reason);
        assert_true(reader->code == MCP_PARSE_ERROR || reader->code == MCP_INVALID_REQUEST);
    }
    return result;
}

static void accepted(const char *text, struct mcp_message *message)
{
    struct mcp_reader reader;

    if (read_one(slice_from(text), message, &reader) != 1)
        fail_msg("%s: %s", text, reader.reason);
}

static void test_reads_a_request(void **state)
{
    struct mcp_message message;

    (void)state;
    accepted(
        " {\"jsonrpc\":\"2.0\" , \"id\":\"a\\u0062\",\"method\":\"tools/c\\u0061ll\",\"params\":"
        "{\"n\\u0061me\":\"ec\\u0068o\",\"arguments\":{\"name\":1,\"name\":2,\"Name\":3},"
        "\"_meta\":{\"x\":{},\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
        "\"io.modelcontextprotocol/clientCapabilities\":{}}}}\n",
        &message);
    assert_int_equal(message.kind, MCP_REQUEST);
    assert_true(slice_is(message.id, "\"a\\u0062\""));
    assert_true(slice_is(message.known->name, "tools/call"));
    assert_true(json_string_is(&message.name, slice_from("echo")));
    assert_true(json_string_is(&message.meta_version, slice_from("2026-07-28")));
    assert_true(message.meta_capabilities);
    accepted(HEAD "\"method\":\"completion/complete\",\"params\":{\"ref\":{\"type\":\"ref/prompt\","
                  "\"name\":\"p\"},\"argument\":{}}}",
             &message);
    assert_true(slice_is(message.id, "7"));
    assert_true(json_string_is(&message.ref_name, slice_from("p")));
    assert_int_equal(message.ref_uri.kind, JSON_INVALID);
    accepted(HEAD "\"method\":\"vendor/own\"}", &message);
    assert_null(message.known);
    assert_false(message.has_params);
}

static void test_reads_what_policies_judge(void **state)
{
    struct mcp_message message;

    (void)state;
    accepted(HEAD
             "\"method\":\"tools/call\",\"params\":{\"name\":\"a\",\"arguments\": {\"b\":[1]} }}",
             &message);
    assert_int_equal(message.arguments.kind, JSON_OBJECT);
    assert_true(slice_is(message.arguments.text, "{\"b\":[1]}"));
    assert_int_equal(message.subscriptions.kind, JSON_INVALID);
    accepted(HEAD
             "\"method\":\"subscriptions/listen\",\"params\":{\"notifications\":{"
             "\"toolsListChanged\":true,\"resourceSubscriptions\":[ \"a:b\" ,\"a:\\u0063\"]}}}",
             &message);
    assert_int_equal(message.subscriptions.kind, JSON_ARRAY);
    assert_true(slice_is(message.subscriptions.text, "[ \"a:b\" ,\"a:\\u0063\"]"));
}

static void test_reads_what_tasks_need(void **state)
{
    struct mcp_message message;

    (void)state;
    accepted(HEAD "\"method\":\"tools/call\",\"params\":{\"name\":\"a\",\"task\":{\"ttl\":1}}}",
             &message);
    assert_true(message.augmented);
    assert_false(message.meta_tasks);
    accepted(HEAD "\"method\":\"tools/call\",\"params\":{\"name\":\"a\",\"_meta\":{"
                  "\"io.modelcontextprotocol/clientCapabilities\":{\"extensions\":{"
                  "\"io.modelcontextprotocol\\/tasks\":{}}}}}}",
             &message);
    assert_true(message.meta_capabilities && message.meta_tasks);
    assert_false(message.augmented);
    accepted(LISTEN "\"taskIds\":[\"a\", \"b\"]}}}", &message);
    assert_int_equal(message.task_ids.kind, JSON_ARRAY);
    assert_true(slice_is(message.task_ids.text, "[\"a\", \"b\"]"));
}

static void test_reads_notifications_and_responses(void **state)
{
    struct mcp_message message;

    (void)state;
    accepted("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
             "\"params\":{\"requestId\":12,\"reason\":\"\"}}",
             &message);
    assert_int_equal(message.kind, MCP_NOTIFICATION);
    assert_int_equal(message.id.size, 0);
    assert_true(slice_is(message.request_id.text, "12"));
    accepted(HEAD "\"result\":{\"method\":\"x\"}}", &message);
    assert_int_equal(message.kind, MCP_RESPONSE);
    accepted(HEAD "\"error\":{\"code\":1,\"message\":\"\"}}", &message);
    assert_int_equal(message.kind, MCP_RESPONSE);
}

/* What one reader could understand in another way than we do. */
static void test_refuses_two_meanings(void **state)
{
    static const char *const texts[] = {
        HEAD "\"method\":\"tools/list\",\"method\":\"tools/call\"}",
        HEAD "\"method\":\"tools/list\",\"meth\\u006fd\":\"tools/call\"}",
        HEAD "\"method\":\"tools/list\",\"Method\":\"tools/call\"}",
        HEAD "\"method\":\"tools/list\",\"METHOD\":\"tools/call\"}",
        HEAD "\"Method\":\"tools/list\"}",
        HEAD "\"method\":\"tools/list\",\"method\\u0000\":\"tools/call\"}",
        HEAD "\"method\":\"tools/list\",\"method\\u0000x\":\"tools/call\"}",
        HEAD "\"method\":\"tools/list\\u0000\"}",
        HEAD "\"method\":\"tools/call\",\"params\":{\"name\":\"a\",\"name\":\"b\"}}",
        HEAD "\"method\":\"tools/call\",\"params\":{\"name\":\"a\",\"Name\":\"b\"}}",
        HEAD "\"method\":\"tools/call\",\"params\":{\"name\":\"a\",\"n\\u0041me\":\"b\"}}",
        HEAD "\"method\":\"tools/call\",\"params\":{\"name\":\"a\\u0000b\"}}",
        HEAD "\"method\":\"tools/call\",\"params\":{\"name\":\"a\",\"Arguments\":{}}}",
        HEAD "\"method\":\"tools/call\",\"params\":{\"name\":\"a\"},\"params\":{\"name\":\"b\"}}",
        /* U+017F folds to s, U+212A to k, U+0131 and U+0130 to i. */
        HEAD "\"method\":\"tools/call\",\"params\":{\"name\":\"a\"},\"param\xc5\xbf\":{}}",
        HEAD "\"method\":\"tools/call\",\"params\":{\"name\":\"a\"},\"param\\u017f\":{}}",
        HEAD "\"method\":\"tasks/get\",\"params\":{\"taskId\":\"a\",\"tas\xe2\x84\xaaId\":\"b\"}}",
        HEAD "\"method\":\"resources/read\",\"params\":{\"uri\":\"a\",\"ur\xc4\xb1\":\"b\"}}",
        HEAD "\"method\":\"resources/read\",\"params\":{\"uri\":\"a\",\"UR\xc4\xb0\":\"b\"}}",
        HEAD
        "\"method\":\"completion/complete\",\"params\":{\"ref\":{\"name\":\"a\",\"name\":\"b\"}}}",
        HEAD
        "\"method\":\"completion/complete\",\"params\":{\"ref\":{\"name\":\"a\",\"NAME\":\"b\"}}}",
        HEAD "\"method\":\"ping\",\"params\":{\"_meta\":{"
             "\"io.modelcontextprotocol/protocolVersion\":\"1\","
             "\"io.modelcontextprotocol/protocolVersion\":\"2\"}}}",
        HEAD "\"method\":\"ping\",\"params\":{\"_meta\":{"
             "\"io.modelcontextprotocol/ProtocolVersion\":\"1\"}}}",
        HEAD "\"method\":\"ping\",\"params\":{\"_META\":{}}}",
        LISTEN "\"resourceSubscriptions\":[\"a:b\",\"a:b\"]}}}",
        LISTEN "\"resourceSubscriptions\":[\"a:b\",\"a:\\u0062\"]}}}",
        LISTEN "\"resourceSubscriptions\":[\"a:b\\u0000c\"]}}}",
        LISTEN "\"resourceSubscriptions\":[1]}}}",
        LISTEN "\"resourceSubscriptions\":[[\"a:b\"]]}}}",
        LISTEN "\"resourceSubscriptions\":\"a:b\"}}}",
        LISTEN "\"resourceSubscriptions\":null}}}",
        LISTEN "\"resourceSubscriptions\":[],\"resourceSubscriptions\":[\"a:b\"]}}}",
        LISTEN "\"resourceSubscriptions\":[],\"ResourceSubscriptions\":[\"a:b\"]}}}",
        LISTEN "\"resourceSubscription\\u017f\":[\"a:b\"]}}}",
        LISTEN "\"taskIds\":[\"a\",\"a\"]}}}",
        LISTEN "\"taskIds\":[\"a\",1]}}}",
        LISTEN "\"taskIds\":\"a\"}}}",
        LISTEN "\"taskIds\":[\"a\"],\"taskIds\":[\"b\"]}}}",
        LISTEN "\"taskids\":[\"a\"]}}}",
        HEAD "\"method\":\"tools/call\",\"params\":{\"name\":\"a\",\"Task\":{}}}",
        HEAD "\"method\":\"ping\",\"params\":{\"_meta\":{"
             "\"io.modelcontextprotocol/clientCapabilities\":{\"Extensions\":{}}}}}",
        LISTEN "\"a\":1},\"notifications\":{}}}",
        LISTEN "\"a\":1},\"Notifications\":{}}}",
        HEAD "\"method\":\"subscriptions/listen\",\"params\":{\"notifications\":[]}}",
        HEAD
        "\"method\":\"tools/call\",\"params\":{\"name\":\"a\",\"arguments\":{},\"arguments\":{}}}",
        HEAD "\"method\":\"ping\",\"x\":1,\"x\":2}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"ping\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"ID\":2,\"method\":\"ping\"}",
        HEAD "\"method\":\"ping\",\"result\":{}}",
        HEAD "\"method\":\"ping\",\"error\":{}}",
        HEAD "\"result\":{},\"error\":{}}",
        HEAD "\"result\":{},\"params\":{}}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct mcp_message message;
        struct mcp_reader reader;

        if (read_one(slice_from(texts[i]), &message, &reader) != -1)
            fail_msg("accepted: %s", texts[i]);
        assert_int_equal(reader.code, MCP_INVALID_REQUEST);
    }
}

static void test_refuses_what_is_no_message(void **state)
{
    static const char *const texts[] = {
        "{}",
        "[]",
        "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]",
        "1",
        "\"ping\"",
        "null",
        "{\"a\":1}",
        "{\"id\":1,\"method\":\"ping\"}",
        "{\"jsonrpc\":2.0,\"id\":1,\"method\":\"ping\"}",
        "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"ping\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1e3,\"method\":\"ping\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"ping\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":[1],\"method\":\"ping\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":99999999999999999999,\"method\":\"ping\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":1}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":null}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":[]}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":null}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":1}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":[\"a\"]}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"_meta\":[]}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"ref\":\"a\"}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"params\":{\"name\":\"a\"}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"notifications/initialized\"}",
        "{\"jsonrpc\":\"2.0\",\"result\":{}}",
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":\"x\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct mcp_message message;
        struct mcp_reader reader;

        if (read_one(slice_from(texts[i]), &message, &reader) != -1)
            fail_msg("accepted: %s", texts[i]);
        assert_int_equal(reader.code, MCP_INVALID_REQUEST);
    }
}

static void test_refuses_what_is_no_json(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "{",
        "\xef\xbb\xbf" HEAD "\"method\":\"ping\"}",
        HEAD "\"method\":\"ping\"}}",
        HEAD "\"method\":\"ping\"}{}",
        HEAD "\"method\":\"ping\",}",
        HEAD "\"method\":\"p\ning\"}",
        HEAD "\"method\":\"ping\",\"params\":{\"a\":\"\xff\"}}",
        HEAD "\"method\":\"ping\",\"params\":{\"a\":\"\xc0\xaf\"}}",
        HEAD "\"method\":\"ping\",\"params\":{\"a\":\"\xed\xa0\x80\"}}",
        HEAD "\"method\":\"ping\",\"params\":{\"a\":\"\\ud800\"}}",
        HEAD "\"method\":\"ping\",\"params\":{\"a\":\"\\x41\"}}",
        HEAD "\"method\":\"ping\",\"params\":{\"a\":01}}",
        HEAD "\"method\":\"ping\",\"params\":{\"a\":NaN}}",
        HEAD "\"method\":\"ping\",/**/\"params\":{}}",
        HEAD "'method':\"ping\"}",
        HEAD "method:\"ping\"}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct mcp_message message;
        struct mcp_reader reader;

        if (read_one(slice_from(texts[i]), &message, &reader) != -1)
            fail_msg("accepted: %s", texts[i]);
        assert_int_equal(reader.code, MCP_PARSE_ERROR);
        assert_int_equal(message.id.size, 0);
    }
}

/* An error names the request that it is for, also when the id stands behind what is wrong. */
static void test_tells_the_id_of_what_it_refuses(void **state)
{
    static const struct {
        const char *text, *id;
    } cases[] = {
        {"{\"jsonrpc\":\"2.0\",\"method\":1,\"id\":\"x\"}", "\"x\""},
        {"{\"method\":\"ping\",\"Method\":\"ping\",\"jsonrpc\":\"2.0\",\"id\":5}", "5"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":1,\"method\":\"ping\"}", ""},
        {"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct mcp_message message;
        struct mcp_reader reader;

        assert_int_equal(read_one(slice_from(cases[i].text), &message, &reader), -1);
        assert_true(slice_is(message.id, cases[i].id));
    }
}

static void test_bounds_members_and_nesting(void **state)
{
    static char text[64 * 1024];
    struct mcp_message message;
    struct mcp_reader reader;

    (void)state;
    for (int members = JSON_MEMBERS_MAX; members <= JSON_MEMBERS_MAX + 1; members++) {
        size_t size = (size_t)sprintf(text, HEAD "\"method\":\"ping\",\"params\":{\"_meta\":{");

        for (int i = 0; i < members; i++)
            size += (size_t)sprintf(text + size, "%s\"m%d\":%d", i == 0 ? "" : ",", i, i);
        size += (size_t)sprintf(text + size, "}}}");
        assert_int_equal(read_one(slice_make(text, size), &message, &reader),
                         members == JSON_MEMBERS_MAX ? 1 : -1);
    }
    /* The envelope and params are two of the containers. */
    for (int depth = JSON_DEPTH_MAX - 2; depth <= JSON_DEPTH_MAX - 1; depth++) {
        size_t size = (size_t)sprintf(text, HEAD "\"method\":\"ping\",\"params\":{\"a\":");

        memset(text + size, '[', (size_t)depth);
        memset(text + size + depth, ']', (size_t)depth);
        size += 2 * (size_t)depth;
        size += (size_t)sprintf(text + size, "}}");
        assert_int_equal(read_one(slice_make(text, size), &message, &reader),
                         depth == JSON_DEPTH_MAX - 2 ? 1 : -1);
    }
}

static void test_reads_batches_where_they_are_allowed(void **state)
{
    static const char two[] = "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"},"
                              "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\"}]";
    static const char *const wrong[] = {
        "[]",
        "[[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]]",
        "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"},1]",
        "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"},]",
        "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
        "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]]",
        "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"Method\":\"x\"}]",
    };
    struct mcp_message message;
    struct mcp_reader reader;
    int result;

    (void)state;
    mcp_reader_begin(&reader, slice_from(two), true);
    assert_int_equal(mcp_reader_next(&reader, &message), 1);
    assert_true(slice_is(message.id, "1"));
    assert_int_equal(mcp_reader_next(&reader, &message), 1);
    assert_true(slice_is(message.known->name, "tools/list"));
    assert_int_equal(mcp_reader_next(&reader, &message), 0);
    for (size_t i = 0; i < COUNT(wrong); i++) {
        mcp_reader_begin(&reader, slice_from(wrong[i]), true);
        while ((result = mcp_reader_next(&reader, &message)) == 1)
            ;
        if (result != -1)
            fail_msg("accepted: %s", wrong[i]);
    }
}

static void test_bounds_batches(void **state)
{
    static char text[64 * 1024];

    (void)state;
    for (int count = MCP_BATCH_MAX; count <= MCP_BATCH_MAX + 1; count++) {
        struct mcp_message message;
        struct mcp_reader reader;
        size_t size = 0;
        int result;

        for (int i = 0; i < count; i++)
            size +=
                (size_t)sprintf(text + size, "%c" HEAD "\"method\":\"ping\"}", i == 0 ? '[' : ',');
        text[size++] = ']';
        mcp_reader_begin(&reader, slice_make(text, size), true);
        while ((result = mcp_reader_next(&reader, &message)) == 1)
            ;
        assert_int_equal(result, count == MCP_BATCH_MAX ? 0 : -1);
    }
}

static void test_bounds_ids(void **state)
{
    static const char rest[] = ",\"jsonrpc\":\"2.0\",\"method\":\"ping\"}";
    static char text[MCP_ID_MAX + 64];

    (void)state;
    for (int size = MCP_ID_MAX; size <= MCP_ID_MAX + 1; size++) {
        struct mcp_message message;
        struct mcp_reader reader;
        int length = sprintf(text, "{\"id\":\"%0*d\"%s", size - 2, 0, rest);
        int result = read_one(slice_make(text, (size_t)length), &message, &reader);

        assert_int_equal(result, size == MCP_ID_MAX ? 1 : -1);
        assert_int_equal(message.id.size, size == MCP_ID_MAX ? MCP_ID_MAX : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_a_request),
        cmocka_unit_test(test_reads_what_policies_judge),
        cmocka_unit_test(test_reads_what_tasks_need),
        cmocka_unit_test(test_reads_notifications_and_responses),
        cmocka_unit_test(test_refuses_two_meanings),
        cmocka_unit_test(test_refuses_what_is_no_message),
        cmocka_unit_test(test_refuses_what_is_no_json),
        cmocka_unit_test(test_tells_the_id_of_what_it_refuses),
        cmocka_unit_test(test_bounds_members_and_nesting),
        cmocka_unit_test(test_reads_batches_where_they_are_allowed),
        cmocka_unit_test(test_bounds_batches),
        cmocka_unit_test(test_bounds_ids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
