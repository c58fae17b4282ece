#include "worker/mcp_header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool is(const char *header, const char *text)
{
    struct json_value value;
    const char *reason;

    assert_int_equal(json_parse(slice_from(text), &value, &reason), 0);
    return mcp_header_is(slice_from(header), &value);
}

static void test_compares_values(void **state)
{
    (void)state;
    assert_true(is("echo", "\"echo\""));
    assert_true(is("echo", "\"ec\\u0068o\""));
    assert_true(is("=?base64?ZWNobw==?=", "\"echo\""));
    assert_true(is("=?base64?w7w=?=", "\"\xc3\xbc\""));
    assert_true(is("=?base64?/+8=?=", "\"x\"") == false);
    assert_true(is("=?base64?PT9iYXNlNjQ/YT89?=", "\"=?base64?a?=\""));
    assert_true(is("=?BASE64?ZWNobw==?=", "\"=?BASE64?ZWNobw==?=\""));
}

static void test_refuses_other_spellings(void **state)
{
    static const struct {
        const char *header, *text;
    } cases[] = {
        {"Echo", "\"echo\""},
        {"", "\"echo\""},
        {"echo2", "\"echo\""},
        {"\xc3\xbc", "\"\xc3\xbc\""},         /* must be encoded */
        {"=?base64?ZWNobw?=", "\"echo\""},    /* no padding */
        {"=?base64?ZWNob===?=", "\"echo\""},  /* too much of it */
        {"=?base64?ZWNobx==?=", "\"echo\""},  /* unused bits are set */
        {"=?base64?ZWNo bw==?=", "\"echo\""}, /* white space */
        {"=?base64?_-8=?=", "\"\xc3\xbf\""},  /* base64url */
        {"=?base64?\?=", "\"echo\""},         /* empty */
        {"=?BASE64?ZWNobw==?=", "\"echo\""},  /* not the marker */
        {"=?base64?a?=", "\"=?base64?a?=\""}, /* not itself */
        {"=?base64?=", "\"echo\""},           /* markers that overlap */
        {"echo", "1"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (is(cases[i].header, cases[i].text))
            fail_msg("%s is %s", cases[i].header, cases[i].text);
    }
    assert_true(is("=?base64?\?=", "\"\""));
}

static void test_knows_json(void **state)
{
    static const char *const good[] = {"application/json", "Application/JSON ;charset=UTF-8",
                                       "application/json; charset=\"utf-8\"", "application/json;"};
    static const char *const bad[] = {"",
                                      "text/plain",
                                      "application/jsonx",
                                      "application/json-rpc",
                                      "application/json; charset=utf-16",
                                      "application/json; charset=\"utf-16\"",
                                      "application/json; charset =utf-16",
                                      "application/json;x=y;charset=utf-7",
                                      "text/plain; application/json"};

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++)
        assert_true(mcp_header_is_json(slice_from(good[i])));
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (mcp_header_is_json(slice_from(bad[i])))
            fail_msg("taken: %s", bad[i]);
    }
}

static bool disguised(const char *line)
{
    struct http_request request;
    const char *reason;
    char head[256];
    int size = snprintf(head, sizeof(head), "POST / HTTP/1.1\r\nHost: x\r\n%s: x\r\n\r\n", line);

    assert_true(http_request_parse(slice_make(head, (size_t)size), 1024, &request, &reason) > 0);
    return mcp_header_disguised(&request);
}

static void test_finds_disguises(void **state)
{
    (void)state;
    assert_true(disguised("Mcp_Session_Id"));
    assert_true(disguised("mcp-session_id"));
    assert_true(disguised("CONTENT_TYPE"));
    assert_true(disguised("Mcp_Name"));
    assert_false(disguised("Mcp-Session-Id"));
    assert_false(disguised("X_Request_Id"));
    assert_false(disguised("Mcp_Param_Region"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compares_values),
        cmocka_unit_test(test_refuses_other_spellings),
        cmocka_unit_test(test_knows_json),
        cmocka_unit_test(test_finds_disguises),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
