#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "master/pid_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* A child that holds the file until the pipe's other end closes. Exits with what it got. */
static pid_t hold(const char *directory, int until, int told)
{
    pid_t child = fork();
    int error;
    char byte = 0;

    if (child != 0)
        return child;
    error = pid_file_hold(directory);
    if (write(told, &byte, 1) != 1 || read(until, &byte, 1) < 0)
        _exit(100);
    _exit(-error);
}

static void the_lock_tells_who_lives(void **state)
{
    char directory[] = "/tmp/gatehouse-pid.XXXXXX", path[64], byte;
    int until[2], told[2], status;
    pid_t child, second;

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/gatehouse.pid", directory);
    assert_int_equal(pid_file_owner(directory), 0);
    assert_int_equal(pipe(until), 0);
    assert_int_equal(pipe(told), 0);

    child = hold(directory, until[0], told[1]);
    assert_int_equal(read(told[0], &byte, 1), 1);
    assert_int_equal(pid_file_owner(directory), child);
    second = fork();
    if (second == 0)
        _exit(-pid_file_hold(directory));
    assert_int_equal(waitpid(second, &status, 0), second);
    assert_int_equal(WEXITSTATUS(status), EBUSY);
    assert_int_equal(pid_file_owner(directory), child);

    assert_int_equal(write(until[1], "", 1), 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(pid_file_owner(directory), 0);
    for (int i = 0; i < 2; i++) {
        close(until[i]);
        close(told[i]);
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_lock_tells_who_lives)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
