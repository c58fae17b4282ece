#include "master/privilege.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct settings users(uint32_t watcher, uint32_t worker)
{
    struct settings settings = {.watcher_user = {slice_from("w"), watcher, watcher},
                                .worker_user = {slice_from("g"), worker, worker}};

    return settings;
}

/* In a child: what is given up must not come back in this program. */
static int drop_in_child(const struct settings_user *user)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        int error = privilege_drop(user);

        if (error == 0 && (getuid() != user->uid || getegid() != user->gid || setuid(0) == 0))
            _exit(99);
        _exit(-error);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_dropping_is_for_good(void **state)
{
    struct settings settings = users(64001, 64002);

    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(drop_in_child(&settings.watcher_user), 0);
}

static void test_dropping_to_root_is_refused(void **state)
{
    struct settings settings = users(0, 64002);
    struct settings_user root_group = {slice_from("g"), 64001, 0};

    (void)state;
    assert_int_equal(drop_in_child(&settings.watcher_user), EPERM);
    assert_int_equal(drop_in_child(&root_group), EPERM);
}

static void test_users_must_separate(void **state)
{
    struct settings good = users(64001, 64002), root = users(64001, 0), half = users(64001, 64002);
    const char *reason = NULL;

    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(privilege_check_users(&good, &reason), 0);
    assert_int_equal(privilege_check_users(&root, &reason), -EPERM);
    half.worker_user.name = slice_from("");
    assert_int_equal(privilege_check_users(&half, &reason), -EPERM);
    good.stdio_users[0] = (struct settings_user){slice_from("s"), 64003, 64003};
    good.stdio_user_count = 1;
    assert_int_equal(privilege_check_users(&good, &reason), 0);
    good.stdio_users[0].uid = 64002;
    assert_int_equal(privilege_check_users(&good, &reason), -EPERM);
}

static void expect_file(int fd, mode_t mode, uid_t uid, gid_t gid, int expected)
{
    struct settings settings = users(64001, 64002);
    const char *reason;

    assert_int_equal(fchown(fd, uid, gid), 0);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(privilege_check_file(fd, &settings, &reason), expected);
}

static void test_files_that_the_service_can_write_are_refused(void **state)
{
    struct settings with_servers = users(64001, 64002);
    int fd = memfd_create("settings", MFD_CLOEXEC);
    const char *reason;

    (void)state;
    if (geteuid() != 0)
        skip();
    with_servers.stdio_users[0] = (struct settings_user){slice_from("s"), 64004, 64004};
    with_servers.stdio_user_count = 1;
    expect_file(fd, 0644, 0, 0, 0);
    expect_file(fd, 0640, 0, 64002, 0);
    expect_file(fd, 0664, 0, 64003, 0);
    expect_file(fd, 0664, 0, 64002, -EPERM);
    expect_file(fd, 0646, 0, 0, -EPERM);
    expect_file(fd, 0400, 64001, 0, -EPERM);
    expect_file(fd, 0600, 64004, 0, 0);
    assert_int_equal(privilege_check_file(fd, &with_servers, &reason), -EPERM);
    close(fd);
}

static void test_only_regular_files_are_taken(void **state)
{
    struct settings settings = {.workers = 1};
    const char *reason;
    int ends[2];

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(privilege_check_file(ends[0], &settings, &reason), -EINVAL);
    assert_string_equal(reason, "is not a regular file");
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dropping_is_for_good),
        cmocka_unit_test(test_dropping_to_root_is_refused),
        cmocka_unit_test(test_users_must_separate),
        cmocka_unit_test(test_files_that_the_service_can_write_are_refused),
        cmocka_unit_test(test_only_regular_files_are_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
