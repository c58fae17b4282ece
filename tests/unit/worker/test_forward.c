/* Heads as they cross the gate: compared whole, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/forward.h"

#include <errno.h>
#include <stdio.h>

static struct buffer out;
static struct http_request request;
static struct app_record app;
static struct forward_request forward;

static int setup(void **state)
{
    (void)state;
    memset(&app, 0, sizeof(app));
    app.endpoints[0] = (struct app_endpoint){
        .host = slice_from("up.internal"), .port = 3001, .path = slice_from("/mcp")};
    app.endpoint_count = 1;
    forward = (struct forward_request){.request = &request,
                                       .app = &app,
                                       .endpoint = &app.endpoints[0],
                                       .mcp = true,
                                       .client_address = slice_from("203.0.113.9"),
                                       .client_tls = true};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buffer_free(&out);
    return 0;
}

static void assert_out(const char *expected)
{
    if (buffer_size(&out) != strlen(expected))
        print_error("%.*s\n", (int)buffer_size(&out), buffer_data(&out));
    assert_int_equal(buffer_size(&out), strlen(expected));
    assert_memory_equal(buffer_data(&out), expected, strlen(expected));
}

static void assert_request(const char *text, const char *expected)
{
    const char *reason;

    assert_true(http_request_parse(slice_from(text), 65536, &request, &reason) > 0);
    buffer_clear(&out);
    assert_int_equal(forward_request_head(&out, &forward), 0);
    assert_out(expected);
}

#define PEER                                                                                 \
    "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: gate\r\n" \
    "X-Forwarded-Port: 443\r\nX-Real-Ip: 203.0.113.9\r\n"

static void test_request(void **state)
{
    (void)state;
    forward.has_body = true;
    forward.body_size = 42;
    assert_request("POST /mcp/apps/a?x=1 HTTP/1.1\r\nHost: gate\r\nAccept: a, b\r\n"
                   "Transfer-Encoding: chunked\r\nMcp-Session-Id: s\r\nmcp-weird:\r\n\r\n",
                   "POST /mcp?x=1 HTTP/1.1\r\nHost: up.internal:3001\r\nAccept: a, b\r\n"
                   "Mcp-Session-Id: s\r\nmcp-weird: \r\n" PEER "Content-Length: 42\r\n\r\n");
}

/* A client can neither choose the bridge's path nor speak in our name. */
static void test_bridge(void **state)
{
    (void)state;
    forward.path = slice_from("/sse/message?sessionId=1");
    forward.own = slice_from("Gatehouse-App: a\r\n");
    assert_request("POST /mcp/apps/a?x=1 HTTP/1.1\r\nHost: gate\r\nGatehouse-App: b\r\n"
                   "gatehouse_app: b\r\nGATEHOUSE-OWNER: b\r\n\r\n",
                   "POST /sse/message?sessionId=1 HTTP/1.1\r\nHost: up.internal:3001\r\n" PEER
                   "Gatehouse-App: a\r\n\r\n");
}

static void test_identity(void **state)
{
    static const struct {
        const char *fields;
    } cases[] = {{""}, {"Accept-Encoding: gzip, br\r\n"}, {"ACCEPT_ENCODING: gzip\r\n"}};

    (void)state;
    forward.identity = true;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256];

        snprintf(text, sizeof(text), "GET /mcp/apps/a HTTP/1.1\r\nHost: gate\r\n%s\r\n",
                 cases[i].fields);
        assert_request(text, "GET /mcp HTTP/1.1\r\nHost: up.internal:3001\r\n"
                             "Accept-Encoding: identity\r\n" PEER "\r\n");
    }
    forward.identity = false;
    assert_request("GET /mcp/apps/a HTTP/1.1\r\nHost: gate\r\nAccept-Encoding: br\r\n\r\n",
                   "GET /mcp HTTP/1.1\r\nHost: up.internal:3001\r\nAccept-Encoding: br\r\n" PEER
                   "\r\n");
}

static void test_request_drops(void **state)
{
    (void)state;
    assert_request(
        "GET /mcp/apps/a HTTP/1.1\r\nHost: gate\r\nAuthorization: Bearer secret\r\n"
        "DPoP: x\r\nProxy-Authorization: x\r\nProxy-Anything: x\r\nForwarded: for=x\r\n"
        "Connection: keep-alive, X-Named\r\nX-Named: x\r\nKeep-Alive: timeout=5\r\n"
        "TE: trailers\r\nTrailer: x\r\nUpgrade: websocket\r\nX-Forwarded-For: 1.1.1.1\r\n"
        "X-Real-IP: 1.1.1.1\r\nX_Forwarded_For: 1.1.1.1\r\nX-Forwarded_Host: evil\r\n"
        "x_real_ip: 1.1.1.1\r\nGatehouse-Jwt-Assertion: x\r\ngatehouse_jwt_assertion: x\r\n"
        "proxy_auth: x\r\nExpect: 100-continue\r\nContent-Length: 0\r\nX-Kept: y\r\n"
        "x_kept_too: y\r\n\r\n",
        "GET /mcp HTTP/1.1\r\nHost: up.internal:3001\r\nX-Kept: y\r\nx_kept_too: y\r\n" PEER
        "\r\n");
}

static void test_cookies(void **state)
{
    (void)state;
    forward.mcp = false;
    assert_request("GET /a?b HTTP/1.1\r\nHost: gate\r\nCookie: a=1; __Host-gatehouse-session=s; b=2"
                   "\r\n\r\n",
                   "GET /a?b HTTP/1.1\r\nHost: up.internal:3001\r\nCookie: a=1; b=2\r\n" PEER
                   "\r\n");
    assert_request("GET / HTTP/1.1\r\nHost: gate\r\nCookie: __host-GATEHOUSE=s;__Host-gatehouse_x=y"
                   "\r\nCookie: c=3;d=4\r\n\r\n",
                   "GET / HTTP/1.1\r\nHost: up.internal:3001\r\nCookie: c=3;d=4\r\n" PEER "\r\n");
}

static void test_rules(void **state)
{
    (void)state;
    app.headers[0] = (struct app_header){slice_from("Host"), slice_from("other.internal")};
    app.headers[1] = (struct app_header){slice_from("Authorization"), slice_from("Bearer own")};
    app.headers[2] = (struct app_header){slice_from("X-Team"), slice_from("red")};
    app.headers[3] = (struct app_header){slice_from("X-Bad"), slice_from("a\r\nb: c")};
    app.headers[4] = (struct app_header){slice_from("Transfer-Encoding"), slice_from("chunked")};
    app.header_count = 5;
    assert_request("GET /mcp/apps/a HTTP/1.1\r\nHost: gate\r\nAuthorization: Bearer client\r\n"
                   "x-team: blue\r\nX_Team: green\r\n\r\n",
                   "GET /mcp HTTP/1.1\r\nHost: other.internal\r\n" PEER
                   "Authorization: Bearer own\r\nX-Team: red\r\n\r\n");
    app.headers[0].value = slice_from("a\r\nb: c");
    assert_int_equal(forward_request_head(&out, &forward), -EBADMSG);
}

static void test_host(void **state)
{
    (void)state;
    app.endpoints[0].tls = true;
    app.endpoints[0].port = 443;
    app.endpoints[0].host = slice_from("2001:db8::1");
    forward.client_tls = false;
    assert_request("GET / HTTP/1.1\r\nHost: gate:8080\r\n\r\n",
                   "GET /mcp HTTP/1.1\r\nHost: [2001:db8::1]\r\nX-Forwarded-For: 203.0.113.9\r\n"
                   "X-Forwarded-Proto: http\r\nX-Forwarded-Host: gate:8080\r\n"
                   "X-Forwarded-Port: 8080\r\nX-Real-Ip: 203.0.113.9\r\n\r\n");
}

static void assert_response(const char *text, enum http_body body, bool close, const char *expected)
{
    struct http_response response;
    struct forward_response answer = {.response = &response, .body = body, .close = close};
    const char *reason;

    assert_true(http_response_parse(slice_from(text), 65536, &response, &reason) > 0);
    buffer_clear(&out);
    assert_int_equal(forward_response_head(&out, &answer), 0);
    assert_out(expected);
}

#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"

static void test_response(void **state)
{
    (void)state;
    assert_response("HTTP/1.0 200 Fine\r\n" DATE "Content-Length: 5\r\nConnection: x-hop\r\n"
                    "X-Hop: 1\r\nKeep-Alive: timeout=5\r\nGatehouse-Error-Origin: gateway\r\n"
                    "WWW-Authenticate: Bearer\r\nProxy-Authenticate: Basic\r\nTrailer: x\r\n"
                    "Set-Cookie: __Host-gatehouse-session=x\r\nSet-Cookie: a=b\r\n"
                    "Mcp-Session-Id: s\r\n\r\n",
                    HTTP_BODY_LENGTH, false,
                    "HTTP/1.1 200 Fine\r\n" DATE "Set-Cookie: a=b\r\nMcp-Session-Id: s\r\n"
                    "Content-Length: 5\r\n\r\n");
}

static void test_response_of_the_bridge(void **state)
{
    static const char text[] = "HTTP/1.1 503 Service Unavailable\r\n" DATE
                               "Gatehouse-Error-Origin: gateway\r\nContent-Length: 0\r\n\r\n";
    struct http_response response;
    struct forward_response answer = {
        .response = &response, .body = HTTP_BODY_LENGTH, .bridge = true};
    const char *reason;

    (void)state;
    assert_true(http_response_parse(slice_from(text), 65536, &response, &reason) > 0);
    buffer_clear(&out);
    assert_int_equal(forward_response_head(&out, &answer), 0);
    assert_out(text);
}

static void test_response_stream(void **state)
{
    (void)state;
    assert_response("HTTP/1.1 200\r\n" DATE "Content-Type: text/event-stream\r\n\r\n",
                    HTTP_BODY_CHUNKED, false,
                    "HTTP/1.1 200 OK\r\n" DATE "Content-Type: text/event-stream\r\n"
                    "X-Accel-Buffering: no\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_response("HTTP/1.1 200 OK\r\n" DATE "Content-Type: text/event-stream\r\n"
                    "x-accel-buffering: yes\r\n\r\n",
                    HTTP_BODY_UNTIL_CLOSE, false,
                    "HTTP/1.1 200 OK\r\n" DATE "Content-Type: text/event-stream\r\n"
                    "x-accel-buffering: yes\r\nConnection: close\r\n\r\n");
}

static void test_response_bodiless(void **state)
{
    (void)state;
    assert_response("HTTP/1.1 503 Busy\r\n" DATE "Content-Length: 9\r\n\r\n", HTTP_BODY_NONE, true,
                    "HTTP/1.1 503 Busy\r\n" DATE "Gatehouse-Error-Origin: upstream\r\n"
                    "Content-Length: 9\r\nConnection: close\r\n\r\n");
    assert_response("HTTP/1.1 204 No Content\r\n" DATE "\r\n", HTTP_BODY_NONE, false,
                    "HTTP/1.1 204 No Content\r\n" DATE "\r\n");
}

static void test_response_gets_a_date(void **state)
{
    struct http_response response;
    struct forward_response answer = {.response = &response, .body = HTTP_BODY_NONE};
    const char *reason;

    (void)state;
    assert_true(http_response_parse(slice_from("HTTP/1.1 204 No Content\r\n\r\n"), 65536, &response,
                                    &reason) > 0);
    assert_int_equal(forward_response_head(&out, &answer), 0);
    assert_non_null(memmem(buffer_data(&out), buffer_size(&out), "\r\nDate: ", 8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_request, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bridge, setup, teardown),
        cmocka_unit_test_setup_teardown(test_identity, setup, teardown),
        cmocka_unit_test_setup_teardown(test_request_drops, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cookies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rules, setup, teardown),
        cmocka_unit_test_setup_teardown(test_host, setup, teardown),
        cmocka_unit_test_setup_teardown(test_response, setup, teardown),
        cmocka_unit_test_setup_teardown(test_response_of_the_bridge, setup, teardown),
        cmocka_unit_test_setup_teardown(test_response_stream, setup, teardown),
        cmocka_unit_test_setup_teardown(test_response_bodiless, setup, teardown),
        cmocka_unit_test_setup_teardown(test_response_gets_a_date, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
