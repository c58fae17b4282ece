#include "conf/document.h"

#include "tests/unit/conf/expect.h"

#define MINIMAL                                                                      \
    "version: v1\nkind: gatehouse\ngate:\n  public_addr: https://gate.example.com\n" \
    "  listen: [{address: 127.0.0.1:8080}]\n"

/* As it stands in the proposal, word for word. */
#define APP_SERVICE              \
    "app_service:\n"             \
    "  enabled: true\n"          \
    "  debug_app: true\n"        \
    "  apps:\n"                  \
    "  - name: mcp-everything\n" \
    "    uri: mcp+http://localhost:3001/mcp\n"

static struct settings settings;
static struct document_list apps;
static struct diagnostics diagnostics;
static bool good;

static void read_users(const char *text, bool resolve_users)
{
    apps = (struct document_list){0};
    diagnostics = (struct diagnostics){0};
    good = settings_document_read(slice_from(text), slice_from("/etc/g/g.yaml"), resolve_users,
                                  &settings, &apps, &diagnostics);
}

static void read_text(const char *text)
{
    read_users(text, false);
}

static void finish(const char *text)
{
    expect_diagnostics(&diagnostics, text);
    document_list_free(&apps);
}

static void test_minimal_and_defaults(void **state)
{
    (void)state;
    read_text(MINIMAL);
    assert_true(good);
    expect_slice(settings.path, "/etc/g/g.yaml");
    expect_slice(settings.public_addr, "https://gate.example.com");
    expect_slice(settings.public_host, "gate.example.com");
    assert_int_equal(settings.listener_count, 1);
    assert_true(settings.workers >= 1 && settings.workers <= SETTINGS_WORKERS_MAX);
    expect_slice(settings.state_dir, "/var/lib/gatehouse");
    assert_int_equal(settings.resources_dir.size, 0);
    assert_int_equal(settings.watcher_user.name.size, 0);
    expect_slice(settings.log_output, "stderr");
    assert_int_equal(settings.log_format, LOG_TEXT);
    assert_int_equal(settings.log_level, LOG_INFO);
    assert_int_equal(settings.audit.output.size, 0);
    assert_int_equal(settings.config_map_size, 1 << 30);
    assert_int_equal(settings.session_map_size, 1 << 30);
    assert_true(settings.session_cache);
    assert_true(settings.app_service && !settings.debug_app);
    assert_int_equal(apps.count, 0);
    finish("");
}

static void test_default_limits(void **state)
{
    const struct settings_limits expected = {
        .connections = 20000,
        .head_size = 16384,
        .head_timeout = 10000,
        .body_size = 10485760,
        .body_timeout = 30000,
        .body_memory = 268435456,
        .event_size = 10485760,
        .idle_timeout = 75000,
        .write_timeout = 60000,
        .tls_timeout = 10000,
        .connect_timeout = 5000,
        .response_timeout = 60000,
        .upstream_idle = 4000,
        .upstream_pool = 64,
        .stream_keepalive = 15000,
        .stream_grace = 0,
        .drain_timeout = 30000,
        .watchdog = 10000,
        .key_wait = 2000,
        .key_fetch_timeout = 5000,
        .key_set_size = 1048576,
        .max_stale = 86400000,
        .sessions_per_user = 1000,
        .mcp_session_idle = 1800000,
        .mcp_task_ttl = 86400000,
        .reinitialize_timeout = 10000,
    };

    (void)state;
    read_text(MINIMAL);
    assert_memory_equal(&settings.limits, &expected, sizeof(expected));
    finish("");
}

static void test_everything(void **state)
{
    (void)state;
    read_text("version: v1\nkind: gatehouse\ngate:\n  public_addr: HTTPS://Gate.Example.com:443/\n"
              "  listen:\n  - address: 0.0.0.0:443\n    tls:\n      certificates:\n"
              "      - {certificate: tls/a.crt, key: /tls/a.key}\n"
              "  admin_listen: 127.0.0.1:9090\n  workers: 3\n  state_dir: state\n"
              "  resources_dir: resources.d\n"
              "  log: {output: logs/gate.log, format: json, level: warning}\n"
              "  audit: {output: logs/audit, arguments: true, on_failure: refuse}\n"
              "  store: {config_map_size: 64MiB, session_map_size: 2GiB}\n"
              "  limits: {drain_timeout: 5s, max_sessions_per_user: 7, stream_keepalive: 0}\n");
    assert_true(good);
    expect_slice(settings.public_addr, "https://gate.example.com");
    assert_int_equal(settings.listener_count, 2);
    expect_slice(settings.certificates[0].certificate, "/etc/g/tls/a.crt");
    expect_slice(settings.certificates[0].key, "/tls/a.key");
    assert_int_equal(settings.workers, 3);
    expect_slice(settings.state_dir, "/etc/g/state");
    expect_slice(settings.resources_dir, "/etc/g/resources.d");
    expect_slice(settings.log_output, "/etc/g/logs/gate.log");
    assert_int_equal(settings.log_format, LOG_JSON);
    assert_int_equal(settings.log_level, LOG_WARNING);
    expect_slice(settings.audit.output, "/etc/g/logs/audit");
    assert_true(settings.audit.arguments && settings.audit.refuse);
    assert_int_equal(settings.audit.refusals, 100);
    assert_int_equal(settings.config_map_size, 64 << 20);
    assert_int_equal(settings.session_map_size, UINT64_C(2) << 30);
    assert_int_equal(settings.limits.drain_timeout, 5000);
    assert_int_equal(settings.limits.sessions_per_user, 7);
    assert_int_equal(settings.limits.stream_keepalive, 0);
    finish("");
}

/* What is read can be sent: the reader's own way. */
static void test_settings_survive_the_message(void **state)
{
    struct buffer message = {0};
    struct arena arena = {0};
    struct settings decoded;

    (void)state;
    read_text(MINIMAL APP_SERVICE);
    assert_int_equal(settings_encode(&settings, &message), 0);
    assert_int_equal(settings_decode(buffer_slice(&message), &arena, &decoded), 0);
    assert_true(slice_equal(decoded.public_addr, settings.public_addr));
    assert_true(decoded.debug_app);
    buffer_free(&message);
    arena_free(&arena);
    finish("");
}

static void test_app_service_snippet(void **state)
{
    const struct app_record *app;

    (void)state;
    read_text(MINIMAL APP_SERVICE);
    assert_true(good && settings.debug_app);
    assert_int_equal(apps.count, 2);
    app = &apps.documents[0].app.record;
    expect_slice(app->name, "mcp-everything");
    assert_int_equal(app->transport, APP_MCP_HTTP);
    expect_slice(app->endpoints[0].host, "localhost");
    assert_int_equal(app->endpoints[0].port, 3001);
    expect_slice(app->endpoints[0].path, "/mcp");
    assert_int_equal(apps.documents[0].place.line, 10);
    app = &apps.documents[1].app.record;
    expect_slice(app->name, "debug");
    assert_int_equal(app->transport, APP_DEBUG);
    expect_slice(app->public_addr, "debug.gate.example.com");
    assert_int_equal(app->endpoint_count, 0);
    finish("");
}

static void test_disabled_service_publishes_nothing(void **state)
{
    (void)state;
    read_text(MINIMAL "app_service: {enabled: false, debug_app: true, apps: [{name: a, uri: "
                      "'mcp+http://a'}]}\n");
    assert_true(good && !settings.app_service);
    assert_int_equal(apps.count, 0);
    finish("");
    read_text(MINIMAL "app_service: {enabled: false, apps: [{name: A, uri: 'mcp+http://a'}]}\n");
    assert_false(good);
    finish("/etc/g/g.yaml:6:45: app_service.apps[0].name: must be a DNS label: a to z, 0 to 9 and "
           "'-', at most 63\n");
}

static const char *public_addr(const char *addr, const char *listener)
{
    static char text[512];

    snprintf(text, sizeof(text),
             "version: v1\nkind: gatehouse\ngate:\n  public_addr: %s\n  listen: [{address: %s}]\n",
             addr, listener);
    return text;
}

static void accepted(const char *addr, const char *listener, const char *canonical,
                     const char *host)
{
    read_text(public_addr(addr, listener));
    expect_slice(settings.public_addr, canonical);
    expect_slice(settings.public_host, host);
    finish("");
}

static void refused(const char *addr, const char *reason)
{
    read_text(public_addr(addr, "127.0.0.1:1"));
    assert_false(good);
    expect_mention(&diagnostics, reason);
    expect_mention(&diagnostics, "g.yaml:4:16: gate.public_addr: ");
    diagnostics_free(&diagnostics);
    document_list_free(&apps);
}

static void test_public_addr(void **state)
{
    (void)state;
    accepted("http://127.0.0.1:8080", "127.0.0.1:8080", "http://127.0.0.1:8080", "127.0.0.1");
    accepted("http://localhost:80/", "127.0.0.1:80", "http://localhost", "localhost");
    accepted("'https://[2001:DB8::1]:8443'", "127.0.0.1:80", "https://[2001:db8::1]:8443",
             "2001:db8::1");
    accepted("http://gate.example.com", "0.0.0.0:80, insecure: true", "http://gate.example.com",
             "gate.example.com");
    refused("http://gate.example.com", "must begin with https://; http is for a loopback host");
    refused("gate.example.com", "it must begin with a scheme");
    refused("mcp+https://gate.example.com", "must begin with https://");
    refused("https://gate.example.com/base", "must have no path");
    refused("https://gate.example.com/?a", "must have no query");
    refused("https://gate.example.com#a", "fragment");
    refused("https://u@gate.example.com", "user name");
}

static void test_every_error_in_one_run(void **state)
{
    (void)state;
    read_text("version: v2\nkind: gatehose\ngate:\n  public_adr: https://gate.example.com\n"
              "  workers: 65\n  drain_timeout: 5s\n  limits: {head_size: 1MiB, body_size: 512MiB}\n"
              "  users: {watcher: a}\napp_service:\n  mcp_demo_server: true\n  apps:\n"
              "  - uri: tcp://x:1\n");
    assert_false(good);
    assert_int_equal(settings.workers, 0);
    finish("/etc/g/g.yaml:1:10: version: must be v1, found the text \"v2\"\n"
           "/etc/g/g.yaml:2:7: kind: must be gatehouse, found the text \"gatehose\"; did you mean "
           "\"gatehouse\"?\n"
           "/etc/g/g.yaml:4:3: gate.listen: is required; such as listen: [{address: "
           "127.0.0.1:8080}]\n"
           "/etc/g/g.yaml:4:3: gate.public_addr: is required; such as https://gate.example.com\n"
           "/etc/g/g.yaml:4:3: gate.public_adr: unknown key; did you mean \"public_addr\"?\n"
           "/etc/g/g.yaml:5:12: gate.workers: must be auto or a number from 1 to 64\n"
           "/etc/g/g.yaml:6:3: gate.drain_timeout: unknown key; it belongs under gate.limits\n"
           "/etc/g/g.yaml:7:23: gate.limits.head_size: must be from 4KiB to 256KiB, found 1MiB\n"
           "/etc/g/g.yaml:7:40: gate.limits.body_memory: must not be smaller than "
           "gate.limits.body_size; make it several times as large\n"
           "/etc/g/g.yaml:8:10: gate.users.worker: is required\n"
           "/etc/g/g.yaml:10:20: app_service.mcp_demo_server: is not supported by this release; "
           "run gatehouse demo-server, and name it in apps\n"
           "/etc/g/g.yaml:12:5: app_service.apps[0].name: is required\n"
           "/etc/g/g.yaml:12:10: app_service.apps[0].uri: this kind of server is not supported by "
           "this release; use mcp+http:// or mcp+https://, or put a bridge before it\n");
}

static void test_users(void **state)
{
    (void)state;
    read_users(MINIMAL "  users: {watcher: nobody, worker: daemon}\n", true);
    assert_true(good);
    expect_slice(settings.worker_user.name, "daemon");
    assert_int_not_equal(settings.worker_user.uid, 0);
    assert_int_not_equal(settings.watcher_user.gid, 0);
    finish("");
    read_users(MINIMAL "  users: {watcher: no-such-user, worker: root}\n", true);
    finish("/etc/g/g.yaml:6:20: gate.users.watcher: there is no user \"no-such-user\" on this "
           "machine; make it with useradd --system\n"
           "/etc/g/g.yaml:6:42: gate.users.worker: the service must not run as root; a system user "
           "without a shell is right\n");
    read_users(MINIMAL "  users: {watcher: daemon, worker: daemon}\n", true);
    assert_true(good);
    finish("/etc/g/g.yaml:6:36: warning: gate.users.worker: a worker that is taken over can then "
           "write the configuration; give the watcher a user of its own\n");
    read_users(MINIMAL "  users: {watcher: no-such-user, worker: root}\n", false);
    assert_int_equal(settings.worker_user.name.size, 0);
    finish("");
}

static void test_stdio(void **state)
{
    (void)state;
    read_users(MINIMAL "  stdio: {users: [nobody, daemon], max_servers: 9, stop_timeout: 0s}\n",
               true);
    assert_true(good);
    assert_int_equal(settings.stdio_user_count, 2);
    expect_slice(settings.stdio_users[1].name, "daemon");
    assert_int_not_equal(settings.stdio_users[1].uid, 0);
    assert_int_equal(settings.stdio.max_servers, 9);
    assert_int_equal(settings.stdio.stop_timeout, 0);
    assert_int_equal(settings.stdio.kill_timeout, 2000);
    finish("");
    read_users(MINIMAL "  stdio: {users: nobody}\n", false); /* unprivileged: not looked up */
    assert_int_equal(settings.stdio_user_count, 0);
    finish("");
    read_users(MINIMAL "  users: {watcher: nobody, worker: daemon, bridge: bin}\n"
                       "  stdio: {users: [root, no-such-user, bin]}\n",
               true);
    finish("/etc/g/g.yaml:7:19: gate.stdio.users: the service must not run as root; a system user "
           "without a shell is right\n"
           "/etc/g/g.yaml:7:25: gate.stdio.users: there is no user \"no-such-user\" on this "
           "machine; make it with useradd --system\n"
           "/etc/g/g.yaml:7:39: gate.stdio.users: \"bin\" is one of gate.users; give stdio servers "
           "their own\n");
    read_users(MINIMAL "  users: {watcher: nobody, worker: daemon}\n", true);
    expect_slice(settings.bridge_user.name, "daemon");
    finish("");
}

static void test_one_document(void **state)
{
    (void)state;
    read_text(MINIMAL "---\nkind: app\n");
    finish("/etc/g/g.yaml:7:1: the settings are one document; other documents go into "
           "gate.resources_dir\n");
    read_text("# nothing\n");
    assert_false(good);
    finish("/etc/g/g.yaml: the file is empty; gatehouse.yaml holds version, kind, gate and "
           "app_service\n");
    read_text("- a\n");
    assert_false(good);
    finish("/etc/g/g.yaml:1:1: must be a mapping, found a list\n");
    read_text(MINIMAL "  workers: 1\n  workers: 2\n");
    assert_false(good);
    finish("/etc/g/g.yaml:7:3: workers: the key stands twice: on line 6 and on line 7; keep one of "
           "the two\n");
}

/* Settings without their section have no defaults either; to copy such an empty path was undefined
 * behaviour. */
static void test_a_section_that_is_none(void **state)
{
    (void)state;
    read_text("version: v1\nkind: gatehouse\ngate:\n- a\n");
    assert_false(good);
    assert_int_equal(0, settings.log_output.size);
    assert_int_equal(0, settings.audit.output.size);
    finish("/etc/g/g.yaml:4:1: gate: must be a mapping, found a list\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_minimal_and_defaults),
        cmocka_unit_test(test_default_limits),
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_settings_survive_the_message),
        cmocka_unit_test(test_app_service_snippet),
        cmocka_unit_test(test_disabled_service_publishes_nothing),
        cmocka_unit_test(test_public_addr),
        cmocka_unit_test(test_every_error_in_one_run),
        cmocka_unit_test(test_users),
        cmocka_unit_test(test_stdio),
        cmocka_unit_test(test_one_document),
        cmocka_unit_test(test_a_section_that_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
