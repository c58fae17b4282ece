/* What an upstream's head may be, and how its body is framed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/http_head.h"

static struct http_response response;
static const char *reason;

static long parse(const char *text)
{
    return http_response_parse(slice_from(text), 32 * 1024, &response, &reason);
}

static void test_plain(void **state)
{
    const char *text = "HTTP/1.1 200 All right\r\nContent-Length: 3\r\n"
                       "Content-Type: Text/Event-Stream; charset=utf-8\r\n"
                       "Keep-Alive: max=100, timeout=5\r\n\r\nabc";

    (void)state;
    assert_int_equal(parse(text), strlen(text) - 3);
    assert_int_equal(response.status, 200);
    assert_int_equal(response.reason.size, strlen("All right"));
    assert_int_equal(response.body, HTTP_BODY_LENGTH);
    assert_int_equal(response.content_length, 3);
    assert_true(response.keep_alive);
    assert_true(response.event_stream);
    assert_int_equal(response.keep_alive_timeout, 5);
    assert_int_equal(response.header_count, 3);
    for (size_t size = 0; size < strlen(text) - 3; size++)
        assert_int_equal(http_response_parse(slice_make(text, size), 32 * 1024, &response, &reason),
                         0);
}

static void test_framing(void **state)
{
    static const struct {
        const char *text;
        enum http_body body;
        bool keep_alive;
    } cases[] = {
        {"HTTP/1.1 200\r\nTransfer-Encoding: Chunked\r\n\r\n", HTTP_BODY_CHUNKED, true},
        {"HTTP/1.1 200 OK\r\n\r\n", HTTP_BODY_UNTIL_CLOSE, false},
        {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", HTTP_BODY_LENGTH, false},
        {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", HTTP_BODY_LENGTH,
         true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", HTTP_BODY_LENGTH,
         false},
        {"HTTP/1.1 204 No Content\r\n\r\n", HTTP_BODY_NONE, true},
        {"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", HTTP_BODY_NONE, true},
        {"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n", HTTP_BODY_NONE, false},
        {"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_BODY_NONE, false},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", HTTP_BODY_NONE, true},
        {"HTTP/1.1 100 Continue\r\n\r\n", HTTP_BODY_NONE, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_true(parse(cases[i].text) > 0);
        assert_int_equal(response.body, cases[i].body);
        assert_int_equal(response.keep_alive, cases[i].keep_alive);
    }
}

static void test_refusals(void **state)
{
    static const char *const cases[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1,1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
        "HTTP/1.1 200 OK\nX: a\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX : a\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n",
        "HTTP/1.1 099 X\r\n\r\n",
        "HTTP/1.1 600 X\r\n\r\n",
        "HTTP/1.1 20 X\r\n\r\n",
        "HTTP/1.1 2000\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(parse(cases[i]), -1);
        assert_true(reason[0] != '\0');
    }
    assert_int_equal(
        http_response_parse(slice_from("HTTP/1.1 200 OK\r\nX: abcdef"), 20, &response, &reason),
        -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_framing),
        cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
