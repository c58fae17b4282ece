#include "worker/bridge_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct bridge_message read_message(const char *text)
{
    struct bridge_message message;
    const char *reason = NULL;

    if (bridge_message_read(slice_from(text), &message, &reason) != 0)
        fail_msg("%s: %s", text, reason);
    return message;
}

static void refused(const char *text)
{
    struct bridge_message message;
    const char *reason = NULL;

    if (bridge_message_read(slice_from(text), &message, &reason) == 0)
        fail_msg("%s was taken", text);
    assert_non_null(reason);
}

static void expect(struct slice slice, const char *text)
{
    if (!slice_is(slice, text))
        fail_msg("\"%.*s\" is not \"%s\"", (int)slice.size, slice.data, text);
}

static void test_requests(void **state)
{
    struct bridge_message message;

    (void)state;
    message =
        read_message(" {\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"tools/call\",\"params\":"
                     "{\"name\":\"x\",\"arguments\":{\"progressToken\":9},\"_meta\":"
                     "{\"progressToken\":7}}}\n");
    assert_int_equal(message.kind, BRIDGE_REQUEST);
    expect(message.id, "\"a\"");
    expect(message.token, "7");
    assert_true(bridge_message_is(&message, "tools/call"));
    assert_true(message.text.data[0] == '{');
    assert_true(message.text.data[message.text.size - 1] == '}');

    message = read_message("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":"
                           "{\"protocolVersion\":\"2025-11-25\"}}");
    expect(message.version.text, "\"2025-11-25\"");
    message = read_message("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/subscribe\","
                           "\"params\":{\"uri\":\"a:b\"}}");
    expect(message.uri.text, "\"a:b\"");
    expect(message.token, "");
}

static void test_notifications(void **state)
{
    struct bridge_message message;

    (void)state;
    message = read_message("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":"
                           "{\"requestId\":4}}");
    assert_int_equal(message.kind, BRIDGE_NOTIFICATION);
    expect(message.request_id, "4");
    message = read_message("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":"
                           "{\"progressToken\":\"t\",\"progress\":1}}");
    expect(message.token, "\"t\"");
    message =
        read_message("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\",\"params\":{\"_meta\":"
                     "{\"io.modelcontextprotocol/subscriptionId\":12}}}");
    expect(message.subscription, "12");
}

static void test_responses(void **state)
{
    struct bridge_message message;

    (void)state;
    message = read_message("{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"supportedVersions\":"
                           "[\"2025-11-25\",\"2026-07-28\"]}}");
    assert_int_equal(message.kind, BRIDGE_RESPONSE);
    assert_int_equal(message.result.kind, JSON_OBJECT);
    assert_true(bridge_message_lists(&message, "supportedVersions", "2026-07-28"));
    assert_false(bridge_message_lists(&message, "supportedVersions", "2026-07-29"));
    assert_false(bridge_message_lists(&message, "versions", "2026-07-28"));
    message = read_message("{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":-32601,"
                           "\"message\":\"no\"}}");
    assert_int_equal(message.error, -32601);
    assert_int_equal(message.result.kind, JSON_INVALID);
}

static void test_refused(void **state)
{
    (void)state;
    refused("");
    refused("hello");
    refused("[]");
    refused("{}");
    refused("{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"a\"}");
    refused("{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"a\"}");
    refused("{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"a\"}");
    refused("{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"a\"}");
    refused("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":5}");
    refused("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"result\":{}}");
    refused("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"params\":[]}");
    refused("{\"jsonrpc\":\"2.0\",\"id\":1}");
    refused("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":5}");
    refused("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"error\":{\"code\":1}}");
    refused("{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":\"1\"}}");
    refused(
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"params\":{\"_meta\":{\"a\":1,\"a\":2}}}");
}

/* Whose answer that was to be; "": nobody's. */
static void broken(const char *text, const char *whose)
{
    struct bridge_message message;
    const char *reason = NULL;

    assert_int_not_equal(bridge_message_read(slice_from(text), &message, &reason), 0);
    assert_int_equal(message.broken, whose[0] != '\0');
    if (message.broken)
        expect(message.id, whose);
}

static void test_broken_answers_name_whose_they_are(void **state)
{
    (void)state;
    broken("{\"jsonrpc\":\"2.0\",\"id\":1}", "1");
    broken("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":5}", "1");
    broken("{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"result\":{},\"error\":{\"code\":1}}", "\"a\"");
    broken("{\"jsonrpc\":\"2.0\",\"result\":{},\"result\":{},\"id\":1}", "1");
    broken("{\"id\":1,\"result\":{}}", "1");
    broken("{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"result\":{}}", "");
    broken("{\"jsonrpc\":\"2.0\",\"id\":1,\"i\\u0064\":2,\"result\":{}}", "");
    broken("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":5}", "");
    broken("{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":5}", "");
    broken("{\"jsonrpc\":\"2.0\",\"id\":{},\"result\":5}", "");
    broken("[{\"jsonrpc\":\"2.0\",\"id\":1}]", "");
    broken("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":", "");
}

static void test_edits(void **state)
{
    struct bridge_message message = read_message(
        "{\"jsonrpc\":\"2.0\",\r\n\"params\":{\"_meta\":{\"progressToken\":7}},\n\"method\":"
        "\"a\\nb\",\"id\":\"x\"}");
    struct bridge_edit edits[] = {{message.id, slice_from("123")},
                                  {slice_make(NULL, 0), slice_from("never")},
                                  {message.token, slice_from("\"t\"")}};
    struct buffer out = {0};

    (void)state;
    assert_int_equal(bridge_message_append(&out, message.text, edits, 3), 0);
    expect(buffer_slice(&out), "{\"jsonrpc\":\"2.0\",  \"params\":{\"_meta\":{\"progressToken\":"
                               "\"t\"}}, \"method\":\"a\\nb\",\"id\":123}");
    buffer_clear(&out);
    assert_int_equal(bridge_message_append(&out, message.text, NULL, 0), 0);
    assert_int_equal(buffer_size(&out), message.text.size);
    buffer_free(&out);
}

static void test_numbers(void **state)
{
    static const char *const others[] = {"", "-1", "1.0", "\"1\"", "1e3", "1234567890123456789"};
    uint64_t number = 0;

    (void)state;
    assert_true(bridge_message_number(slice_from("0"), &number));
    assert_int_equal(number, 0);
    assert_true(bridge_message_number(slice_from("123456789012345678"), &number));
    assert_true(number == UINT64_C(123456789012345678));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(bridge_message_number(slice_from(others[i]), &number));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_notifications),
        cmocka_unit_test(test_responses),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_broken_answers_name_whose_they_are),
        cmocka_unit_test(test_edits),
        cmocka_unit_test(test_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
