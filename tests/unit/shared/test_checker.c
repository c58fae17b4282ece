#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "shared/roles.h"
#include "shared/store.h"
#include "tests/unit/shared/role_fixture.h"

static char parent[64], state_dir[80];

static int make(void **state)
{
    struct store_options options = {
        .environment = STORE_SESSIONS, .writable = true, .map_size = 2 * 1024 * 1024};
    char path[128];

    (void)state;
    role_scratch(parent, state_dir);
    snprintf(path, sizeof(path), "%s/sessions", state_dir);
    assert_int_equal(mkdir(state_dir, 0755), 0);
    options.directory = path;
    assert_int_equal(store_create(&options), 0);
    return 0;
}

static int clear(void **state)
{
    (void)state;
    role_scratch_remove(parent, state_dir);
    return 0;
}

static void test_a_sound_environment(void **state)
{
    (void)state;
    role_expect_exit(role_run("checker", STORE_SESSIONS, state_dir), 0);
}

/* Nothing was found out, and nothing is to be moved aside. */
static void test_a_missing_environment_is_not_corrupt(void **state)
{
    (void)state;
    role_expect_exit(role_run("checker", STORE_CONFIG, state_dir), EXIT_FAILURE);
}

/* By exit status or by signal: both are "not sound" to master. */
static void test_damaged_pages(void **state)
{
    char path[128];
    FILE *file;
    long size;

    (void)state;
    snprintf(path, sizeof(path), "%s/sessions/data.mdb", state_dir);
    file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    size = ftell(file);
    assert_int_equal(fseek(file, 8192, SEEK_SET), 0);
    for (long i = 8192; i < size; i++)
        fputc(0xff, file);
    fclose(file);
    assert_int_not_equal(role_run("checker", STORE_SESSIONS, state_dir), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_sound_environment, make, clear),
        cmocka_unit_test_setup_teardown(test_a_missing_environment_is_not_corrupt, make, clear),
        cmocka_unit_test_setup_teardown(test_damaged_pages, make, clear),
    };

    if (argc > 1)
        return checker_main(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
