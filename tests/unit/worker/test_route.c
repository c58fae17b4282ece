/* Which resource a request names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/route.h"

static struct route route;

static enum route_kind find(const char *host, const char *path, bool admin)
{
    struct http_request request = {.host = slice_from(host), .path = slice_from(path)};

    struct slice more[] = {slice_from("gate.internal"), slice_from("other.internal")};
    struct route_hosts hosts = {
        .own = slice_from("gate.example.com"), .more = more, .more_count = 2};

    route_find(&route, &request, &hosts, admin);
    return route.kind;
}

static void test_paths(void **state)
{
    static const struct {
        const char *path;
        enum route_kind kind;
        const char *app;
    } cases[] = {
        {"/mcp/apps/everything", ROUTE_MCP, "everything"},
        {"/mcp/apps/a-1/", ROUTE_MCP, "a-1"},
        {"/.well-known/oauth-protected-resource/mcp/apps/a", ROUTE_METADATA, "a"},
        {"/.well-known/oauth-protected-resource/mcp/apps/a/", ROUTE_METADATA, "a"},
        {"/mcp/apps/", ROUTE_NONE, ""},
        {"/mcp/apps//", ROUTE_NONE, ""},
        {"/mcp/apps", ROUTE_NONE, ""},
        {"/mcp/apps/a//", ROUTE_NONE, ""},
        {"/mcp/apps/a/b", ROUTE_NONE, ""},
        {"/mcp/apps/A", ROUTE_NONE, ""},
        {"/mcp/apps/%61", ROUTE_NONE, ""},
        {"/mcp/apps/a.b", ROUTE_NONE, ""},
        {"/mcp/apps/..", ROUTE_NONE, ""},
        {"/MCP/apps/a", ROUTE_NONE, ""},
        {"//mcp/apps/a", ROUTE_NONE, ""},
        {"/.well-known/oauth-protected-resource", ROUTE_NONE, ""},
        {"/.well-known/oauth-protected-resource/a", ROUTE_NONE, ""},
        {"/metrics", ROUTE_NONE, ""},
        {"/", ROUTE_NONE, ""},
        {"", ROUTE_NONE, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(find("gate.example.com", cases[i].path, false), cases[i].kind);
        assert_true(slice_is(route.app, cases[i].app));
    }
}

/* The transport of 2024-11-05. */
static void test_old_paths(void **state)
{
    static const struct {
        const char *path;
        enum route_old old;
    } cases[] = {
        {"/mcp/apps/a", ROUTE_OLD_NONE},
        {"/mcp/apps/sse", ROUTE_OLD_NONE},
        {"/mcp/apps/a/sse", ROUTE_OLD_STREAM},
        {"/mcp/apps/sse/sse", ROUTE_OLD_STREAM},
        {"/mcp/apps/a/sse/message", ROUTE_OLD_MESSAGE},
    };
    static const char *const others[] = {"/mcp/apps/a/sse/",
                                         "/mcp/apps/a/sse/sse",
                                         "/mcp/apps/a/sse/answer",
                                         "/mcp/apps/a/message",
                                         "/mcp/apps/a//sse/",
                                         "/mcp/apps/a/b/sse",
                                         "/sse",
                                         "/.well-known/oauth-protected-resource/mcp/apps/a/sse"};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(find("gate.example.com", cases[i].path, false), ROUTE_MCP);
        assert_int_equal(route.old, cases[i].old);
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_int_equal(find("gate.example.com", others[i], false), ROUTE_NONE);
        assert_int_equal(route.old, ROUTE_OLD_NONE);
    }
}

static void test_hosts(void **state)
{
    static const char *const gate[] = {"gate.example.com",
                                       "GATE.Example.com:8443",
                                       "gate.example.com.",
                                       "127.0.0.1:8080",
                                       "[::1]:8080",
                                       "localhost:1",
                                       ""};

    (void)state;
    for (size_t i = 0; i < sizeof(gate) / sizeof(gate[0]); i++)
        assert_int_equal(find(gate[i], "/mcp/apps/a", false), ROUTE_MCP);
    assert_int_equal(find("Grafana.Example.com:8443", "/mcp/apps/a", false), ROUTE_HOST);
    assert_string_equal(route.host, "grafana.example.com");
    assert_int_equal(route.host_size, strlen("grafana.example.com"));
    assert_int_equal(route.app.size, 0);
    assert_int_equal(find("1.2.3.4.example", "/", false), ROUTE_HOST);
}

/* Old clients under an app's own name; elsewhere these are no paths of the gate's. */
static void test_old_paths_of_a_host(void **state)
{
    (void)state;
    assert_int_equal(find("app.example.com", "/sse", false), ROUTE_HOST);
    assert_int_equal(route.old, ROUTE_OLD_STREAM);
    assert_int_equal(find("app.example.com", "/sse/message", false), ROUTE_HOST);
    assert_int_equal(route.old, ROUTE_OLD_MESSAGE);
    assert_int_equal(find("app.example.com", "/a/sse", false), ROUTE_HOST);
    assert_int_equal(route.old, ROUTE_OLD_NONE);
    assert_int_equal(find("app.example.com", "/mcp/apps/a/sse", false), ROUTE_HOST);
    assert_int_equal(route.old, ROUTE_OLD_NONE);
    assert_int_equal(find("gate.example.com", "/sse", false), ROUTE_NONE);
    assert_int_equal(route.old, ROUTE_OLD_NONE);
}

static void test_long_host(void **state)
{
    char host[300];

    (void)state;
    memset(host, 'a', sizeof(host));
    host[254] = '\0';
    assert_int_equal(find(host, "/", false), ROUTE_NONE);
    host[253] = '\0';
    assert_int_equal(find(host, "/", false), ROUTE_HOST);
    assert_int_equal(route.host_size, 253);
}

static void test_admin(void **state)
{
    (void)state;
    assert_int_equal(find("any", "/livez", true), ROUTE_LIVEZ);
    assert_int_equal(find("any", "/readyz", true), ROUTE_READYZ);
    assert_int_equal(find("any", "/metrics", true), ROUTE_METRICS);
    assert_int_equal(find("gate.example.com", "/mcp/apps/a", true), ROUTE_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),     cmocka_unit_test(test_old_paths),
        cmocka_unit_test(test_hosts),     cmocka_unit_test(test_old_paths_of_a_host),
        cmocka_unit_test(test_long_host), cmocka_unit_test(test_admin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
