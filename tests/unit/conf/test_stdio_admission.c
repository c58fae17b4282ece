#include "conf/stdio_admission.h"

#include "tests/unit/conf/expect.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STRANGER = 64009 };

static char directory[64], document_path[96], program[96];
static struct diagnostics diagnostics;
static struct settings settings;

static int make_files(void **state)
{
    int fd;

    (void)state;
    strcpy(directory, "/tmp/gatehouse-admission.XXXXXX");
    if (mkdtemp(directory) == NULL || chmod(directory, 0755) < 0)
        return -1;
    snprintf(document_path, sizeof(document_path), "%s/one.yaml", directory);
    snprintf(program, sizeof(program), "%s/program", directory);
    fd = open(document_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    close(fd);
    fd = open(program, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    close(fd);
    settings = (struct settings){.stdio_users = {{slice_from("tools"), 64003, 64004}},
                                 .stdio_user_count = 1};
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    unlink(document_path);
    unlink(program);
    return rmdir(directory);
}

static struct stdio_authority authority(bool root)
{
    return (struct stdio_authority){.root = root, .self = geteuid(), .settings = &settings};
}

/* NULL: it is admitted. */
static void expect_file(const char *path, bool root, const char *reason)
{
    struct stdio_authority who = authority(root);
    struct place place = {.file = slice_from("f.yaml"), .line = 3, .column = 4};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool admitted = stdio_admit_file(&who, fd, place, &diagnostics);

    close(fd);
    assert_int_equal(admitted, reason == NULL);
    if (reason != NULL)
        expect_mention(&diagnostics, reason);
    diagnostics_free(&diagnostics);
}

static void test_a_file_that_others_can_write_is_refused(void **state)
{
    char link[128];

    (void)state;
    expect_file(document_path, false, NULL);
    assert_int_equal(chmod(document_path, 0664), 0);
    expect_file(document_path, false, "f.yaml:3:4: mcp.command: is in a file that others than");
    assert_int_equal(chmod(document_path, 0646), 0);
    expect_file(document_path, false, "is in a file that others than its owner can write");
    assert_int_equal(chmod(document_path, 0644), 0);
    assert_int_equal(chmod(directory, 0775), 0);
    expect_file(document_path, false, "is in a directory that others can write");
    /* Also by way of a link in a directory that they cannot write. */
    snprintf(link, sizeof(link), "%s.d", directory);
    assert_int_equal(mkdir(link, 0755), 0);
    strcat(link, "/link.yaml");
    assert_int_equal(symlink(document_path, link), 0);
    expect_file(link, false, "is in a directory that others can write");
    assert_int_equal(chmod(directory, 0755), 0);
    expect_file(link, false, NULL);
    unlink(link);
    *strrchr(link, '/') = '\0';
    assert_int_equal(rmdir(link), 0);
    expect_file("/dev/null", false, "is not in a regular file");
}

static void test_as_root_the_file_is_roots(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        expect_file(document_path, true, "is in a file that is not root's");
        return;
    }
    expect_file(document_path, true, NULL);
    assert_int_equal(chown(document_path, STRANGER, 0), 0);
    expect_file(document_path, true, "is in a file that is not root's");
    assert_int_equal(chown(document_path, 0, 0), 0);
    assert_int_equal(chown(directory, STRANGER, 0), 0);
    expect_file(document_path, true, "is in a directory that others can write");
    assert_int_equal(chown(directory, 0, 0), 0);
}

static struct stdio_document document(const char *user)
{
    struct place place = {.file = slice_from("f.yaml"), .line = 1, .column = 1};

    return (struct stdio_document){.app = {.name = slice_from("one"),
                                           .command = slice_from(program),
                                           .working_dir = slice_from("/"),
                                           .user = {.name = slice_from(user)}},
                                   .command = place,
                                   .working_dir = place,
                                   .user = place};
}

static void expect_app(struct stdio_document what, bool root, const char *reason)
{
    struct stdio_authority who = authority(root);
    bool admitted = stdio_admit_app(&who, &what, &diagnostics);

    if (reason != NULL)
        expect_mention(&diagnostics, reason);
    assert_int_equal(admitted, reason == NULL);
    assert_int_equal(diagnostics.errors > 0, reason != NULL);
    diagnostics_free(&diagnostics);
}

static void test_users(void **state)
{
    struct stdio_authority who = authority(true);
    struct stdio_document tools = document("tools");

    (void)state;
    expect_app(document(""), true, "mcp.run_as_host_user: is required");
    expect_app(document("root"), true, "mcp.run_as_host_user: is not one of gate.stdio.users");
    expect_app(document("daemon"), true, "is not one of gate.stdio.users");
    expect_app(document(""), false, NULL);
    expect_app(document("no-such-user"), false, "is another user, which only root can change to");
    expect_app(document("daemon"), false, "is another user, which only root can change to");
    if (geteuid() == 0) {
        assert_true(stdio_admit_app(&who, &tools, &diagnostics));
        assert_int_equal(tools.app.user.uid, 64003);
        assert_int_equal(tools.app.user.gid, 64004);
    }
    settings.stdio_users[0].uid = 0;
    expect_app(document("tools"), true, "is not one of gate.stdio.users");
}

static void test_commands(void **state)
{
    struct stdio_document what = document("");

    (void)state;
    what.app.command = slice_from("/no/such/program");
    expect_app(what, false, "mcp.command: /no/such/program does not exist");
    what.app.command = slice_from("/etc");
    expect_app(what, false, "/etc is not a regular file");
    what.app.command = slice_from("/etc/passwd");
    expect_app(what, false, "/etc/passwd is not executable");
    assert_int_equal(chmod(program, 0775), 0);
    expect_app(document(""), false, "program can be written by others than its owner");
    assert_int_equal(chmod(program, 0755), 0);
    assert_int_equal(chmod(directory, 0777), 0);
    expect_app(document(""), false, "is in a directory that others than its owner can write");
    assert_int_equal(chmod(directory, 0755), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(program, STRANGER, 0), 0);
        expect_app(document("tools"), true, "belongs to a user who is neither root nor the one");
        assert_int_equal(chown(program, 64003, 0), 0);
        expect_app(document("tools"), true, NULL);
    }
}

static void test_working_directories(void **state)
{
    struct stdio_document what = document("");

    (void)state;
    what.app.working_dir = slice_from("/no/such/directory");
    expect_app(what, false, "mcp.working_dir: /no/such/directory does not exist");
    what.app.working_dir = slice_from("/etc/passwd");
    expect_app(what, false, "/etc/passwd is not a directory");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_files, remove_files)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_file_that_others_can_write_is_refused),
        TEST(test_as_root_the_file_is_roots),
        TEST(test_users),
        TEST(test_commands),
        TEST(test_working_directories),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
