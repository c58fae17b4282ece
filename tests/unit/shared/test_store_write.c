#include "shared/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>

#include "tests/unit/shared/store_fixture.h"

static void test_put_get_delete(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct store_key key;
    struct slice value;

    store_turn_begin(store);
    assert_int_equal(store_fixture_get(store, STORE_APPS, "a", &value), -ENOENT);
    assert_int_equal(store_fixture_put(store, STORE_APPS, "a", slice_from("one")), 0);
    store_fixture_expect(store, "a", slice_from("one"));
    assert_int_equal(store_fixture_put(store, STORE_APPS, "a", slice_from("two")), 0);
    store_fixture_expect(store, "a", slice_from("two"));
    assert_int_equal(store_write_begin(store), 0);
    store_key_of(&key, slice_from("a"));
    assert_int_equal(store_delete(store, STORE_APPS, &key), 0);
    assert_int_equal(store_delete(store, STORE_APPS, &key), -ENOENT);
    assert_int_equal(store_commit(store), 0);
    assert_int_equal(store_fixture_get(store, STORE_APPS, "a", &value), -ENOENT);
    store_turn_end(store);
}

static void test_a_write_transaction_sees_itself(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct slice first, second;
    struct store_key key;

    store_key_of(&key, slice_from("a"));
    assert_int_equal(store_write_begin(store), 0);
    assert_int_equal(store_put(store, STORE_APPS, &key, slice_from("one")), 0);
    assert_int_equal(store_get(store, STORE_APPS, &key, &first), 0);
    assert_true(slice_is(first, "one"));
    /* What was read before stays as it was, although its page changes. */
    assert_int_equal(store_put(store, STORE_APPS, &key, slice_from("two")), 0);
    assert_int_equal(store_get(store, STORE_APPS, &key, &second), 0);
    assert_true(slice_is(first, "one"));
    assert_true(slice_is(second, "two"));
    store_abort(store);
    assert_int_equal(store_get(store, STORE_APPS, &key, &first), -ENOENT);
    store_turn_end(store);
}

/* What is there stays as it is, and the transaction goes on. */
static void test_add_takes_only_a_new_key(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct slice value = store_fixture_pattern(5000);
    struct store_key key;

    store_turn_begin(store);
    store_key_of(&key, slice_from("a"));
    assert_int_equal(store_add(store, STORE_APPS, &key, value), -EINVAL);
    assert_int_equal(store_write_begin(store), 0);
    assert_int_equal(store_add(store, STORE_APPS, &key, value), 0);
    assert_int_equal(store_add(store, STORE_APPS, &key, slice_from("two")), -EEXIST);
    store_key_of(&key, slice_from("b"));
    assert_int_equal(store_add(store, STORE_APPS, &key, slice_from("three")), 0);
    assert_int_equal(store_commit(store), 0);
    store_fixture_expect(store, "a", value);
    store_fixture_expect(store, "b", slice_from("three"));
    /* A put over it leaves none of its parts. */
    assert_int_equal(store_fixture_put(store, STORE_APPS, "a", slice_from("four")), 0);
    store_fixture_expect(store, "a", slice_from("four"));
    assert_int_equal(store_fixture_get(store, STORE_APPS, "a/1", &value), -ENOENT);
    store_turn_end(store);
}

static void test_only_one_write_transaction(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;

    assert_int_equal(store_write_begin(store), 0);
    assert_int_equal(store_write_begin(store), -EDEADLK);
    store_abort(store);
    assert_int_equal(store_commit(store), -EINVAL);
}

static void test_writes_need_a_transaction(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct store_key key;

    store_key_of(&key, slice_from("a"));
    assert_int_equal(store_put(store, STORE_APPS, &key, slice_from("x")), -EINVAL);
    assert_int_equal(store_delete(store, STORE_APPS, &key), -EINVAL);
}

/* The first error of a transaction is the answer to all that follows, and nothing is written. */
static void test_a_failed_transaction_cannot_be_committed(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct slice value;
    struct store_key key;

    store_key_of(&key, slice_from("a"));
    assert_int_equal(store_write_begin(store), 0);
    assert_int_equal(store_put(store, STORE_APPS, &key, slice_from("x")), 0);
    assert_int_equal(
        store_put(store, STORE_APPS, &key, store_fixture_pattern(STORE_RECORD_MAX + 1)), -EMSGSIZE);
    assert_int_equal(store_put(store, STORE_APPS, &key, slice_from("x")), -EMSGSIZE);
    assert_int_equal(store_delete(store, STORE_APPS, &key), -EMSGSIZE);
    assert_int_equal(store_get(store, STORE_APPS, &key, &value), -EMSGSIZE);
    assert_int_equal(store_commit(store), -EMSGSIZE);
    assert_int_equal(store_get(store, STORE_APPS, &key, &value), -ENOENT);
}

static void test_databases_belong_to_their_environment(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct slice value;

    assert_int_equal(store_fixture_get(store, STORE_SESSION, "a", &value), -EINVAL);
    assert_int_equal(store_fixture_put(store, STORE_SESSION, "a", slice_from("x")), -EINVAL);
    assert_string_equal(store_database_name(STORE_SESSION), "sessions");
    assert_string_equal(store_database_name(STORE_APP_AUTH_CONFIGS), "app_auth_configs");
}

static void test_a_reader_cannot_write(void **state)
{
    struct store_fixture *fixture = *state;

    store_close(fixture->store);
    fixture->options.writable = false;
    assert_int_equal(store_open(&fixture->store, &fixture->options), 0);
    assert_int_equal(store_write_begin(fixture->store), -EBADF);
}

static void test_deleting_a_long_record_leaves_nothing(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct store_usage usage;
    struct store_key key;

    store_key_of(&key, slice_from("a"));
    assert_int_equal(
        store_fixture_put(store, STORE_APPS, "a", store_fixture_pattern(STORE_RECORD_MAX)), 0);
    assert_int_equal(store_fixture_put(store, STORE_APPS, "b", slice_from("x")), 0);
    assert_int_equal(store_write_begin(store), 0);
    assert_int_equal(store_delete(store, STORE_APPS, &key), 0);
    assert_int_equal(store_commit(store), 0);
    assert_int_equal(store_usage(store, &usage), 0);
    assert_int_equal(usage.entries[STORE_APPS], 1);
}

/* What a reader that can write the lock file can do to the watcher. A process of its own writes it,
 * since closing that descriptor here would drop LMDB's own locks. */
static void test_a_turned_back_lock_file_stops_the_writer(void **state)
{
    struct store_fixture *fixture = *state;
    struct store *store = fixture->store;
    int status;
    pid_t pid;

    assert_int_equal(store_fixture_put(store, STORE_APPS, "a", slice_from("1")), 0);
    assert_int_equal(store_fixture_put(store, STORE_APPS, "a", slice_from("2")), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        uint64_t newest, older = store_last_write(store) - 1;
        off_t at = 8 + sizeof(pthread_mutex_t); /* after magic, format and the readers' mutex */
        char path[128];
        int fd;

        store_fixture_path(fixture, "lock.mdb", path);
        fd = open(path, O_RDWR);
        if (pread(fd, &newest, sizeof(newest), at) != sizeof(newest) || newest != older + 1)
            _exit(1);
        _exit(pwrite(fd, &older, sizeof(older), at) == sizeof(older) ? 0 : 2);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(store_write_begin(store), -ESTALE);
}

static void test_a_full_store_goes_on_reading_and_deleting(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    unsigned count = store_fixture_fill(store);
    struct store_usage usage;
    struct slice value;

    assert_true(count > 100);
    assert_int_equal(store_fixture_put(store, STORE_SESSION, "more", store_fixture_pattern(1500)),
                     -ENOSPC);
    assert_int_equal(store_fixture_get(store, STORE_SESSION, "00000000", &value), 0);
    assert_int_equal(value.size, 1500);
    store_turn_end(store);
    assert_int_equal(store_usage(store, &usage), 0);
    assert_true(usage.used >= usage.map_size / 100 * 80);
    store_turn_end(store);
    /* Deleting one by one takes pages of the reserve, and gives them back. */
    for (unsigned i = 0; i < count; i++) {
        struct store_key key;
        char name[16];

        snprintf(name, sizeof(name), "%08u", i);
        store_key_of(&key, slice_from(name));
        assert_int_equal(store_write_begin(store), 0);
        assert_int_equal(store_delete(store, STORE_SESSION, &key), 0);
        assert_int_equal(store_commit(store), 0);
    }
    assert_int_equal(store_usage(store, &usage), 0);
    assert_true(usage.used < usage.map_size / 4);
    assert_int_equal(store_fixture_put(store, STORE_SESSION, "more", store_fixture_pattern(1500)),
                     0);
}

#define ON_CONFIG(test) \
    cmocka_unit_test_setup_teardown(test, store_fixture_config, store_fixture_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_CONFIG(test_put_get_delete),
        ON_CONFIG(test_a_write_transaction_sees_itself),
        ON_CONFIG(test_add_takes_only_a_new_key),
        ON_CONFIG(test_only_one_write_transaction),
        ON_CONFIG(test_writes_need_a_transaction),
        ON_CONFIG(test_a_failed_transaction_cannot_be_committed),
        ON_CONFIG(test_databases_belong_to_their_environment),
        ON_CONFIG(test_a_reader_cannot_write),
        ON_CONFIG(test_deleting_a_long_record_leaves_nothing),
        ON_CONFIG(test_a_turned_back_lock_file_stops_the_writer),
        cmocka_unit_test_setup_teardown(test_a_full_store_goes_on_reading_and_deleting,
                                        store_fixture_sessions, store_fixture_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
