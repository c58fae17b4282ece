/* A writer that is killed at each of its system calls in turn, while another process has the
 * environment open: what is left is sound, whole, and can be written. */

#include "shared/session_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "tests/unit/shared/session_example.h"
#include "tests/unit/shared/store_fixture.h"

enum { CALLS_MAX = 1000, PATIENCE = 30 /* seconds */ };

static struct store_fixture fixture;
static pid_t holding;
static int hold; /* our end of its socket */

static struct session_id id_of(int number)
{
    struct session_id id;

    session_id_make(&id, SESSION_KIND_JWT, slice_from("weather"),
                    slice_make((const char *)&number, sizeof(number)));
    return id;
}

static struct store *child_open(void)
{
    struct store *store;

    alarm(PATIENCE);
    if (store_open(&store, &fixture.options) != 0)
        _exit(2);
    return store;
}

/* Two new sessions, one that replaces another, and one that goes. */
static int write_turn(struct store *store, int number)
{
    struct session_record session = session_example();
    struct session_id ids[3] = {id_of(number), id_of(number + 1), id_of(0)};
    int error = store_write_begin(store);

    session.expires = 1790000000 + number;
    for (int i = 0; error == 0 && i < 3; i++)
        error = session_store_put(store, &ids[i], &session);
    if (error == 0)
        error = session_store_delete(store, &ids[1]);
    return error != 0 ? error : store_commit(store);
}

_Noreturn static void writer(int number)
{
    struct store *store;

    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    store = child_open();
    raise(SIGSTOP);
    for (int i = 0; i < 3; i++)
        if (write_turn(store, number + 2 * i) != 0)
            _exit(3);
    _exit(0);
}

_Noreturn static void checker(int number)
{
    struct store *store = child_open();
    struct store_usage usage;

    if (store_check(store) != 0)
        _exit(4);
    if (store_usage(store, &usage) != 0 ||
        usage.entries[STORE_SESSION] != usage.entries[STORE_SESSIONS_BY_USER] ||
        usage.entries[STORE_SESSION] != usage.entries[STORE_SESSIONS_BY_ID])
        _exit(5);
    store_turn_end(store);
    _exit(write_turn(store, number) == 0 ? 0 : 6);
}

/* Has the environment open until its socket ends, so that the lock file is never made anew. */
_Noreturn static void holder(int end)
{
    char byte;

    child_open();
    alarm(0);
    if (write(end, "", 1) != 1 || read(end, &byte, 1) != 0)
        _exit(7);
    _exit(0);
}

static int wait_for(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* false: it ended before. */
static bool kill_at_call(pid_t pid, int call)
{
    int status = wait_for(pid);

    assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    assert_int_equal(ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_EXITKILL), 0);
    for (int i = 0; i < call; i++) {
        assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
        status = wait_for(pid);
        if (WIFEXITED(status)) {
            assert_int_equal(WEXITSTATUS(status), 0);
            return false;
        }
    }
    kill(pid, SIGKILL);
    status = wait_for(pid);
    assert_true(WIFSIGNALED(status));
    return true;
}

/* A call is stopped at twice: before it and after it. */
static void test_killed_at_each_call(void **state)
{
    int call = 0;
    bool killed = true;

    (void)state;
    for (; killed && call < CALLS_MAX; call++) {
        pid_t pid = fork();
        int status;

        if (pid == 0) {
            close(hold);
            writer(100 * call);
        }
        killed = kill_at_call(pid, call);
        pid = fork();
        if (pid == 0) {
            close(hold);
            checker(100 * call + 50);
        }
        status = wait_for(pid);
        if (status != 0)
            fail_msg("after a death at stop %d the checker ended with %d", call, status);
    }
    assert_true(call > 12 && call < CALLS_MAX);
}

static int setup(void **state)
{
    int ends[2];
    char byte;

    (void)state;
    store_fixture_make(&fixture, STORE_SESSIONS);
    fixture.options.map_size = 16 << 20;
    assert_int_equal(store_create(&fixture.options), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    holding = fork();
    if (holding == 0) {
        close(ends[0]);
        holder(ends[1]);
    }
    close(ends[1]);
    hold = ends[0];
    assert_int_equal(read(hold, &byte, 1), 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close(hold);
    assert_int_equal(wait_for(holding), 0);
    store_fixture_close(&fixture);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_killed_at_each_call, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
