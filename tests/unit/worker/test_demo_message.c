/* What a message to the demo server may be, in both eras, and with what it is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/demo_message.h"

#define META(version)                                                         \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"" version "\"," \
    "\"io.modelcontextprotocol/clientCapabilities\":{},\"progressToken\":\"t\"}"
#define CALL(name)                                                                             \
    "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"tools/call\",\"params\":{\"name\":\"" name \
    "\"," META("2026-07-28") "}}"

static struct demo_message message;
static struct demo_error error;

static bool read_message(const char *version, const char *method, const char *name,
                         const char *body)
{
    struct http_request request = {0};
    const struct {
        enum http_field field;
        const char *value;
    } headers[] = {
        {HTTP_MCP_PROTOCOL_VERSION, version}, {HTTP_MCP_METHOD, method}, {HTTP_MCP_NAME, name}};

    for (size_t i = 0; i < 3; i++) {
        if (headers[i].value != NULL)
            request.headers[request.header_count++] = (struct http_header){
                .field = headers[i].field, .value = slice_from(headers[i].value)};
    }
    memset(&error, 0, sizeof(error));
    return demo_message_read(&request, slice_from(body), &message, &error);
}

static void test_legacy(void **state)
{
    (void)state;
    assert_true(
        read_message(NULL, NULL, NULL, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"initialize\"}"));
    assert_int_equal(message.kind, DEMO_REQUEST);
    assert_false(message.modern);
    assert_true(slice_is(message.id, "7"));
    assert_true(read_message("2025-06-18", NULL, NULL,
                             "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"));
    assert_int_equal(message.kind, DEMO_NOTIFICATION);
    assert_true(
        read_message("2025-11-25", NULL, NULL, "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":{}}"));
    assert_int_equal(message.kind, DEMO_RESPONSE);
    assert_true(read_message(NULL, NULL, NULL,
                             "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"tools/call\","
                             "\"params\":{\"_meta\":{\"progressToken\":3}}}"));
    assert_true(slice_is(message.progress_token.text, "3"));
    assert_false(read_message("2099-01-01", NULL, NULL,
                              "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"));
    assert_int_equal(error.status, 400);
}

static void test_modern(void **state)
{
    (void)state;
    assert_true(read_message("2026-07-28", "tools/call", "echo", CALL("echo")));
    assert_true(message.modern);
    assert_true(slice_is(message.id, "\"a\""));
    assert_true(slice_is(message.progress_token.text, "\"t\""));
    assert_true(read_message("2026-07-28", "tools/call", "=?base64?ZWNobw==?=", CALL("echo")));
    assert_true(read_message("2026-07-28", NULL, NULL,
                             "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}"));
}

static void test_modern_refusals(void **state)
{
    static const struct {
        enum demo_code code;
        const char *version, *method, *name, *body;
    } cases[] = {
        {DEMO_HEADER_MISMATCH, NULL, "tools/call", "echo", CALL("echo")},
        {DEMO_HEADER_MISMATCH, "2025-11-25", "tools/call", "echo", CALL("echo")},
        {DEMO_HEADER_MISMATCH, "2026-07-28", NULL, "echo", CALL("echo")},
        {DEMO_HEADER_MISMATCH, "2026-07-28", "Tools/call", "echo", CALL("echo")},
        {DEMO_HEADER_MISMATCH, "2026-07-28", "tools/call", NULL, CALL("echo")},
        {DEMO_HEADER_MISMATCH, "2026-07-28", "tools/call", "add", CALL("echo")},
        {DEMO_HEADER_MISMATCH, "2026-07-28", "tools/call", "=?base64?ZWNobw=?=", CALL("echo")},
        {DEMO_HEADER_MISMATCH, "2026-07-28", "tools/call", "=?base64?ZWNo_w==?=", CALL("echo")},
        {DEMO_HEADER_MISMATCH, "2026-07-28", "tools/call", "=?base64?=", CALL("echo")},
        {DEMO_INVALID_PARAMS, "2026-07-28", "tools/list", NULL,
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}"},
        {DEMO_INVALID_PARAMS, NULL, NULL, NULL,
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"server/discover\"}"},
        {DEMO_UNSUPPORTED_VERSION, "2099-01-01", "tools/list", NULL,
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{" META(
             "2099-01-01") "}}"},
        {DEMO_INVALID_REQUEST, "2026-07-28", NULL, NULL,
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_false(read_message(cases[i].version, cases[i].method, cases[i].name, cases[i].body));
        assert_int_equal(error.code, cases[i].code);
        assert_int_equal(error.status, 400);
        assert_true(message.id.size > 0);
    }
    assert_int_equal(message.kind, DEMO_RESPONSE);
}

static void test_malformed(void **state)
{
    static const struct {
        enum demo_code code;
        const char *body;
    } cases[] = {
        {DEMO_PARSE_ERROR, ""},
        {DEMO_PARSE_ERROR, "{"},
        {DEMO_INVALID_REQUEST, "[]"},
        {DEMO_INVALID_REQUEST, "7"},
        {DEMO_INVALID_REQUEST, "{\"id\":1,\"method\":\"ping\"}"},
        {DEMO_INVALID_REQUEST, "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}"},
        {DEMO_INVALID_REQUEST, "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}"},
        {DEMO_INVALID_REQUEST, "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"ping\"}"},
        {DEMO_INVALID_REQUEST, "{\"jsonrpc\":\"2.0\",\"id\":1}"},
        {DEMO_INVALID_REQUEST, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":3}"},
        {DEMO_INVALID_REQUEST, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"result\":1}"},
        {DEMO_INVALID_REQUEST, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"method\":\"b\"}"},
        {DEMO_INVALID_REQUEST, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"params\":[]}"},
        {DEMO_INVALID_REQUEST,
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"params\":{\"_meta\":1}}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_false(read_message(NULL, NULL, NULL, cases[i].body));
        assert_int_equal(error.code, cases[i].code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_legacy),
        cmocka_unit_test(test_modern),
        cmocka_unit_test(test_modern_refusals),
        cmocka_unit_test(test_malformed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
