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
#include <pthread.h>
#include <sys/wait.h>

#include "shared/generation_record.h"
#include "tests/unit/shared/store_fixture.h"

static void expect_record(struct store *store, const char *name, struct slice expected)
{
    struct slice value;

    assert_int_equal(store_fixture_get(store, STORE_APPS, name, &value), 0);
    assert_int_equal(value.size, expected.size);
    assert_true(slice_equal(value, expected));
}

/* Bytes that differ from place to place, so that parts cannot change places unseen. */
static struct slice pattern(size_t size)
{
    static char bytes[STORE_RECORD_MAX + 1];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)('a' + (i + i / 2000) % 26);
    return slice_make(bytes, size);
}

static void test_put_get_delete(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct store_key key;
    struct slice value;

    store_turn_begin(store);
    assert_int_equal(store_fixture_get(store, STORE_APPS, "a", &value), -ENOENT);
    assert_int_equal(store_fixture_put(store, STORE_APPS, "a", slice_from("one")), 0);
    expect_record(store, "a", slice_from("one"));
    assert_int_equal(store_fixture_put(store, STORE_APPS, "a", slice_from("two")), 0);
    expect_record(store, "a", slice_from("two"));
    assert_int_equal(store_write_begin(store), 0);
    store_key_of(&key, slice_from("a"));
    assert_int_equal(store_delete(store, STORE_APPS, &key), 0);
    assert_int_equal(store_delete(store, STORE_APPS, &key), -ENOENT);
    assert_int_equal(store_commit(store), 0);
    assert_int_equal(store_fixture_get(store, STORE_APPS, "a", &value), -ENOENT);
    store_turn_end(store);
}

static void test_an_impossible_key_is_not_found(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct store_key key, empty;
    struct slice value;

    store_key_begin(&empty);
    store_key_begin(&key);
    for (int i = 0; i < 600; i++)
        store_key_plain(&key, "a");
    assert_true(key.impossible);
    assert_int_equal(store_get(store, STORE_APPS, &key, &value), -ENOENT);
    assert_int_equal(store_get(store, STORE_APPS, &empty, &value), -ENOENT);
    assert_int_equal(store_write_begin(store), 0);
    assert_int_equal(store_delete(store, STORE_APPS, &key), -ENOENT);
    assert_int_equal(store_put(store, STORE_APPS, &key, slice_from("x")), -EINVAL);
    store_abort(store);
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
    struct slice value = pattern(5000);
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
    expect_record(store, "a", value);
    expect_record(store, "b", slice_from("three"));
    /* A put over it leaves none of its parts. */
    assert_int_equal(store_fixture_put(store, STORE_APPS, "a", slice_from("four")), 0);
    expect_record(store, "a", slice_from("four"));
    assert_int_equal(store_fixture_get(store, STORE_APPS, "a/1", &value), -ENOENT);
    store_turn_end(store);
}

static void expect_again(struct store *store, struct store_place *place, const char *expected)
{
    struct store_key key;
    struct slice value;

    store_key_of(&key, slice_from("a"));
    assert_int_equal(store_get_again(store, STORE_APPS, &key, place, &value), 0);
    assert_true(slice_equal(value, slice_from(expected)));
}

/* A place is good for as long as nothing was written, wherever. */
static void test_get_again_sees_every_change(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct store_place place = {0};
    struct store_key key;
    struct slice value;

    store_key_of(&key, slice_from("a"));
    assert_int_equal(store_get_again(store, STORE_APPS, &key, &place, &value), -ENOENT);
    assert_true(place.snapshot == 0);
    assert_int_equal(store_fixture_put(store, STORE_APPS, "a", slice_from("one")), 0);
    for (int turn = 0; turn < 3; turn++) {
        store_turn_begin(store);
        expect_again(store, &place, "one");
        assert_true(place.snapshot != 0);
        store_turn_end(store);
    }
    assert_int_equal(store_fixture_put(store, STORE_APPS, "a", slice_from("two")), 0);
    expect_again(store, &place, "two");
    /* What is given up was never there. */
    assert_int_equal(store_write_begin(store), 0);
    assert_int_equal(store_put(store, STORE_APPS, &key, slice_from("three")), 0);
    expect_again(store, &place, "three");
    store_abort(store);
    expect_again(store, &place, "two");
    assert_int_equal(store_fixture_put(store, STORE_APPS, "a", slice_from("four")), 0);
    expect_again(store, &place, "four");
    /* A record of parts lies together for a turn only. */
    assert_int_equal(store_fixture_put(store, STORE_APPS, "a", pattern(5000)), 0);
    assert_int_equal(store_get_again(store, STORE_APPS, &key, &place, &value), 0);
    assert_true(slice_equal(value, pattern(5000)));
    assert_true(place.snapshot == 0);
    assert_int_equal(store_write_begin(store), 0);
    assert_int_equal(store_delete(store, STORE_APPS, &key), 0);
    assert_int_equal(store_commit(store), 0);
    assert_int_equal(store_get_again(store, STORE_APPS, &key, &place, &value), -ENOENT);
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
    assert_int_equal(store_put(store, STORE_APPS, &key, pattern(STORE_RECORD_MAX + 1)), -EMSGSIZE);
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

static void test_long_records(void **state)
{
    static const size_t sizes[] = {0,    1,    1999,  2000,  2001,  3999,
                                   4000, 4001, 31999, 32000, 33999, STORE_RECORD_MAX};
    struct store *store = ((struct store_fixture *)*state)->store;
    size_t count = sizeof(sizes) / sizeof(sizes[0]);

    /* Each replaced by each: growing, shrinking and staying. */
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            struct store_usage usage;

            assert_int_equal(store_fixture_put(store, STORE_APPS, "a", pattern(sizes[i])), 0);
            assert_int_equal(store_fixture_put(store, STORE_APPS, "a", pattern(sizes[j])), 0);
            expect_record(store, "a", pattern(sizes[j]));
            assert_int_equal(store_usage(store, &usage), 0);
            assert_int_equal(usage.entries[STORE_APPS],
                             sizes[j] == STORE_RECORD_MAX ? 17 : sizes[j] / 2000 + 1);
            store_turn_end(store);
        }
    }
}

static void test_deleting_a_long_record_leaves_nothing(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct store_usage usage;
    struct store_key key;

    store_key_of(&key, slice_from("a"));
    assert_int_equal(store_fixture_put(store, STORE_APPS, "a", pattern(STORE_RECORD_MAX)), 0);
    assert_int_equal(store_fixture_put(store, STORE_APPS, "b", slice_from("x")), 0);
    assert_int_equal(store_write_begin(store), 0);
    assert_int_equal(store_delete(store, STORE_APPS, &key), 0);
    assert_int_equal(store_commit(store), 0);
    assert_int_equal(store_usage(store, &usage), 0);
    assert_int_equal(usage.entries[STORE_APPS], 1);
}

static void test_several_long_records_are_borrowed_together(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct slice values[3];

    assert_int_equal(store_fixture_put(store, STORE_APPS, "a", pattern(30000)), 0);
    assert_int_equal(store_fixture_put(store, STORE_APPS, "b", pattern(2000)), 0);
    assert_int_equal(store_fixture_put(store, STORE_APPS, "c", pattern(5000)), 0);
    store_turn_begin(store);
    assert_int_equal(store_fixture_get(store, STORE_APPS, "a", &values[0]), 0);
    assert_int_equal(store_fixture_get(store, STORE_APPS, "b", &values[1]), 0);
    assert_int_equal(store_fixture_get(store, STORE_APPS, "c", &values[2]), 0);
    assert_true(slice_equal(values[0], pattern(30000)));
    assert_true(slice_equal(values[1], pattern(2000)));
    assert_true(slice_equal(values[2], pattern(5000)));
    store_turn_end(store);
}

struct seen {
    char text[256]; /* "key=size " for each record */
    size_t left;    /* records until the visit ends the scan */
};

static int see(void *context, struct slice key, struct slice value)
{
    struct seen *seen = context;
    size_t used = strlen(seen->text);

    assert_true(slice_equal(value, pattern(value.size)));
    snprintf(seen->text + used, sizeof(seen->text) - used, "%.*s=%zu ", (int)key.size, key.data,
             value.size);
    return --seen->left == 0 ? 7 : 0;
}

static void expect_scan(struct store *store, const char *prefix, const char *from,
                        const char *expected)
{
    struct seen seen = {.left = 100};

    assert_int_equal(
        store_scan(store, STORE_APPS, slice_from(prefix), slice_from(from), see, &seen), 0);
    assert_string_equal(seen.text, expected);
}

/* '-' and '.' sort before '/', and so stand between a record and its continuations. */
static void test_scans(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct seen seen = {.left = 2};

    assert_int_equal(store_fixture_put(store, STORE_APPS, "a", pattern(5000)), 0);
    assert_int_equal(store_fixture_put(store, STORE_APPS, "a-b", pattern(10)), 0);
    assert_int_equal(store_fixture_put(store, STORE_APPS, "a.c", pattern(34000)), 0);
    assert_int_equal(store_fixture_put(store, STORE_APPS, "b", pattern(0)), 0);
    store_turn_begin(store);
    expect_scan(store, "", "", "a=5000 a-b=10 a.c=34000 b=0 ");
    expect_scan(store, "a", "", "a=5000 a-b=10 a.c=34000 ");
    expect_scan(store, "a", "a-b", "a-b=10 a.c=34000 ");
    expect_scan(store, "a", "a/1", "");
    expect_scan(store, "b", "a", "b=0 ");
    expect_scan(store, "c", "", "");
    assert_int_equal(store_scan(store, STORE_APPS, slice_from(""), slice_from(""), see, &seen), 7);
    assert_string_equal(seen.text, "a=5000 a-b=10 ");
    store_turn_end(store);
}

/* A key that ends in a number is a record of its own while nothing before it is continued. */
static void test_numbered_records_are_no_continuations(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;

    assert_int_equal(store_fixture_put(store, STORE_APPS, "c/k/1", pattern(1)), 0);
    assert_int_equal(store_fixture_put(store, STORE_APPS, "c/k/2", pattern(4500)), 0);
    expect_scan(store, "c/", "", "c/k/1=1 c/k/2=4500 ");
}

static void test_last_write_counts_transactions(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    uint64_t before = store_last_write(store);
    struct store_usage usage;

    assert_int_equal(store_fixture_put(store, STORE_APPS, "a", slice_from("x")), 0);
    assert_int_equal(store_last_write(store), before + 1);
    /* An empty transaction is none. */
    assert_int_equal(store_write_begin(store), 0);
    assert_int_equal(store_commit(store), 0);
    assert_int_equal(store_last_write(store), before + 1);
    assert_int_equal(store_write_begin(store), 0);
    store_abort(store);
    assert_int_equal(store_usage(store, &usage), 0);
    assert_int_equal(usage.last_write, before + 1);
    assert_int_equal(usage.map_size, STORE_FIXTURE_MAP);
    assert_true(usage.used > 0 && usage.used < usage.map_size);
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
    expect_record(fixture->store, "a", slice_from("x"));
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
        {"schema", "1 schema=1:1", -ESTALE}, {"schema", "1 schema=1:2", 0},
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

/* Fills the environment; the number of records that were written. */
static unsigned fill(struct store *store)
{
    unsigned count = 0;
    int error = 0;

    while (error == 0 && count < 10000) {
        char name[16];

        snprintf(name, sizeof(name), "%08u", count);
        error = store_fixture_put(store, STORE_SESSION, name, pattern(1500));
        count += error == 0;
    }
    assert_int_equal(error, -ENOSPC);
    return count;
}

static void test_a_full_store_goes_on_reading_and_deleting(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    unsigned count = fill(store);
    struct store_usage usage;
    struct slice value;

    assert_true(count > 100);
    assert_int_equal(store_fixture_put(store, STORE_SESSION, "more", pattern(1500)), -ENOSPC);
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
    assert_int_equal(store_fixture_put(store, STORE_SESSION, "more", pattern(1500)), 0);
}

static void test_a_full_store_can_be_created_again(void **state)
{
    struct store_fixture *fixture = *state;

    fill(fixture->store);
    assert_int_equal(
        store_fixture_put(fixture->store, STORE_META, "boot_id", slice_from("1 boot_id=3:old")), 0);
    store_close(fixture->store);
    fixture->store = NULL;
    assert_int_equal(store_create(&fixture->options), 0);
    assert_int_equal(store_open(&fixture->store, &fixture->options), 0);
}

static void test_a_sound_store_passes_the_check(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct store_key key;

    assert_int_equal(store_check(store), 0);
    for (unsigned i = 0; i < 100; i++) {
        char name[16];

        snprintf(name, sizeof(name), "%u", i * 7919 % 1000);
        assert_int_equal(store_fixture_put(store, STORE_SESSION, name, pattern(i * 40)), 0);
    }
    store_key_of(&key, slice_from("0"));
    assert_int_equal(store_write_begin(store), 0);
    assert_int_equal(store_delete(store, STORE_SESSION, &key), 0);
    assert_int_equal(store_commit(store), 0);
    assert_int_equal(store_check(store), 0);
    assert_int_equal(store_sync(store), 0);
}

#define ON_CONFIG(test) \
    cmocka_unit_test_setup_teardown(test, store_fixture_config, store_fixture_end)
#define ON_SESSIONS(test) \
    cmocka_unit_test_setup_teardown(test, store_fixture_sessions, store_fixture_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_CONFIG(test_put_get_delete),
        ON_CONFIG(test_an_impossible_key_is_not_found),
        ON_CONFIG(test_a_write_transaction_sees_itself),
        ON_CONFIG(test_add_takes_only_a_new_key),
        ON_CONFIG(test_get_again_sees_every_change),
        ON_CONFIG(test_only_one_write_transaction),
        ON_CONFIG(test_writes_need_a_transaction),
        ON_CONFIG(test_a_failed_transaction_cannot_be_committed),
        ON_CONFIG(test_databases_belong_to_their_environment),
        ON_CONFIG(test_a_reader_cannot_write),
        ON_CONFIG(test_long_records),
        ON_CONFIG(test_deleting_a_long_record_leaves_nothing),
        ON_CONFIG(test_several_long_records_are_borrowed_together),
        ON_CONFIG(test_scans),
        ON_CONFIG(test_numbered_records_are_no_continuations),
        ON_CONFIG(test_last_write_counts_transactions),
        ON_CONFIG(test_a_turned_back_lock_file_stops_the_writer),
        ON_CONFIG(test_creating_again_changes_nothing),
        cmocka_unit_test(test_adds_what_came_late),
        ON_CONFIG(test_another_schema_or_line_is_stale),
        ON_CONFIG(test_another_boot_is_noted),
        cmocka_unit_test(test_opening_needs_the_creator),
        ON_CONFIG(test_descriptors_close_on_exec),
        ON_SESSIONS(test_a_full_store_goes_on_reading_and_deleting),
        ON_SESSIONS(test_a_full_store_can_be_created_again),
        ON_SESSIONS(test_a_sound_store_passes_the_check),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
