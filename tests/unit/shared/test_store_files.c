#include "shared/store_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <limits.h>

#include "tests/unit/shared/store_fixture.h"

static void expect_mode(const struct store_fixture *fixture, const char *name, mode_t mode)
{
    struct stat status;
    char path[128];

    store_fixture_path(fixture, name, path);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, mode);
}

static void test_modes_do_not_depend_on_the_umask(void **state)
{
    struct store_fixture fixture;
    mode_t before = umask(0077);

    (void)state;
    store_fixture_open(&fixture, STORE_CONFIG);
    umask(0);
    expect_mode(&fixture, "data.mdb", 0640);
    expect_mode(&fixture, "lock.mdb", 0660);
    store_fixture_close(&fixture);
    store_fixture_open(&fixture, STORE_SESSIONS);
    umask(before);
    expect_mode(&fixture, "", 0700);
    expect_mode(&fixture, "data.mdb", 0600);
    expect_mode(&fixture, "lock.mdb", 0660);
    store_fixture_close(&fixture);
}

static void test_a_directory_keeps_its_mode(void **state)
{
    struct store_fixture fixture;

    (void)state;
    store_fixture_make(&fixture, STORE_CONFIG);
    assert_int_equal(store_files_exist(fixture.directory, false), -ENOENT);
    assert_int_equal(store_files_make(fixture.directory, STORE_CONFIG), 0);
    expect_mode(&fixture, "", 0750);
    assert_int_equal(chmod(fixture.directory, 02770), 0);
    assert_int_equal(store_files_make(fixture.directory, STORE_CONFIG), 0);
    expect_mode(&fixture, "", 02770);
    assert_int_equal(store_files_exist(fixture.directory, false), -ENOENT);
    assert_int_equal(store_files_protect(fixture.directory, STORE_CONFIG), -ENOENT);
    store_fixture_close(&fixture);
    assert_int_equal(store_files_make(fixture.directory, STORE_CONFIG), -ENOENT);
}

static void test_files_take_the_group_of_the_directory(void **state)
{
    struct store_fixture fixture;
    struct stat status;
    char path[128];

    (void)state;
    if (geteuid() != 0)
        skip();
    store_fixture_make(&fixture, STORE_CONFIG);
    assert_int_equal(store_files_make(fixture.directory, STORE_CONFIG), 0);
    assert_int_equal(chown(fixture.directory, 0, 4711), 0);
    assert_int_equal(store_create(&fixture.options), 0);
    store_fixture_path(&fixture, "data.mdb", path);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_gid, 4711);
    store_fixture_path(&fixture, "lock.mdb", path);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_gid, 4711);
    store_fixture_close(&fixture);
}

static void test_a_reader_needs_the_lock_file_too(void **state)
{
    struct store_fixture fixture;
    char path[128];

    (void)state;
    store_fixture_make(&fixture, STORE_CONFIG);
    assert_int_equal(store_files_make(fixture.directory, STORE_CONFIG), 0);
    assert_int_equal(store_create(&fixture.options), 0);
    assert_int_equal(store_files_exist(fixture.directory, true), 0);
    store_fixture_path(&fixture, "lock.mdb", path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(store_files_exist(fixture.directory, false), 0);
    assert_int_equal(store_files_exist(fixture.directory, true), -ENOENT);
    store_fixture_close(&fixture);
}

static void test_a_path_that_is_too_long(void **state)
{
    static char path[PATH_MAX];

    (void)state;
    memset(path, 'a', sizeof(path) - 1);
    assert_int_equal(store_files_exist(path, true), -ENAMETOOLONG);
    assert_int_equal(store_files_protect(path, STORE_CONFIG), -ENAMETOOLONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modes_do_not_depend_on_the_umask),
        cmocka_unit_test(test_a_directory_keeps_its_mode),
        cmocka_unit_test(test_files_take_the_group_of_the_directory),
        cmocka_unit_test(test_a_reader_needs_the_lock_file_too),
        cmocka_unit_test(test_a_path_that_is_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
