/* Whose a server's message is, and the errors that the bridge makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/connect_message.h"

static struct connect_message message;

static enum connect_says says(const char *text)
{
    connect_message_read(slice_from(text), &message);
    return message.says;
}

static void test_kinds(void **state)
{
    (void)state;
    assert_int_equal(says("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}"),
                     CONNECT_SAYS_MESSAGE);
    assert_int_equal(says("{\"id\":1,\"method\":\"roots/list\"}"), CONNECT_SAYS_MESSAGE);
    assert_int_equal(says("{\"id\":\"a\",\"result\":{}}"), CONNECT_SAYS_RESPONSE);
    assert_true(slice_is(message.id, "\"a\""));
    assert_int_equal(message.result.kind, JSON_OBJECT);
    assert_int_equal(says("{\"id\":2,\"error\":{\"code\":-1,\"message\":\"no\"}}"),
                     CONNECT_SAYS_RESPONSE);
    assert_int_equal(message.result.kind, JSON_INVALID);
    assert_true(json_string_is(&message.error_message, slice_from("no")));
    assert_int_equal(says("{\"id\":null,\"error\":{\"message\":\"ended\"}}"), CONNECT_SAYS_ERROR);
    assert_int_equal(says("{\"error\":{}}"), CONNECT_SAYS_ERROR);
    assert_int_equal(message.error_message.kind, JSON_INVALID);
}

static void test_nothing(void **state)
{
    static const char *const texts[] = {
        "",
        "[]",
        "7",
        "{}",
        "{\"id\":1}",
        "{\"result\":{}}",
        "{\"id\":1,\"id\":2,\"result\":{}}",
        "{\"id\":1,\"error\":7}",
        "{\"id\":1,\"result\":{}} x",
        "<html>",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(says(texts[i]), CONNECT_SAYS_NOTHING);
}

static void test_initialize(void **state)
{
    (void)state;
    says("{\"id\":0,\"result\":{\"protocolVersion\":\"2025-11-25\",\"serverInfo\":{\"name\":\"x\"}}"
         "}");
    assert_true(json_string_is(&message.version, slice_from("2025-11-25")));
    assert_true(slice_is(message.server.text, "{\"name\":\"x\"}"));
    says("{\"id\":0,\"result\":{\"protocolVersion\":7}}");
    assert_int_equal(message.version.kind, JSON_INVALID);
    assert_int_equal(message.server.kind, JSON_INVALID);
}

static void test_errors(void **state)
{
    struct buffer out = {0};

    (void)state;
    assert_int_equal(connect_message_fail(&out, slice_from("\"a\""), slice_from("say \"no\"")), 0);
    assert_true(slice_is(buffer_slice(&out),
                         "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"error\":{\"code\":"
                         "-32603,\"message\":\"say \\\"no\\\"\"}}"));
    buffer_clear(&out);
    assert_int_equal(connect_message_error(&out, slice_from("7"), slice_from("{\"code\":1}")), 0);
    assert_true(
        slice_is(buffer_slice(&out), "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":1}}"));
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_initialize),
        cmocka_unit_test(test_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
