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
    (void)state;
    role_scratch(parent, state_dir);
    return 0;
}

static int clear(void **state)
{
    (void)state;
    role_scratch_remove(parent, state_dir);
    return 0;
}

static void expect_store(const char *name, enum store_environment environment)
{
    struct store_options options = {.environment = environment, .map_size = 2 * 1024 * 1024};
    struct store *store;
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", state_dir, name);
    options.directory = path;
    assert_int_equal(store_open(&store, &options), 0);
    store_close(store);
}

static void test_makes_both_environments(void **state)
{
    (void)state;
    for (int again = 0; again < 2; again++) {
        role_expect_exit(role_run("creator", STORE_CONFIG, state_dir), 0);
        role_expect_exit(role_run("creator", STORE_SESSIONS, state_dir), 0);
        expect_store("config", STORE_CONFIG);
        expect_store("sessions", STORE_SESSIONS);
    }
}

/* Master makes the directories when it is root, and their modes stay. */
static void test_keeps_a_directory_that_is_there(void **state)
{
    struct stat status;
    char path[128];

    (void)state;
    snprintf(path, sizeof(path), "%s/config", state_dir);
    assert_int_equal(mkdir(state_dir, 0755), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(chmod(path, 02750), 0);
    role_expect_exit(role_run("creator", STORE_CONFIG, state_dir), 0);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 02750);
}

static void test_what_cannot_be_used_is_70(void **state)
{
    char path[128];
    FILE *file;

    (void)state;
    role_expect_exit(role_run("creator", STORE_SESSIONS, state_dir), 0);
    snprintf(path, sizeof(path), "%s/sessions/data.mdb", state_dir);
    file = fopen(path, "r+");
    assert_non_null(file);
    for (int i = 0; i < 8192; i++)
        fputc('x', file);
    fclose(file);
    role_expect_exit(role_run("creator", STORE_SESSIONS, state_dir), EXIT_STORE);
}

static void test_what_cannot_be_made_is_1(void **state)
{
    (void)state;
    role_expect_exit(role_run("creator", 2, state_dir), EXIT_FAILURE);
    role_expect_exit(role_run("creator", -1, state_dir), EXIT_FAILURE);
    role_expect_exit(role_run("creator", STORE_CONFIG, "/proc/none"), EXIT_FAILURE);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_makes_both_environments, make, clear),
        cmocka_unit_test_setup_teardown(test_keeps_a_directory_that_is_there, make, clear),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_used_is_70, make, clear),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_made_is_1, make, clear),
    };

    if (argc > 1)
        return creator_main(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
