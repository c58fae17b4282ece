#include "conf/stdio_document.h"

#include "tests/unit/conf/documents.h"

#define HEAD "kind: app\nversion: v3\nmetadata: {name: a}\nspec:\n"

static void test_everything(void **state)
{
    const struct app_document *app;

    (void)state;
    read_documents("kind: app\nversion: v1\nmetadata:\n  name: tickets\n  description: Tickets\n"
                   "  labels: {env: prod, 'a.b/c': '1'}\nspec:\n"
                   "  uri: mcp+https://[::1]:8443\n  public_addr: Tickets.Example.COM\n"
                   "  ca: ca.pem\n  rewrite: {headers: ['Host: x', {name: A-B, value: ' c '}]}\n");
    assert_int_equal(documents.documents[0].state, DOCUMENT_GOOD);
    app = &documents.documents[0].app;
    expect_slice(documents.documents[0].name, "tickets");
    expect_slice(app->record.description, "Tickets");
    expect_slice(app->record.public_addr, "tickets.example.com");
    expect_slice(app->ca_file, "/r/ca.pem");
    assert_int_equal(app->record.transport, APP_MCP_HTTP);
    assert_int_equal(app->record.endpoint_count, 1);
    expect_slice(app->record.endpoints[0].host, "::1");
    assert_int_equal(app->record.endpoints[0].port, 8443);
    assert_true(app->record.endpoints[0].tls);
    expect_slice(app->record.endpoints[0].path, "/");
    assert_int_equal(app->record.endpoints[0].address_count, 0);
    assert_int_equal(app->record.header_count, 2);
    expect_slice(app->record.headers[0].value, "x");
    expect_slice(app->record.headers[1].name, "A-B");
    expect_slice(app->record.headers[1].value, "c");
    finish("");
}

static bool bears(const struct app_record *app, const char *name, const char *value)
{
    for (size_t i = 0; i < app->label_count; i++)
        if (slice_is(app->labels[i].name, name))
            return slice_is(app->labels[i].value, value);
    return false;
}

static void test_internal_labels(void **state)
{
    const struct app_record *app;

    (void)state;
    read_documents(HEAD "  uri: mcp+http://a/mcp\n---\n" HEAD
                        "  {uri: http://a, public_addr: a.example}\n");
    app = &documents.documents[0].app.record;
    assert_int_equal(app->label_count, 2);
    assert_true(bears(app, "teleport.internal/app-sub-kind", "mcp"));
    assert_true(bears(app, "gatehouse/app-sub-kind", "mcp"));
    assert_int_equal(documents.documents[1].app.record.label_count, 0);
    assert_int_equal(documents.documents[1].app.record.transport, APP_HTTP);
    finish("");
}

static void refused(const char *spec, const char *text)
{
    char all[1024];

    snprintf(all, sizeof(all), HEAD "  %s\n", spec);
    read_documents(all);
    assert_int_equal(documents.documents[0].state, DOCUMENT_REFUSED);
    assert_int_equal(documents.documents[0].hash.size, 0);
    expect_slice(documents.documents[0].name, "a");
    finish_mention(text);
}

static void test_uris(void **state)
{
    (void)state;
    refused("uri: gopher://a", "f.yaml:5:8: spec.uri: the scheme must be");
    refused("uri: x+http://a", "spec.uri: the scheme must be mcp+http, mcp+https, mcp+sse+http, "
                               "mcp+sse+https, mcp+stdio, http or https");
    refused("uri: tcp://a:22", "spec.uri: this kind of server is not supported");
    refused("uri: mcp+http://a/mcp?b=c", "spec.uri: a query is not supported");
    refused("uri: mcp+http://a/mcp#b", "spec.uri: a fragment");
    refused("uri: mcp+http://u:p@a/mcp", "spec.uri: a user name or password");
    refused("uri: mcp+http://127.1/mcp", "spec.uri: the host is neither");
    refused("public_addr: a.example", "spec.uri: is required");
}

static void test_endpoints(void **state)
{
    const struct app_record *record;

    (void)state;
    read_documents(HEAD "  endpoints: ['mcp+http://a:1/x', {uri: 'mcp+https://b', state: drain}]\n"
                        "  health_check: {type: mcp, interval: 1s, fall: 3}\n");
    record = &documents.documents[0].app.record;
    assert_int_equal(record->transport, APP_MCP_HTTP);
    assert_int_equal(record->endpoint_count, 2);
    expect_slice(record->endpoints[0].host, "a");
    assert_false(record->endpoints[0].draining);
    expect_slice(record->endpoints[1].path, "/");
    assert_true(record->endpoints[1].tls && record->endpoints[1].draining);
    assert_int_equal(record->health.probe, APP_PROBE_MCP);
    assert_int_equal(record->health.interval, 1000);
    assert_int_equal(record->health.timeout, 1000);
    assert_int_equal(record->health.rise, 1);
    assert_int_equal(record->health.fall, 3);
    finish("");
    refused("{uri: mcp+http://a, endpoints: [mcp+http://b]}", "spec.endpoints: goes without `uri`");
    refused("endpoints: []", "spec.endpoints: ");
    refused("endpoints: [mcp+http://a, http://b]", "spec.endpoints[1]: the endpoints of an app");
    refused("endpoints: [mcp+http://a/, mcp+http://a]", "spec.endpoints[1]: is listed twice");
    refused("endpoints: [{uri: mcp+http://a, state: gone}]", "spec.endpoints[0].state: must be");
    refused("endpoints: [[mcp+http://a]]", "spec.endpoints[0]");
}

/* Only what has another endpoint to turn to is probed without a word of it. */
static void test_health_check(void **state)
{
    (void)state;
    read_documents(HEAD "  uri: mcp+http://a\n");
    assert_int_equal(documents.documents[0].app.record.health.probe, APP_PROBE_OFF);
    finish("");
    read_documents(HEAD "  {uri: mcp+http://a, health_check: {}}\n");
    assert_int_equal(documents.documents[0].app.record.health.probe, APP_PROBE_TCP);
    finish("");
    read_documents(HEAD "  endpoints: [mcp+http://a, mcp+http://b]\n");
    assert_int_equal(documents.documents[0].app.record.health.probe, APP_PROBE_TCP);
    assert_int_equal(documents.documents[0].app.record.health.timeout, 2000);
    finish("");
    read_documents(HEAD "  {endpoints: [mcp+http://a, mcp+http://b], health_check: {type: off}}\n");
    assert_int_equal(documents.documents[0].app.record.health.probe, APP_PROBE_OFF);
    finish("");
    refused("{uri: mcp+http://a, health_check: {type: ping}}", "spec.health_check.type: must be");
    refused("{uri: mcp+http://a, health_check: {path: /}}", "spec.health_check.path: goes with");
    refused("{uri: mcp+http://a, health_check: {type: http, path: x}}",
            "spec.health_check.path: must begin with '/'");
    refused("{uri: http://a, public_addr: a.example, health_check: {type: mcp}}",
            "spec.health_check.type: mcp goes with an MCP server");
}

static void test_endpoint_loss(void **state)
{
    (void)state;
    read_documents(HEAD "  uri: mcp+http://a\n");
    assert_false(documents.documents[0].app.record.reinitialize);
    finish("");
    read_documents(HEAD "  {uri: mcp+http://a, on_endpoint_loss: end}\n");
    assert_false(documents.documents[0].app.record.reinitialize);
    finish("");
    read_documents(HEAD "  {endpoints: [mcp+https://a], on_endpoint_loss: reinitialize}\n");
    assert_true(documents.documents[0].app.record.reinitialize);
    finish("");
    refused("{uri: mcp+http://a, on_endpoint_loss: '404'}", "spec.on_endpoint_loss: must be");
    refused("{uri: mcp+sse+http://a, on_endpoint_loss: reinitialize}",
            "spec.on_endpoint_loss: goes with an MCP server of Streamable HTTP");
    refused("{mcp: {command: /x}, on_endpoint_loss: reinitialize}",
            "spec.on_endpoint_loss: goes with");
}

static void test_public_addr(void **state)
{
    (void)state;
    refused("uri: http://a", "spec.public_addr: is required for a web app");
    refused("{uri: http://a, public_addr: https://a.example}",
            "spec.public_addr: must be a host name alone");
    refused("{uri: http://a, public_addr: 'a.example:80'}",
            "spec.public_addr: must be a host name alone");
    refused("{uri: http://a, public_addr: 10.0.0.1}", "spec.public_addr: must be a host name, not");
}

static void test_allowed_methods(void **state)
{
    const struct app_record *record;

    (void)state;
    read_documents(HEAD "  {uri: 'mcp+http://a', mcp: {allowed_methods: [vendor/own, "
                        "notifications/vendor]}}\n");
    record = &documents.documents[0].app.record;
    assert_int_equal(record->method_count, 2);
    expect_slice(record->methods[0], "vendor/own");
    expect_slice(record->methods[1], "notifications/vendor");
    finish("");
    read_documents(HEAD "  {uri: 'mcp+http://a', mcp: {allowed_methods: vendor/own}}\n");
    record = &documents.documents[0].app.record;
    assert_int_equal(record->method_count, 1);
    expect_slice(record->methods[0], "vendor/own");
    finish("");
    refused("{uri: 'mcp+http://a', mcp: {allowed_methods: [vendor/*]}}",
            "spec.mcp.allowed_methods[0]: must be the exact name of a method");
    refused("{uri: 'mcp+http://a', mcp: {allowed_methods: ['a b']}}",
            "spec.mcp.allowed_methods[0]: must be the exact name of a method");
    refused("{uri: 'mcp+http://a', mcp: {allowed_method: a}}", "allowed_methods");
    refused("{uri: http://a, public_addr: a.example, mcp: {allowed_methods: [a]}}",
            "spec.mcp.allowed_methods: goes with an MCP server alone");
}

static void test_names(void **state)
{
    (void)state;
    read_documents("kind: app\nversion: v1\nmetadata: {name: a/b}\nspec: {uri: 'mcp+http://a'}\n");
    expect_slice(documents.documents[0].name, "a/b");
    finish("/r/f.yaml:3:18: metadata.name: must be a DNS label: a to z, 0 to 9 and '-', at most "
           "63\n");
    read_documents("kind: app\nversion: v2\nspec: {uri: 'mcp+http://a'}\n");
    assert_int_equal(documents.documents[0].name.size, 0);
    finish("/r/f.yaml:1:1: metadata: is required\n"
           "/r/f.yaml:2:10: version: must be v1 or v3, found the text \"v2\"\n");
}

static void test_not_yet(void **state)
{
    (void)state;
    refused("{uri: 'mcp+http://a', cors: {}}", "spec.cors: is not supported by this release");
    refused("{uri: 'mcp+http://a', commands: []}", "spec.commands: is not supported");
    refused("{uri: 'mcp+http://a', rewrite: {redirect: [a]}}", "spec.rewrite.redirect: is not");
    refused("{uri: 'mcp+http://a', ca: x, insecure_skip_verify: true}",
            "spec.insecure_skip_verify: makes no sense with a `ca`");
}

static void test_too_large_for_a_record(void **state)
{
    static char text[64 * 1024];
    size_t size = (size_t)sprintf(text, HEAD "  uri: mcp+http://a\n  rewrite:\n    headers:\n");

    (void)state;
    for (int i = 0; i < 10; i++) {
        size += (size_t)sprintf(text + size, "    - 'X-%d: ", i);
        memset(text + size, 'v', 4000);
        size += 4000;
        size += (size_t)sprintf(text + size, "'\n");
    }
    read_documents(text);
    finish_mention("fit in a record; shorten its labels or headers");
}

static void test_a_stdio_server(void **state)
{
    const struct app_document *app;
    const struct stdio_app *stdio;

    (void)state;
    read_documents(HEAD "  mcp:\n    command: /usr/bin/node\n    args: [server.js, '--port', '']\n"
                        "    env: {TOKEN: 'a=b', _E: ''}\n    working_dir: srv\n"
                        "    run_as_host_user: tools\n    scope: user\n"
                        "    limits: {max_servers: 3, open_files: 64, processes: 9, memory: 1GiB,\n"
                        "             cpu_time: 1h}\n---\n" HEAD
                        "  uri: mcp+stdio://a\n  mcp: {command: /bin/x}\n");
    app = &documents.documents[0].app;
    assert_int_equal(documents.documents[0].state, DOCUMENT_GOOD);
    assert_int_equal(app->record.transport, APP_MCP_STDIO);
    assert_int_equal(app->record.endpoint_count, 0);
    assert_true(bears(&app->record, "gatehouse/app-sub-kind", "mcp"));
    stdio = &app->stdio->app;
    assert_true(slice_equal(app->record.revision, stdio->revision));
    expect_slice(stdio->name, "a");
    expect_slice(stdio->command, "/usr/bin/node");
    assert_int_equal(stdio->argument_count, 3);
    expect_slice(stdio->arguments[1], "--port");
    expect_slice(stdio->arguments[2], "");
    assert_int_equal(stdio->variable_count, 2);
    expect_slice(stdio->variables[0].name, "TOKEN");
    expect_slice(stdio->variables[0].value, "a=b");
    expect_slice(stdio->working_dir, "/r/srv");
    expect_slice(stdio->user.name, "tools");
    assert_int_equal(stdio->scope, STDIO_USER);
    assert_int_equal(stdio->max_servers, 3);
    assert_int_equal(stdio->limits.memory, 1 << 30);
    assert_int_equal(stdio->limits.cpu_time, 3600 * 1000);
    assert_int_equal(app->stdio->command.line, 6);
    stdio = &documents.documents[1].app.stdio->app;
    expect_slice(stdio->working_dir, "/");
    assert_int_equal(stdio->scope, STDIO_SESSION);
    assert_int_equal(stdio->max_servers, 0);
    assert_int_equal(stdio->limits.open_files, 1024);
    assert_int_equal(stdio->limits.processes, 0);
    assert_false(slice_equal(documents.documents[0].hash, documents.documents[1].hash));
    finish("");
}

static void test_wrong_stdio_servers(void **state)
{
    char many[STDIO_ARGUMENTS_MAX * 4 + 64] = "mcp: {command: /x, args: [";

    (void)state;
    refused("uri: mcp+stdio://a", "spec.mcp: is required for a stdio server");
    refused("{uri: 'mcp+stdio://a/b', mcp: {command: /x}}", "spec.uri: only a name follows");
    refused("{uri: 'mcp+http://a', mcp: {command: /x}}", "spec.mcp: starts a stdio server, which");
    refused("{public_addr: a.example}", "spec.uri: is required");
    refused("mcp: {}", "spec.uri: is required");
    refused("mcp: {args: [a]}", "spec.mcp.command: is required");
    refused("{uri: 'mcp+http://a', mcp: {env: {A: b}}}", "spec.mcp: starts a stdio server");
    refused("mcp: x", "spec.mcp: must be a mapping");
    refused("mcp: {command: node}", "spec.mcp.command: must be an absolute path");
    refused("mcp: {command: ''}", "spec.mcp.command: must");
    refused("mcp: {command: /x, arg: y}", "did you mean \"args\"?");
    refused("mcp: {command: /x, args: [true]}", "spec.mcp.args[0]: must be a text");
    refused("mcp: {command: /x, env: {A-B: c}}", "spec.mcp.env.A-B: is not the name of a variable");
    refused("mcp: {command: /x, env: {1A: c}}", "spec.mcp.env.1A: is not the name");
    refused("mcp: {command: /x, scope: all}", "spec.mcp.scope: must be session, user or shared");
    refused("mcp: {command: /x, limits: {open_files: 1}}", "spec.mcp.limits.open_files: must be");
    refused("{mcp: {command: /x}, ca: x}", "spec.ca: makes no sense for a stdio server");
    refused("{mcp: {command: /x}, endpoints: ['mcp+http://a']}", "spec.endpoints: makes no sense");
    refused("{mcp: {command: /x}, health_check: {type: tcp}}", "spec.health_check: makes no sense");
    refused("endpoints: ['mcp+stdio://a']", "spec.endpoints[0]: a stdio server is no endpoint");
    refused("{mcp: {command: /x}, rewrite: {headers: ['A: b']}}", "spec.rewrite.headers: makes no");
    for (int i = 0; i <= STDIO_ARGUMENTS_MAX; i++)
        strcat(many, "a, ");
    strcat(many, "b]}");
    refused(many, "spec.mcp.args: ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_stdio_server),
        cmocka_unit_test(test_wrong_stdio_servers),
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_internal_labels),
        cmocka_unit_test(test_uris),
        cmocka_unit_test(test_endpoints),
        cmocka_unit_test(test_health_check),
        cmocka_unit_test(test_endpoint_loss),
        cmocka_unit_test(test_public_addr),
        cmocka_unit_test(test_allowed_methods),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_not_yet),
        cmocka_unit_test(test_too_large_for_a_record),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
