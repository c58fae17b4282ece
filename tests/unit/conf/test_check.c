#include "conf/roles.h"

#include "tests/unit/conf/expect.h"
#include "tests/unit/shared/certificate_example.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SETTINGS                                                                     \
    "version: v1\nkind: gatehouse\ngate:\n  public_addr: https://gate.example.com\n" \
    "  resources_dir: resources.d\n  listen:\n  - address: 127.0.0.1:8080\n"
#define APP "kind: app\nversion: v1\nmetadata: {name: a}\nspec: {uri: 'mcp+http://a'"
#define CONFIG                                                                                 \
    "kind: app_auth_config\nversion: v1\nmetadata: {name: c}\nspec: {app_labels: {'*': '*'}, " \
    "jwt: {issuer: i, audience: a, jwks_url: 'https://i'}}\n"

static char directory[64];
static char said[2][16 * 1024]; /* on standard output, on standard error */

static const char *path_of(const char *name)
{
    static char path[256];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static int set_up(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/gatehouse-test-XXXXXX");
    return mkdtemp(directory) == NULL || mkdir(path_of("resources.d"), 0700) != 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"gatehouse.yaml", "a.crt", "a.key", "resources.d/a.yaml",
                                        "resources.d/b.yaml"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unlink(path_of(names[i]));
    rmdir(path_of("resources.d"));
    return rmdir(directory);
}

/* Runs check with its outputs caught. Its status. */
static int check(void)
{
    int saved[2], files[2], status;

    fflush(stdout);
    for (int i = 0; i < 2; i++) {
        saved[i] = dup(i + 1);
        files[i] = memfd_create("said", 0);
        dup2(files[i], i + 1);
    }
    status = check_main(path_of("gatehouse.yaml"));
    fflush(stdout);
    for (int i = 0; i < 2; i++) {
        ssize_t size = pread(files[i], said[i], sizeof(said[i]) - 1, 0);

        said[i][size < 0 ? 0 : size] = '\0';
        dup2(saved[i], i + 1);
        close(saved[i]);
        close(files[i]);
    }
    return status;
}

static void expect_said(const char *text)
{
    if (strstr(said[1], text) == NULL)
        fail_msg("not said: %s, but: %s", text, said[1]);
}

static void test_ok(void **state)
{
    char expected[512];

    (void)state;
    write_file("gatehouse.yaml", SETTINGS "app_service: {debug_app: true}\n");
    write_file("resources.d/a.yaml", APP "}\n---\n" CONFIG);
    assert_int_equal(check(), 0);
    snprintf(expected, sizeof(expected), "%s: ok: 2 apps, 1 app auth config\n",
             path_of("gatehouse.yaml"));
    assert_string_equal(said[0], expected);
    expect_said("warning: spec.jwt.audience: a token for \"a\" opens more than one app");
}

static void test_errors_of_all_files(void **state)
{
    (void)state;
    write_file("gatehouse.yaml",
               SETTINGS "app_service:\n  apps: [{name: a, uri: 'mcp+http://a'}]\n");
    write_file("resources.d/a.yaml", "kind: app\n bad: [\n");
    write_file("resources.d/b.yaml", APP ", ca: missing.pem}\n");
    assert_int_equal(check(), 78);
    assert_string_equal(said[0], "");
    expect_said("/resources.d/a.yaml:2:");
    expect_said("/resources.d/b.yaml:1:1: name: \"a\" is taken already at ");
    expect_said("/gatehouse.yaml:9:");
    expect_said("/resources.d/b.yaml:1:1: ca: ");
    expect_said("/resources.d/missing.pem cannot be read: No such file or directory");
}

static void test_certificates(void **state)
{
    (void)state;
    write_file("gatehouse.yaml",
               SETTINGS "  - {address: 127.0.0.1:443, tls: {certificates: [{certificate: a.crt, "
                        "key: a.key}]}}\n");
    write_file("a.crt", "x");
    assert_int_equal(check(), 78);
    expect_said("/gatehouse.yaml:8:77: key: ");
    expect_said("/a.key cannot be read: No such file or directory\n");
    write_file("a.key", EXAMPLE_KEY);
    assert_int_equal(check(), 78);
    expect_said("/gatehouse.yaml:8:65: certificate: ");
    expect_said("/a.crt holds no certificate in PEM form\n");
    write_file("a.crt", EXAMPLE_CERTIFICATE);
    assert_int_equal(check(), 0);
    write_file("a.key", EXAMPLE_OTHER_KEY);
    assert_int_equal(check(), 78);
    expect_said("/a.key is not the key of the certificate\n");
    write_file("a.crt", EXAMPLE_EXPIRED);
    write_file("a.key", EXAMPLE_KEY);
    assert_int_equal(check(), 0);
    expect_said(": warning: certificate: ");
    expect_said("/a.crt has expired\n");
}

static void test_unreadable(void **state)
{
    (void)state;
    assert_int_equal(check(), 78);
    expect_said("/gatehouse.yaml: cannot be read: No such file or directory\n");
    write_file("gatehouse.yaml", "version: v1\nkind: gatehouse\ngate:\n  public_addr: "
                                 "https://g.example\n  listen: [{address: 127.0.0.1:1}]\n"
                                 "  resources_dir: nowhere\n");
    assert_int_equal(check(), 78);
    expect_said("/nowhere: the directory cannot be read: No such file or directory\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ok, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_errors_of_all_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_certificates, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unreadable, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
