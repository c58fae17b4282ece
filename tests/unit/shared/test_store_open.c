#include "shared/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>

#include "shared/generation_record.h"
#include "tests/unit/shared/store_fixture.h"

static void test_creating_again_changes_nothing(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_key key;
    struct slice value;
    uint64_t first, second;

    generation_record_key(&key);
    assert_int_equal(store_get(fixture->store, STORE_META, &key, &value), 0);
    assert_int_equal(generation_record_decode(value, &first), 0);
    assert_true(first > 1700000000000);
    assert_int_equal(store_fixture_put(fixture->store, STORE_APPS, "a", slice_from("x")), 0);
    store_close(fixture->store);
    fixture->store = NULL;
    assert_int_equal(store_create(&fixture->options), 0);
    assert_int_equal(store_open(&fixture->store, &fixture->options), 0);
    store_fixture_expect(fixture->store, "a", slice_from("x"));
    assert_int_equal(store_get(fixture->store, STORE_META, &key, &value), 0);
    assert_int_equal(generation_record_decode(value, &second), 0);
    assert_int_equal(first, second);
}

/* As an earlier program made it, which knew nothing of tasks. */
static void test_adds_what_came_late(void **state)
{
    struct store_fixture fixture;
    struct store_options reader;
    struct store *store = NULL;
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi handle;
    struct slice value;
    struct store_key key;

    (void)state;
    store_fixture_open(&fixture, STORE_SESSIONS);
    assert_int_equal(store_fixture_put(fixture.store, STORE_MCP_SESSIONS, "a", slice_from("x")), 0);
    store_close(fixture.store);
    fixture.store = NULL;
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, STORE_DATABASES), 0);
    assert_int_equal(mdb_env_open(env, fixture.directory, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, "mcp_tasks", 0, &handle), 0);
    assert_int_equal(mdb_drop(txn, handle, 1), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
    reader = fixture.options;
    reader.writable = false;
    assert_int_equal(store_open(&store, &reader), -ENOENT);
    assert_int_equal(store_open(&fixture.store, &fixture.options), 0);
    store_key_of(&key, slice_from("a"));
    store_turn_begin(fixture.store);
    assert_int_equal(store_get(fixture.store, STORE_MCP_SESSIONS, &key, &value), 0);
    assert_true(slice_is(value, "x"));
    assert_int_equal(store_get(fixture.store, STORE_MCP_TASKS, &key, &value), -ENOENT);
    assert_int_equal(store_fixture_put(fixture.store, STORE_MCP_TASKS, "a", slice_from("y")), 0);
    store_close(fixture.store);
    fixture.store = NULL;
    assert_int_equal(store_create(&fixture.options), 0);
    assert_int_equal(store_open(&fixture.store, &fixture.options), 0);
    store_turn_begin(fixture.store);
    assert_int_equal(store_get(fixture.store, STORE_MCP_TASKS, &key, &value), 0);
    store_turn_end(fixture.store);
    store_fixture_close(&fixture);
}

static void test_another_schema_or_line_is_stale(void **state)
{
    static const struct {
        const char *key, *value;
        int error;
    } cases[] = {
        {"schema", "1 schema=1:2", -ESTALE}, {"schema", "1 schema=1:1", 0},
        {"lmdb", "1 lmdb=5:1.0.0", -ESTALE}, {"lmdb", "1 lmdb=6:0.10.1", -ESTALE},
        {"lmdb", "1 lmdb=5:0.9.1", 0},       {"schema", "garbage", -EUCLEAN},
    };
    struct store_fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct store *other;

        assert_int_equal(
            store_fixture_put(fixture->store, STORE_META, cases[i].key, slice_from(cases[i].value)),
            0);
        store_close(fixture->store);
        fixture->store = NULL;
        assert_int_equal(store_create(&fixture->options), cases[i].error);
        assert_int_equal(store_open(&other, &fixture->options), cases[i].error);
        if (cases[i].error == 0) {
            fixture->store = other;
            continue;
        }
        /* Made anew for the next case. */
        store_fixture_close(fixture);
        store_fixture_open(fixture, STORE_CONFIG);
    }
}

static void test_another_boot_is_noted(void **state)
{
    struct store_fixture *fixture = *state;
    struct slice value;

    assert_int_equal(
        store_fixture_put(fixture->store, STORE_META, "boot_id", slice_from("1 boot_id=3:old")), 0);
    store_close(fixture->store);
    fixture->store = NULL;
    assert_int_equal(store_create(&fixture->options), 0);
    assert_int_equal(store_open(&fixture->store, &fixture->options), 0);
    assert_int_equal(store_fixture_get(fixture->store, STORE_META, "boot_id", &value), 0);
    assert_true(slice_has_prefix(value, slice_from("1 boot_id=36:")));
}

static void test_opening_needs_the_creator(void **state)
{
    struct store_fixture fixture;
    struct store *store;
    struct stat status;

    (void)state;
    store_fixture_make(&fixture, STORE_CONFIG);
    assert_int_equal(store_open(&store, &fixture.options), -ENOENT);
    assert_int_equal(mkdir(fixture.directory, 0700), 0);
    assert_int_equal(store_open(&store, &fixture.options), -ENOENT);
    /* Nothing was made by trying. */
    assert_int_equal(rmdir(fixture.directory), 0);
    assert_int_equal(stat(fixture.directory, &status), -1);
    fixture.options.map_size = 0;
    assert_int_equal(store_create(&fixture.options), -EINVAL);
    store_fixture_close(&fixture);
}

static void test_descriptors_close_on_exec(void **state)
{
    struct store_fixture *fixture = *state;
    DIR *directory = opendir("/proc/self/fd");
    struct dirent *entry;
    int seen = 0;

    assert_non_null(directory);
    while ((entry = readdir(directory)) != NULL) {
        char link[300], target[256];
        ssize_t size;

        snprintf(link, sizeof(link), "/proc/self/fd/%s", entry->d_name);
        size = readlink(link, target, sizeof(target) - 1);
        target[size < 0 ? 0 : size] = '\0';
        if (strstr(target, fixture->directory) == NULL)
            continue;
        seen++;
        assert_true(fcntl(atoi(entry->d_name), F_GETFD) & FD_CLOEXEC);
    }
    closedir(directory);
    assert_true(seen >= 2);
}

static void test_a_full_store_can_be_created_again(void **state)
{
    struct store_fixture *fixture = *state;

    store_fixture_fill(fixture->store);
    assert_int_equal(
        store_fixture_put(fixture->store, STORE_META, "boot_id", slice_from("1 boot_id=3:old")), 0);
    store_close(fixture->store);
    fixture->store = NULL;
    assert_int_equal(store_create(&fixture->options), 0);
    assert_int_equal(store_open(&fixture->store, &fixture->options), 0);
}

#define ON_CONFIG(test) \
    cmocka_unit_test_setup_teardown(test, store_fixture_config, store_fixture_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_CONFIG(test_creating_again_changes_nothing),
        cmocka_unit_test(test_adds_what_came_late),
        ON_CONFIG(test_another_schema_or_line_is_stale),
        ON_CONFIG(test_another_boot_is_noted),
        cmocka_unit_test(test_opening_needs_the_creator),
        ON_CONFIG(test_descriptors_close_on_exec),
        cmocka_unit_test_setup_teardown(test_a_full_store_can_be_created_again,
                                        store_fixture_sessions, store_fixture_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
