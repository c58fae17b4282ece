/* The command line of connect, and the entry that a desktop client reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/client_config.h"

#include <errno.h>

#define COUNT(array) (int)(sizeof(array) / sizeof((array)[0]))

static struct connect_options options;
static const char *reason, *about;

static int read_line(int argc, char **argv, bool config)
{
    return connect_options_read(&options, argc, argv, config, &reason, &about);
}

static void entry_is(int argc, char **argv, const char *expected)
{
    struct buffer out = {0};

    assert_int_equal(read_line(argc, argv, true), 0);
    assert_int_equal(client_config_entry(&out, &options, "/bin/gate\"house"), 0);
    assert_int_equal(buffer_append(&out, "", 1), 0);
    assert_string_equal(buffer_data(&out), expected);
    buffer_free(&out);
}

static void test_entries(void **state)
{
    char *claude[] = {"client-config",   "--client",   "claude", "https://gate/mcp/apps/dev",
                      "--token-command", "get \"it\"", "-H",     "X-A: b",
                      "--insecure"};
    char *vscode[] = {"client-config", "https://gate:8443", "--client",
                      "vscode",        "--token-file",      "/run/token"};
    char *named[] = {"client-config", "https://gate/", "--client", "cursor", "--name", "mine"};

    (void)state;
    entry_is(COUNT(claude), claude,
             "{\n  \"mcpServers\": {\n    \"dev\": {\n      \"command\": \"/bin/gate\\\"house\",\n"
             "      \"args\": [\"connect\", \"https://gate/mcp/apps/dev\", \"--token-command\", "
             "\"get \\\"it\\\"\", \"-H\", \"X-A: b\", \"--insecure\"]\n    }\n  }\n}\n");
    entry_is(COUNT(vscode), vscode,
             "{\n  \"servers\": {\n    \"gate\": {\n      \"type\": \"stdio\",\n      \"command\": "
             "\"/bin/gate\\\"house\",\n      \"args\": [\"connect\", \"https://gate:8443\", "
             "\"--token-file\", \"/run/token\"]\n    }\n  }\n}\n");
    entry_is(COUNT(named), named,
             "{\n  \"mcpServers\": {\n    \"mine\": {\n      \"command\": \"/bin/gate\\\"house\",\n"
             "      \"args\": [\"connect\", \"https://gate/\"]\n    }\n  }\n}\n");
}

static void refuse(const char *expected, char *first, char *second, char *third)
{
    char *argv[] = {"connect", first, second, third};
    int argc = first == NULL ? 1 : second == NULL ? 2 : third == NULL ? 3 : 4;

    assert_int_equal(read_line(argc, argv, false), -EINVAL);
    assert_non_null(strstr(reason, expected));
}

static void test_refused(void **state)
{
    char *loopback[] = {"connect", "http://127.0.0.1:1/mcp"};
    char *insecure[] = {"connect", "http://gate/mcp", "--insecure"};

    (void)state;
    assert_int_equal(read_line(COUNT(loopback), loopback, false), 0);
    assert_int_equal(read_line(COUNT(insecure), insecure, false), 0);
    refuse("no URL", NULL, NULL, NULL);
    refuse("one URL", "https://a", "https://b", NULL);
    refuse("plain http", "http://gate", NULL, NULL);
    refuse("begins with https", "mcp+https://gate", NULL, NULL);
    refuse("scheme", "ftp://gate", NULL, NULL);
    refuse("value is missing", "https://a", "--token-file", NULL);
    refuse("no such option", "https://a", "--name", "x");
    refuse("need an https", "http://127.0.0.1", "--ca", "x");
    refuse("go together", "https://a", "--client-key", "x");
    refuse("seen by everyone", "https://a", "-H", "authorization: Bearer x");
    refuse("by hand", "https://a", "-H", "MCP-Protocol-Version: 1");
    refuse("'Name: value'", "https://a", "-H", "X-A b");
    refuse("'Name: value'", "https://a", "-H", "X-A: b\r\nX: y");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
