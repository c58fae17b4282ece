/* What a request's head may be, and what each kind of malformed head is answered with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/http_head.h"

#include <stdio.h>

enum { LIMIT = 32 * 1024 };

static struct http_request request;
static const char *reason;

static long parse(const char *text)
{
    return http_request_parse(slice_from(text), LIMIT, &request, &reason);
}

static void assert_slice(struct slice actual, const char *expected)
{
    assert_int_equal(actual.size, strlen(expected));
    assert_memory_equal(actual.data, expected, actual.size);
}

static void test_plain(void **state)
{
    const char *text = "POST /mcp/apps/a?x=1&y HTTP/1.1\r\nHost: gate.example.com:8443\r\n"
                       "Content-Length: 12\r\nAuthorization:  Bearer abc.def \t\r\n\r\nbody";

    (void)state;
    assert_int_equal(parse(text), strlen(text) - 4);
    assert_int_equal(request.method, HTTP_POST);
    assert_slice(request.method_text, "POST");
    assert_slice(request.target, "/mcp/apps/a?x=1&y");
    assert_slice(request.path, "/mcp/apps/a");
    assert_slice(request.query, "x=1&y");
    assert_slice(request.host, "gate.example.com:8443");
    assert_int_equal(request.minor_version, 1);
    assert_int_equal(request.body, HTTP_BODY_LENGTH);
    assert_int_equal(request.content_length, 12);
    assert_true(request.keep_alive);
    assert_false(request.expect_continue);
    assert_int_equal(request.header_count, 3);
    assert_int_equal(request.headers[2].field, HTTP_AUTHORIZATION);
    assert_slice(request.headers[2].name, "Authorization");
    assert_slice(request.headers[2].value, "Bearer abc.def");
}

static void test_every_prefix_is_incomplete(void **state)
{
    const char *text = "\r\nGET / HTTP/1.1\r\nHost: a\r\nX-Long: some value\r\n\r\n";

    (void)state;
    for (size_t size = 0; size < strlen(text); size++)
        assert_int_equal(http_request_parse(slice_make(text, size), LIMIT, &request, &reason), 0);
    assert_int_equal(parse(text), strlen(text));
}

static const struct {
    long status;
    const char *text;
} refusals[] = {
    {400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1234567890123456789\r\n\r\n"},
    {501, "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"},
    {501, "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n"},
    {501, "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n"},
    {501, "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
          "Transfer-Encoding: chunked\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \vchunked\r\n\r\n"},
    {400, "GET / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost:\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: user@a\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a:123456\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: []\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n"},
    {400, "GET / HTTP/1.1\nHost: a\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\n\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost : a\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\nX(: b\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\nMcp-Session-Id: a\r\nmcp-session-id: b\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\nMcp-Method: a\r\nMcp-Method: a\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\nOrigin: a\r\nOrigin: b\r\n\r\n"},
    {400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Type: a\r\nContent-Type: b\r\n\r\n"},
    {417, "GET / HTTP/1.1\r\nHost: a\r\nExpect: 200-maybe\r\n\r\n"},
    {505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"},
    {505, "GET / HTTP/1.2\r\nHost: a\r\n\r\n"},
    {505, "PRI * HTTP/2.0\r\n\r\n"},
    {400, "GET / http/1.1\r\nHost: a\r\n\r\n"},
    {400, "GET / HTTP/1.10\r\nHost: a\r\n\r\n"},
    {400, "GET /\r\n\r\n"},
    {400, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"},
    {400, "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "G@T / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, " GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "GET path HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "GET * HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "GET http:///path HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "GET http://user@a/ HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "GET http://a?q HTTP/1.1\r\nHost: a\r\n\r\n"},
    {400, "GET http://a/ HTTP/1.1\r\n\r\n"},
    {400, "CONNECT /path HTTP/1.1\r\nHost: a\r\n\r\n"},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        long result = parse(refusals[i].text);

        if (result != -refusals[i].status)
            print_error("case %zu: %s\n", i, refusals[i].text);
        assert_int_equal(result, -refusals[i].status);
        assert_true(reason[0] != '\0');
    }
}

static void test_nul_is_refused(void **state)
{
    static const char in_value[] = "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n";
    static const char in_target[] = "GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n";

    (void)state;
    assert_int_equal(
        http_request_parse(slice_make(in_value, sizeof(in_value) - 1), LIMIT, &request, &reason),
        -400);
    assert_int_equal(
        http_request_parse(slice_make(in_target, sizeof(in_target) - 1), LIMIT, &request, &reason),
        -400);
}

static void test_forms_of_target(void **state)
{
    (void)state;
    assert_true(parse("GET HTTP://Other.example:81/p?q HTTP/1.1\r\nHost: a\r\n\r\n") > 0);
    assert_slice(request.target, "/p?q");
    assert_slice(request.path, "/p");
    assert_slice(request.query, "q");
    assert_slice(request.host, "Other.example:81");
    assert_true(parse("GET https://b HTTP/1.1\r\nHost: a\r\n\r\n") > 0);
    assert_slice(request.target, "/");
    assert_slice(request.host, "b");
    assert_true(parse("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n") > 0);
    assert_slice(request.target, "*");
    assert_slice(request.path, "*");
    assert_true(parse("CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n") > 0);
    assert_int_equal(request.method, HTTP_CONNECT);
    assert_true(parse("GET /{a}|^`?x={}\\[] HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n") > 0);
    assert_slice(request.host, "[2001:db8::1]:80");
    assert_true(parse("GET /? HTTP/1.1\r\nHost: a\r\n\r\n") > 0);
    assert_slice(request.path, "/");
    assert_int_equal(request.query.size, 0);
    assert_true(parse("get / HTTP/1.1\r\nHost: a\r\n\r\n") > 0);
    assert_int_equal(request.method, HTTP_METHOD_OTHER);
}

static void test_keep_alive(void **state)
{
    static const struct {
        bool keep_alive;
        const char *text;
    } cases[] = {
        {true, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {false, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n"},
        {false, "GET / HTTP/1.1\r\nHost: a\r\nConnection: x , close\r\n\r\n"},
        {false, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nConnection: keep-alive\r\n\r\n"},
        {false, "GET / HTTP/1.0\r\n\r\n"},
        {true, "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"},
        {false, "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n"},
        {true, "GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_true(parse(cases[i].text) > 0);
        assert_int_equal(request.keep_alive, cases[i].keep_alive);
    }
}

static void test_expect(void **state)
{
    (void)state;
    assert_true(parse("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n"
                      "Transfer-Encoding: Chunked\r\n\r\n") > 0);
    assert_true(request.expect_continue);
    assert_int_equal(request.body, HTTP_BODY_CHUNKED);
    assert_true(parse("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n") > 0);
    assert_false(request.expect_continue);
    assert_int_equal(request.body, HTTP_BODY_NONE);
    assert_true(parse("POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n") > 0);
    assert_false(request.expect_continue);
}

static void test_limits(void **state)
{
    const char *text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    size_t size = strlen(text);
    char many[8192];
    size_t at;
    char *longer;

    (void)state;
    assert_int_equal(http_request_parse(slice_from(text), size, &request, &reason), size);
    assert_int_equal(http_request_parse(slice_from(text), size - 1, &request, &reason), -431);
    assert_int_equal(http_request_parse(slice_make(text, size - 1), size - 1, &request, &reason),
                     -431);

    for (int headers = HTTP_HEADERS_MAX; headers <= HTTP_HEADERS_MAX + 1; headers++) {
        at = (size_t)snprintf(many, sizeof(many), "GET / HTTP/1.1\r\nHost: a\r\n");
        for (int i = 1; i < headers; i++)
            at += (size_t)snprintf(many + at, sizeof(many) - at, "X-%d: y\r\n", i);
        snprintf(many + at, sizeof(many) - at, "\r\n");
        if (headers == HTTP_HEADERS_MAX)
            assert_true(parse(many) > 0);
        else
            assert_int_equal(parse(many), -431);
    }

    longer = test_malloc(HTTP_TARGET_MAX + 100);
    memset(longer, 'a', HTTP_TARGET_MAX + 100);
    memcpy(longer, "GET /", 5);
    assert_int_equal(
        http_request_parse(slice_make(longer, HTTP_TARGET_MAX + 100), LIMIT, &request, &reason),
        -414);
    strcpy(longer + 4 + HTTP_TARGET_MAX, " HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(parse(longer) > 0);
    strcpy(longer + 4 + HTTP_TARGET_MAX, "a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(parse(longer), -414);
    test_free(longer);
}

static int bearer(const char *lines, struct slice *token)
{
    char text[256];
    int status;

    snprintf(text, sizeof(text), "GET / HTTP/1.0\r\n%s\r\n", lines);
    memset(token, 0, sizeof(*token));
    assert_true(parse(text) > 0);
    status = http_bearer(&request, token);
    return status == 1 && !http_is_b64token(*token) ? -400 : status;
}

static void test_bearer(void **state)
{
    struct slice token;

    (void)state;
    assert_int_equal(bearer("Authorization: bEARER  a-._~+/Z9==\r\n", &token), 1);
    /* `text` of bearer is gone: only the size may be looked at. */
    assert_int_equal(token.size, strlen("a-._~+/Z9=="));
    assert_int_equal(bearer("", &token), 0);
    assert_int_equal(bearer("Authorization: Basic YTpi\r\n", &token), 0);
    assert_int_equal(bearer("Authorization: BearerX abc\r\n", &token), 0);
    assert_int_equal(bearer("Authorization: Bearer\r\n", &token), -400);
    assert_int_equal(bearer("Authorization: Bearer a b\r\n", &token), -400);
    assert_int_equal(bearer("Authorization: Bearer a,b\r\n", &token), -400);
    assert_int_equal(bearer("Authorization: Bearer =\r\n", &token), -400);
    assert_int_equal(bearer("Authorization: Bearer a=b\r\n", &token), -400);
    assert_int_equal(bearer("Authorization: Bearer\ta\r\n", &token), -400);
    assert_int_equal(bearer("Authorization: Bearer a\r\nAuthorization: Bearer a\r\n", &token),
                     -400);
    assert_int_equal(bearer("Authorization: Bearer a\r\nAuthorization: Basic a\r\n", &token), -400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),           cmocka_unit_test(test_every_prefix_is_incomplete),
        cmocka_unit_test(test_refusals),        cmocka_unit_test(test_nul_is_refused),
        cmocka_unit_test(test_forms_of_target), cmocka_unit_test(test_keep_alive),
        cmocka_unit_test(test_expect),          cmocka_unit_test(test_limits),
        cmocka_unit_test(test_bearer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
