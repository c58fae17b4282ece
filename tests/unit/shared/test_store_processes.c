/* The store among processes: this program starts itself as a reader, writer or checker, and kills
 * it where it hurts. */
#include "shared/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "tests/unit/shared/store_fixture.h"

enum { COUNTS = 50 };

/* What a helper does. It ends by itself when its standard input does. */

static struct store *helper_open(const char *directory)
{
    struct store_options options = {.directory = directory,
                                    .environment = STORE_SESSIONS,
                                    .writable = true,
                                    .map_size = STORE_FIXTURE_MAP};
    struct store *store;

    return store_open(&store, &options) == 0 ? store : NULL;
}

/* Says that it is where it should be, and stays there. */
static int helper_wait(void)
{
    char byte = 'r';

    if (write(STDOUT_FILENO, &byte, 1) != 1)
        return 3;
    return read(STDIN_FILENO, &byte, 1) == 0 ? 0 : 4;
}

static int helper_reader(const char *directory, bool end_turn)
{
    struct store *store = helper_open(directory);
    struct slice value;
    int status;

    if (store == NULL)
        return 1;
    store_turn_begin(store);
    if (store_fixture_get(store, STORE_SESSION, "a", &value) != 0)
        return 2;
    if (end_turn)
        store_turn_end(store);
    status = helper_wait();
    store_close(store);
    return status;
}

static int helper_writer(const char *directory)
{
    struct store *store = helper_open(directory);
    struct store_key key;

    store_key_of(&key, slice_from("a"));
    if (store == NULL || store_write_begin(store) != 0 ||
        store_put(store, STORE_SESSION, &key, slice_from("half")) != 0)
        return 1;
    return helper_wait();
}

/* Adds one to a number in the store, again and again. */
static int helper_counter(const char *directory)
{
    struct store *store = helper_open(directory);
    struct store_key key;

    store_key_of(&key, slice_from("count"));
    if (store == NULL || helper_wait() != 0)
        return 1;
    for (int i = 0; i < COUNTS; i++) {
        struct slice value;
        char text[16];

        if (store_write_begin(store) != 0 || store_get(store, STORE_SESSION, &key, &value) != 0)
            return 2;
        snprintf(text, sizeof(text), "%d", atoi(value.data) + 1);
        if (store_put(store, STORE_SESSION, &key, slice_make(text, strlen(text) + 1)) != 0 ||
            store_commit(store) != 0)
            return 3;
    }
    store_close(store);
    return 0;
}

/* Takes every slot for readers that is left: the test has one. No program opens one environment
 * twice, but for slots it is as many programs. */
static int helper_hog(const char *directory)
{
    for (int i = 1; i < STORE_READERS; i++)
        if (helper_open(directory) == NULL)
            return 1;
    return helper_wait();
}

static int helper_check(const char *directory)
{
    struct store *store = helper_open(directory);
    int error = store == NULL ? -EUCLEAN : store_check(store);

    store_close(store);
    return error == 0 ? 0 : 70;
}

static int helper_main(const char *role, const char *directory)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (strcmp(role, "reader") == 0)
        return helper_reader(directory, false);
    if (strcmp(role, "idle-reader") == 0)
        return helper_reader(directory, true);
    if (strcmp(role, "writer") == 0)
        return helper_writer(directory);
    if (strcmp(role, "counter") == 0)
        return helper_counter(directory);
    if (strcmp(role, "hog") == 0)
        return helper_hog(directory);
    return helper_check(directory);
}

/* How a test uses helpers. */

struct helper {
    pid_t pid;
    int in;  /* closing it ends the helper */
    int out; /* what it says */
};

static void helper_start(struct helper *helper, const char *role, const char *directory)
{
    int in[2], out[2];

    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    helper->pid = fork();
    assert_true(helper->pid >= 0);
    if (helper->pid == 0) {
        int null = open("/dev/null", O_WRONLY);

        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        /* What a sanitizer says of a page that leads nowhere is expected. */
        dup2(null, STDERR_FILENO);
        execl("/proc/self/exe", "test_store_processes", role, directory, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    helper->in = in[1];
    helper->out = out[0];
}

static void helper_expect_ready(struct helper *helper)
{
    char byte = 0;

    assert_int_equal(read(helper->out, &byte, 1), 1);
    assert_int_equal(byte, 'r');
}

/* Its wait status. */
static int helper_end(struct helper *helper)
{
    int status;

    close(helper->in);
    assert_int_equal(waitpid(helper->pid, &status, 0), helper->pid);
    close(helper->out);
    return status;
}

static void helper_kill(struct helper *helper)
{
    assert_int_equal(kill(helper->pid, SIGKILL), 0);
    assert_true(WIFSIGNALED(helper_end(helper)));
}

static int open_store(void **state)
{
    static struct store_fixture fixture;

    store_fixture_open(&fixture, STORE_SESSIONS);
    assert_int_equal(store_fixture_put(fixture.store, STORE_SESSION, "a", slice_from("whole")), 0);
    *state = &fixture;
    return 0;
}

static int close_store(void **state)
{
    store_fixture_close(*state);
    return 0;
}

static void test_a_writer_killed_in_a_transaction(void **state)
{
    struct store_fixture *fixture = *state;
    struct store *store = fixture->store;
    struct helper writer;
    struct slice value;

    helper_start(&writer, "writer", fixture->directory);
    helper_expect_ready(&writer);
    helper_kill(&writer);
    /* The lock is free again, what was half written was never there. */
    assert_int_equal(store_fixture_put(store, STORE_SESSION, "b", slice_from("next")), 0);
    assert_int_equal(store_fixture_get(store, STORE_SESSION, "a", &value), 0);
    assert_true(slice_is(value, "whole"));
    assert_int_equal(store_fixture_get(store, STORE_SESSION, "b", &value), 0);
    assert_true(slice_is(value, "next"));
    store_turn_end(store);
    assert_int_equal(store_check(store), 0);
}

static void test_dead_readers_are_cleared(void **state)
{
    struct store_fixture *fixture = *state;
    struct helper readers[8];
    int cleared = -1;

    for (int i = 0; i < 8; i++) {
        helper_start(&readers[i], "reader", fixture->directory);
        helper_expect_ready(&readers[i]);
    }
    assert_int_equal(store_reader_check(fixture->store, &cleared), 0);
    assert_int_equal(cleared, 0);
    for (int i = 0; i < 5; i++)
        helper_kill(&readers[i]);
    assert_int_equal(store_reader_check(fixture->store, &cleared), 0);
    assert_int_equal(cleared, 5);
    for (int i = 5; i < 8; i++)
        helper_kill(&readers[i]);
    assert_int_equal(store_reader_check(fixture->store, &cleared), 0);
    assert_int_equal(cleared, 3);
}

/* All slots are taken by the dead: who opens next finds them, and clears them itself. */
static void test_a_table_full_of_dead_readers(void **state)
{
    struct store_fixture *fixture = *state;
    struct helper hog, late, reader;

    helper_start(&hog, "hog", fixture->directory);
    helper_expect_ready(&hog);
    /* While they live there is no room. */
    helper_start(&late, "reader", fixture->directory);
    assert_int_equal(WEXITSTATUS(helper_end(&late)), 1);
    helper_kill(&hog);
    helper_start(&reader, "reader", fixture->directory);
    helper_expect_ready(&reader);
    assert_int_equal(helper_end(&reader), 0);
}

static off_t file_size(const struct store_fixture *fixture)
{
    struct stat status;
    char path[128];

    store_fixture_path(fixture, "data.mdb", path);
    assert_int_equal(stat(path, &status), 0);
    return status.st_size;
}

/* How much the file grows while one record is written 50 times. */
static off_t growth(const struct store_fixture *fixture)
{
    off_t before = file_size(fixture);

    for (int i = 0; i < 50; i++)
        assert_int_equal(store_fixture_put(fixture->store, STORE_SESSION, "a", slice_from("again")),
                         0);
    return file_size(fixture) - before;
}

static void test_no_snapshot_is_kept_over_a_turn(void **state)
{
    struct store_fixture *fixture = *state;
    struct helper idle, busy;
    int cleared;

    helper_start(&idle, "idle-reader", fixture->directory);
    helper_expect_ready(&idle);
    growth(fixture); /* to where old pages are used again */
    assert_int_equal(growth(fixture), 0);
    helper_start(&busy, "reader", fixture->directory);
    helper_expect_ready(&busy);
    assert_true(growth(fixture) > 0);
    /* A dead reader's snapshot goes with its slot. */
    helper_kill(&busy);
    assert_int_equal(store_reader_check(fixture->store, &cleared), 0);
    assert_int_equal(cleared, 1);
    growth(fixture);
    assert_int_equal(growth(fixture), 0);
    assert_int_equal(helper_end(&idle), 0);
}

static void test_a_turn_sees_one_state(void **state)
{
    struct store_fixture *fixture = *state;
    struct store *store = fixture->store;
    struct helper counter;
    struct slice value;

    assert_int_equal(store_fixture_put(store, STORE_SESSION, "count", slice_make("0", 2)), 0);
    store_turn_begin(store);
    assert_int_equal(store_fixture_get(store, STORE_SESSION, "count", &value), 0);
    helper_start(&counter, "counter", fixture->directory);
    helper_expect_ready(&counter);
    assert_int_equal(helper_end(&counter), 0);
    assert_string_equal(value.data, "0");
    assert_int_equal(store_fixture_get(store, STORE_SESSION, "count", &value), 0);
    assert_string_equal(value.data, "0");
    assert_int_equal(store_refresh(store), 0);
    assert_int_equal(store_fixture_get(store, STORE_SESSION, "count", &value), 0);
    assert_int_equal(atoi(value.data), COUNTS);
    store_turn_end(store);
}

static void test_writers_take_turns(void **state)
{
    struct store_fixture *fixture = *state;
    struct store *store = fixture->store;
    struct helper counters[4];
    struct slice value;

    assert_int_equal(store_fixture_put(store, STORE_SESSION, "count", slice_make("0", 2)), 0);
    for (int i = 0; i < 4; i++) {
        helper_start(&counters[i], "counter", fixture->directory);
        helper_expect_ready(&counters[i]);
    }
    for (int i = 0; i < 4; i++)
        close(counters[i].in);
    for (int i = 0; i < 4; i++) {
        int status;

        assert_int_equal(waitpid(counters[i].pid, &status, 0), counters[i].pid);
        assert_int_equal(status, 0);
        close(counters[i].out);
    }
    store_turn_begin(store);
    assert_int_equal(store_fixture_get(store, STORE_SESSION, "count", &value), 0);
    assert_int_equal(atoi(value.data), 4 * COUNTS);
    store_turn_end(store);
    assert_int_equal(store_check(store), 0);
}

static int check(const struct store_fixture *fixture)
{
    struct helper checker;

    helper_start(&checker, "check", fixture->directory);
    return helper_end(&checker);
}

/* Nobody may have the file open while it is damaged. */
static void damage(struct store_fixture *fixture, off_t from, off_t to)
{
    char path[128], page[4096];
    int fd;

    memset(page, 0xa5, sizeof(page));
    store_fixture_path(fixture, "data.mdb", path);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    for (off_t at = from; at < to; at += (off_t)sizeof(page))
        assert_int_equal(pwrite(fd, page, sizeof(page), at), sizeof(page));
    close(fd);
}

static void fill_and_close(struct store_fixture *fixture)
{
    for (int i = 0; i < 100; i++) {
        char name[16], value[500];

        memset(value, 'v', sizeof(value));
        snprintf(name, sizeof(name), "%d", i);
        assert_int_equal(store_fixture_put(fixture->store, STORE_SESSION, name,
                                           slice_make(value, sizeof(value))),
                         0);
    }
    store_close(fixture->store);
    fixture->store = NULL;
}

static void test_the_check_sees_damaged_pages(void **state)
{
    struct store_fixture *fixture = *state;

    fill_and_close(fixture);
    assert_int_equal(check(fixture), 0);
    damage(fixture, 2 * 4096, file_size(fixture));
    assert_int_not_equal(check(fixture), 0);
}

static void test_the_check_sees_a_foreign_file(void **state)
{
    struct store_fixture *fixture = *state;
    int status;

    fill_and_close(fixture);
    damage(fixture, 0, 2 * 4096);
    status = check(fixture);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 70);
}

static void test_the_check_sees_a_cut_file(void **state)
{
    struct store_fixture *fixture = *state;
    char path[128];

    fill_and_close(fixture);
    store_fixture_path(fixture, "data.mdb", path);
    assert_int_equal(truncate(path, file_size(fixture) / 8192 * 4096), 0);
    assert_int_not_equal(check(fixture), 0);
}

/* The output of a command, up to room. -1 when there is no such command. */
static int command_output(const char *command, const char *directory, char *out, size_t room)
{
    char line[256];
    size_t size;
    FILE *pipe;
    int status;

    snprintf(line, sizeof(line), "%s %s 2>/dev/null", command, directory);
    pipe = popen(line, "r");
    assert_non_null(pipe);
    size = fread(out, 1, room - 1, pipe);
    out[size] = '\0';
    status = pclose(pipe);
    return WIFEXITED(status) && WEXITSTATUS(status) == 127 ? -1 : status;
}

static void test_the_tools_read_a_running_store(void **state)
{
    struct store_fixture *fixture = *state;
    static char out[8192];
    int status = command_output("mdb_stat -a", fixture->directory, out, sizeof(out));

    if (status < 0)
        skip();
    assert_int_equal(status, 0);
    assert_non_null(strstr(out, "Status of sessions\n"));
    assert_non_null(strstr(out, "Status of sessions_by_user\n"));
    assert_non_null(strstr(out, "Status of sessions_by_id\n"));
    assert_non_null(strstr(out, "Status of mcp_sessions\n"));
    assert_non_null(strstr(out, "Status of meta\n"));
    assert_int_equal(command_output("mdb_dump -p -s meta", fixture->directory, out, sizeof(out)),
                     0);
    assert_non_null(strstr(out, " schema\n 1 schema=1:2\n"));
    assert_non_null(strstr(out, " boot_id\n 1 boot_id=36:"));
    assert_int_equal(
        command_output("mdb_dump -p -s sessions", fixture->directory, out, sizeof(out)), 0);
    assert_non_null(strstr(out, " a\n whole\n"));
}

#define ON_STORE(test) cmocka_unit_test_setup_teardown(test, open_store, close_store)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        ON_STORE(test_a_writer_killed_in_a_transaction),
        ON_STORE(test_dead_readers_are_cleared),
        ON_STORE(test_a_table_full_of_dead_readers),
        ON_STORE(test_no_snapshot_is_kept_over_a_turn),
        ON_STORE(test_a_turn_sees_one_state),
        ON_STORE(test_writers_take_turns),
        ON_STORE(test_the_check_sees_damaged_pages),
        ON_STORE(test_the_check_sees_a_foreign_file),
        ON_STORE(test_the_check_sees_a_cut_file),
        ON_STORE(test_the_tools_read_a_running_store),
    };

    if (argc == 3)
        return helper_main(argv[1], argv[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
