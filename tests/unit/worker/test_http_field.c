/* Character classes against their definitions; names; lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/http_field.h"

#include <ctype.h>

static bool is_one_of(int c, const char *set)
{
    return c != 0 && c < 128 && strchr(set, c) != NULL;
}

static void test_classes(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        bool alnum = c < 128 && isalnum(c);
        bool visible = c >= 0x21 && c <= 0x7e;
        unsigned expected = 0;

        if (alnum || is_one_of(c, "!#$%&'*+-.^_`|~"))
            expected |= HTTP_CHAR_TOKEN;
        if (visible || c == ' ' || c == '\t' || c >= 0x80)
            expected |= HTTP_CHAR_VALUE;
        if (visible && !is_one_of(c, "#\"<>"))
            expected |= HTTP_CHAR_QUERY;
        if (visible && !is_one_of(c, "#\"<>\\?"))
            expected |= HTTP_CHAR_PATH;
        if (alnum || is_one_of(c, "-._~"))
            expected |= HTTP_CHAR_HOST;
        if (alnum || is_one_of(c, "-._~+/"))
            expected |= HTTP_CHAR_B64;
        if (c < 128 && isdigit(c))
            expected |= HTTP_CHAR_DIGIT;
        if (c < 128 && isxdigit(c))
            expected |= HTTP_CHAR_HEX;
        assert_int_equal(http_char_classes[c], expected);
    }
}

static void test_names(void **state)
{
    static const struct {
        const char *name;
        enum http_field field;
    } cases[] = {
        {"accept", HTTP_ACCEPT},
        {"Authorization", HTTP_AUTHORIZATION},
        {"CONNECTION", HTTP_CONNECTION},
        {"Accept-Encoding", HTTP_ACCEPT_ENCODING},
        {"content-encoding", HTTP_CONTENT_ENCODING},
        {"Content-Length", HTTP_CONTENT_LENGTH},
        {"Content-Type", HTTP_CONTENT_TYPE},
        {"cookie", HTTP_COOKIE},
        {"Date", HTTP_DATE},
        {"DPoP", HTTP_DPOP},
        {"Expect", HTTP_EXPECT},
        {"Forwarded", HTTP_FORWARDED},
        {"Gatehouse-Jwt-Assertion", HTTP_GATEHOUSE},
        {"host", HTTP_HOST},
        {"Keep-Alive", HTTP_KEEP_ALIVE},
        {"Last-Event-ID", HTTP_LAST_EVENT_ID},
        {"Location", HTTP_LOCATION},
        {"Mcp-Method", HTTP_MCP_METHOD},
        {"Mcp-Name", HTTP_MCP_NAME},
        {"MCP-Protocol-Version", HTTP_MCP_PROTOCOL_VERSION},
        {"Mcp-Session-Id", HTTP_MCP_SESSION_ID},
        {"Origin", HTTP_ORIGIN},
        {"Proxy-Authenticate", HTTP_PROXY_AUTHENTICATE},
        {"Proxy-Authorization", HTTP_PROXY_AUTHORIZATION},
        {"Proxy-Connection", HTTP_PROXY_CONNECTION},
        {"Retry-After", HTTP_RETRY_AFTER},
        {"Server", HTTP_SERVER},
        {"Set-Cookie", HTTP_SET_COOKIE},
        {"TE", HTTP_TE},
        {"Trailer", HTTP_TRAILER},
        {"Transfer-Encoding", HTTP_TRANSFER_ENCODING},
        {"Upgrade", HTTP_UPGRADE},
        {"WWW-Authenticate", HTTP_WWW_AUTHENTICATE},
        {"X-Forwarded-Whatever", HTTP_X_FORWARDED},
        {"X-Real-IP", HTTP_X_FORWARDED},
        {"Content_Length", HTTP_OTHER},
        {"Hos", HTTP_OTHER},
        {"Hosts", HTTP_OTHER},
        {"gatehouse", HTTP_OTHER},
        {"a", HTTP_OTHER},
        {"Some-Name-That-Is-Longer-Than-Any-Known", HTTP_OTHER},
    };
    uint64_t seen = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(http_field_of(slice_from(cases[i].name)), cases[i].field);
        seen |= http_field_bit(cases[i].field);
    }
    /* No known field was forgotten here. */
    assert_int_equal(seen, (UINT64_C(1) << HTTP_FIELDS) - 1);
}

static void test_connection_names(void **state)
{
    struct http_header headers[] = {
        {HTTP_CONNECTION, slice_from("Connection"), slice_from("close, ,\tX-Private")},
        {HTTP_OTHER, slice_from("X-Private"), slice_from("other")},
        {HTTP_CONNECTION, slice_from("Connection"), slice_from("second")},
    };

    (void)state;
    assert_true(http_connection_names(headers, 3, slice_from("x-private")));
    assert_true(http_connection_names(headers, 3, slice_from("Second")));
    assert_false(http_connection_names(headers, 3, slice_from("other")));
    assert_false(http_connection_names(headers, 3, slice_from("x")));
    assert_false(http_connection_names(headers, 3, slice_from("")));
    assert_ptr_equal(http_find(headers, 3, HTTP_CONNECTION), &headers[0]);
    assert_null(http_find(headers, 3, HTTP_HOST));
}

static void test_sendable(void **state)
{
    (void)state;
    assert_true(http_is_token(slice_from("X-Api-Key")));
    assert_false(http_is_token(slice_from("")));
    assert_false(http_is_token(slice_from("X Api")));
    assert_false(http_is_token(slice_from("X:")));
    assert_true(http_is_field_value(slice_from("")));
    assert_true(http_is_field_value(slice_from("a b\tc")));
    assert_false(http_is_field_value(slice_from(" a")));
    assert_false(http_is_field_value(slice_from("a\t")));
    assert_false(http_is_field_value(slice_from("a\r\nb")));
    assert_false(http_is_field_value(slice_make("a\0b", 3)));
}

/* Values are read in blocks: every byte, at every place of a block and behind it. */
static void test_every_byte_of_a_value(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        for (size_t at = 1; at < 38; at++) {
            char text[40];

            memset(text, 'a', sizeof(text));
            text[at] = (char)byte;
            assert_int_equal(http_is_field_value(slice_make(text, sizeof(text))),
                             http_char_is((char)byte, HTTP_CHAR_VALUE));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),          cmocka_unit_test(test_names),
        cmocka_unit_test(test_connection_names), cmocka_unit_test(test_every_byte_of_a_value),
        cmocka_unit_test(test_sendable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
