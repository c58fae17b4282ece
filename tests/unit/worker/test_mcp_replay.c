#include "worker/mcp_replay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

static const char head[] =
    "GET /mcp/apps/a?tenant=7 HTTP/1.1\r\nHost: gate.example.com\r\nAuthorization: Bearer "
    "secret\r\n"
    "Accept: text/event-stream\r\nMCP-Protocol-Version: 2025-06-18\r\nMcp-Session-Id: clients\r\n"
    "Last-Event-ID: 17\r\nMcp-Method: tools/call\r\nMcp-Name: x\r\n"
    "Content-Type: text/plain\r\nContent-Length: 3\r\nX-Tenant: 9\r\nCookie: a=b\r\n\r\n";

static struct app_record app;
static struct http_request room;

static struct mcp_replay example(const char *method, const char *session, const char *body)
{
    app = (struct app_record){.name = slice_from("a"),
                              .transport = APP_MCP_HTTP,
                              .endpoints = {{.host = slice_from("b.example.com"),
                                             .port = 8080,
                                             .path = slice_from("/mcp")}},
                              .endpoint_count = 1};
    return (struct mcp_replay){.head = slice_make(head, sizeof(head) - 1),
                               .app = &app,
                               .endpoint = &app.endpoints[0],
                               .path = true,
                               .client_address = slice_from("203.0.113.9"),
                               .method = method,
                               .session = slice_from(session),
                               .version = slice_from("2025-11-25"),
                               .body = slice_from(body)};
}

static void expect(const struct mcp_replay *replay, const char *text)
{
    struct buffer out = {0};

    assert_int_equal(mcp_replay_append(&out, replay, &room), 0);
    assert_int_equal(buffer_append(&out, "", 1), 0);
    assert_string_equal(buffer_data(&out), text);
    buffer_free(&out);
}

#define PEER                                                      \
    "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: http\r\n" \
    "X-Forwarded-Host: gate.example.com\r\nX-Forwarded-Port: 80\r\nX-Real-Ip: 203.0.113.9\r\n"

static void test_begins_a_session_with_the_head_of_another_request(void **state)
{
    struct mcp_replay replay = example("POST", "", "{}");

    (void)state;
    expect(&replay, "POST /mcp?tenant=7 HTTP/1.1\r\nHost: b.example.com:8080\r\nX-Tenant: 9\r\n"
                    "Cookie: a=b\r\nAccept-Encoding: identity\r\n" PEER
                    "Accept: application/json, text/event-stream\r\n"
                    "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
}

static void test_names_the_session_that_the_server_knows(void **state)
{
    struct mcp_replay replay = example("DELETE", "servers", "");

    (void)state;
    expect(&replay, "DELETE /mcp?tenant=7 HTTP/1.1\r\nHost: b.example.com:8080\r\nX-Tenant: 9\r\n"
                    "Cookie: a=b\r\nAccept-Encoding: identity\r\n" PEER
                    "Accept: application/json, text/event-stream\r\n"
                    "Mcp-Session-Id: servers\r\nMCP-Protocol-Version: 2025-11-25\r\n\r\n");
}

static void test_rules_of_the_app_come_first(void **state)
{
    struct mcp_replay replay = example("POST", "", "{}");

    (void)state;
    app.headers[0] = (struct app_header){slice_from("accept"), slice_from("application/json")};
    app.header_count = 1;
    expect(&replay,
           "POST /mcp?tenant=7 HTTP/1.1\r\nHost: b.example.com:8080\r\nX-Tenant: 9\r\n"
           "Cookie: a=b\r\nAccept-Encoding: identity\r\n" PEER "accept: application/json\r\n"
           "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
}

/* What comes from the store is not trusted to fit into a head. */
static void test_refuses_what_would_break_the_head(void **state)
{
    struct mcp_replay replay = example("POST", "a\r\nX: y", "{}");
    struct buffer out = {0};

    (void)state;
    assert_int_equal(mcp_replay_append(&out, &replay, &room), -EBADMSG);
    replay = example("POST", "a", "{}");
    replay.version = slice_from("2025\r\n");
    assert_int_equal(mcp_replay_append(&out, &replay, &room), -EBADMSG);
    replay = example("POST", "a", "{}");
    replay.head.size -= 2;
    assert_int_equal(mcp_replay_append(&out, &replay, &room), -EBADMSG);
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_begins_a_session_with_the_head_of_another_request),
        cmocka_unit_test(test_names_the_session_that_the_server_knows),
        cmocka_unit_test(test_rules_of_the_app_come_first),
        cmocka_unit_test(test_refuses_what_would_break_the_head),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
