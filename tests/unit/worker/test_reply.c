/* The gate's own answers, read back by the response parser and the JSON reader. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/json.h"
#include "worker/http_head.h"
#include "worker/reply.h"

static struct buffer out;
static struct http_response response;
static struct slice body;

static int teardown(void **state)
{
    (void)state;
    buffer_free(&out);
    return 0;
}

static void read_back(void)
{
    const char *reason;
    long size = http_response_parse(buffer_slice(&out), 65536, &response, &reason);

    assert_true(size > 0);
    assert_int_equal(response.body, HTTP_BODY_LENGTH);
    body = slice_skip(buffer_slice(&out), (size_t)size);
}

static struct slice header(const char *name)
{
    for (size_t i = 0; i < response.header_count; i++) {
        if (slice_equal_nocase(response.headers[i].name, slice_from(name)))
            return response.headers[i].value;
    }
    return slice_make(NULL, 0);
}

static void assert_slice(struct slice actual, const char *expected)
{
    assert_int_equal(actual.size, strlen(expected));
    assert_memory_equal(actual.data, expected, actual.size);
}

static void test_json_rpc_error(void **state)
{
    struct reply_error error = {.status = 401,
                                .message = "A \"token\" is needed",
                                .challenge = slice_from("Bearer x=\"y\""),
                                .json_rpc = true};

    (void)state;
    assert_int_equal(reply_error(&out, &error), 0);
    read_back();
    assert_int_equal(response.status, 401);
    assert_true(slice_is(response.reason, "Unauthorized"));
    assert_true(response.keep_alive);
    assert_int_equal(response.content_length, body.size);
    assert_slice(body, "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600,\"message\":"
                       "\"Unauthorized: A \\\"token\\\" is needed\"},\"id\":null}");
    assert_slice(header("Content-Type"), "application/json");
    assert_slice(header("WWW-Authenticate"), "Bearer x=\"y\"");
    assert_slice(header("Cache-Control"), "no-store");
    assert_slice(header("Gatehouse-Error-Origin"), "gateway");
    assert_int_equal(header("Date").size, 29);
    assert_int_equal(header("Retry-After").size, 0);
    assert_int_equal(header("Allow").size, 0);
}

static void test_json_rpc_error_with_a_name(void **state)
{
    struct reply_error error = {.status = 200,
                                .code = -32602,
                                .message = "Unknown tool",
                                .detail = slice_from("r\\u006d"),
                                .id = slice_from("\"x\""),
                                .json_rpc = true};

    (void)state;
    assert_int_equal(reply_error(&out, &error), 0);
    read_back();
    assert_int_equal(response.status, 200);
    assert_slice(body, "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32602,\"message\":"
                       "\"Unknown tool: r\\u006d\"},\"id\":\"x\"}");
    buffer_clear(&out);
    error.body = slice_from("[1]");
    assert_int_equal(reply_error(&out, &error), 0);
    read_back();
    assert_slice(body, "[1]");
    assert_slice(header("Content-Type"), "application/json");
}

static void test_plain_error(void **state)
{
    struct reply_error error = {.status = 503,
                                .message = "Later",
                                .retry_after = 7,
                                .allow = "GET, HEAD",
                                .close = true,
                                .origin = "upstream"};

    (void)state;
    assert_int_equal(reply_error(&out, &error), 0);
    read_back();
    assert_slice(body, "Service Unavailable: Later\n");
    assert_false(response.keep_alive);
    assert_slice(header("Retry-After"), "7");
    assert_slice(header("Allow"), "GET, HEAD");
    assert_slice(header("Gatehouse-Error-Origin"), "upstream");
    assert_int_equal(header("WWW-Authenticate").size, 0);
    buffer_clear(&out);
    error.head_only = true;
    error.json_rpc = true;
    assert_int_equal(reply_error(&out, &error), 0);
    read_back();
    assert_int_equal(body.size, 0);
    assert_true(response.content_length > 0);
}

static void test_content(void **state)
{
    (void)state;
    assert_int_equal(reply_content(&out, "text/plain", slice_from("ok\n"),
                                   "Access-Control-Allow-Origin: *\r\n", false, false),
                     0);
    read_back();
    assert_int_equal(response.status, 200);
    assert_slice(body, "ok\n");
    assert_slice(header("Access-Control-Allow-Origin"), "*");
    assert_slice(header("X-Content-Type-Options"), "nosniff");
    assert_true(response.keep_alive);
}

static void test_challenge(void **state)
{
    struct slice gate = slice_from("https://gate.example.com");

    (void)state;
    assert_int_equal(reply_challenge(&out, gate, slice_from("app"), NULL, "unused", slice_from("")),
                     0);
    assert_slice(buffer_slice(&out),
                 "Bearer resource_metadata=\"https://gate.example.com/.well-known/"
                 "oauth-protected-resource/mcp/apps/app\"");
    buffer_clear(&out);
    assert_int_equal(reply_challenge(&out, gate, slice_from("app"), "invalid_token",
                                     "The token expired", slice_from("a b\"\\\r\nc")),
                     0);
    assert_slice(buffer_slice(&out),
                 "Bearer error=\"invalid_token\", error_description=\"The token expired\", "
                 "scope=\"a bc\", resource_metadata=\"https://gate.example.com/.well-known/"
                 "oauth-protected-resource/mcp/apps/app\"");
}

static void test_metadata(void **state)
{
    struct slice issuers[] = {slice_from("https://a"), slice_from("https://b\"")};
    struct slice scopes[] = {slice_from("mcp:read")};
    struct json_value value;
    const char *reason;

    (void)state;
    assert_int_equal(
        reply_metadata(&out, slice_from("https://gate"), slice_from("app"), issuers, 2, scopes, 1),
        0);
    assert_int_equal(json_parse(buffer_slice(&out), &value, &reason), 0);
    assert_slice(buffer_slice(&out),
                 "{\"resource\":\"https://gate/mcp/apps/app\",\"authorization_servers\":"
                 "[\"https://a\",\"https://b\\\"\"],\"scopes_supported\":[\"mcp:read\"],"
                 "\"bearer_methods_supported\":[\"header\"],\"resource_name\":\"app\"}");
    buffer_clear(&out);
    assert_int_equal(
        reply_metadata(&out, slice_from("https://gate"), slice_from("app"), NULL, 0, NULL, 0), 0);
    assert_slice(buffer_slice(&out),
                 "{\"resource\":\"https://gate/mcp/apps/app\","
                 "\"bearer_methods_supported\":[\"header\"],\"resource_name\":\"app\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_json_rpc_error, teardown),
        cmocka_unit_test_teardown(test_json_rpc_error_with_a_name, teardown),
        cmocka_unit_test_teardown(test_plain_error, teardown),
        cmocka_unit_test_teardown(test_content, teardown),
        cmocka_unit_test_teardown(test_challenge, teardown),
        cmocka_unit_test_teardown(test_metadata, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
