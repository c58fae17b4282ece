#include "conf/source.h"

#include <ev.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct ev_loop *loop;
    struct source *source;
    char directory[64];
    unsigned changes;
    bool late;
};

static void on_changed(void *context)
{
    struct fixture *fixture = context;

    fixture->changes++;
    ev_break(fixture->loop, EVBREAK_ALL);
}

static void on_late(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct fixture *fixture = timer->data;

    (void)events;
    fixture->late = true;
    ev_break(loop, EVBREAK_ALL);
}

/* Runs until the source says something, at most `seconds`. */
static bool changed_within(struct fixture *fixture, double seconds)
{
    unsigned before = fixture->changes;
    ev_timer timer;

    fixture->late = false;
    ev_now_update(fixture->loop);
    ev_timer_init(&timer, on_late, seconds, 0);
    timer.data = fixture;
    ev_timer_start(fixture->loop, &timer);
    ev_run(fixture->loop, 0);
    ev_timer_stop(fixture->loop, &timer);
    return fixture->changes > before;
}

static void path_of(const struct fixture *fixture, const char *name, char path[128])
{
    snprintf(path, 128, "%s/%s", fixture->directory, name);
}

static void write_file(const struct fixture *fixture, const char *name)
{
    char path[128];
    int fd;

    path_of(fixture, name, path);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
}

static void remove_file(const struct fixture *fixture, const char *name)
{
    char path[128];

    path_of(fixture, name, path);
    assert_int_equal(unlink(path), 0);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    strcpy(fixture->directory, "/tmp/gatehouse-source-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    fixture->loop = ev_loop_new(EVFLAG_AUTO);
    assert_int_equal(source_open(&fixture->source, fixture->loop, slice_from(fixture->directory),
                                 on_changed, fixture),
                     0);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    source_close(fixture->source);
    ev_loop_destroy(fixture->loop);
    rmdir(fixture->directory);
    free(fixture);
    return 0;
}

static void test_burst_is_one_change(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < 20; i++)
        write_file(fixture, "a.yaml");
    assert_true(changed_within(fixture, 5));
    assert_false(changed_within(fixture, 0.3));
    remove_file(fixture, "a.yaml");
    assert_true(changed_within(fixture, 5));
}

static void test_replaced_by_rename(void **state)
{
    struct fixture *fixture = *state;
    char from[128];
    char to[128];

    write_file(fixture, "new");
    write_file(fixture, "a.yaml");
    assert_true(changed_within(fixture, 5));
    path_of(fixture, "new", from);
    path_of(fixture, "a.yaml", to);
    assert_int_equal(rename(from, to), 0);
    assert_true(changed_within(fixture, 5));
    remove_file(fixture, "a.yaml");
}

static void test_link_counts_at_once(void **state)
{
    struct fixture *fixture = *state;
    char path[128];

    path_of(fixture, "a.yaml", path);
    assert_int_equal(symlink("/nowhere", path), 0);
    assert_true(changed_within(fixture, 5));
    remove_file(fixture, "a.yaml");
}

/* A file that is being written is read when its writer closed it. */
static void test_open_file_waits(void **state)
{
    struct fixture *fixture = *state;
    char path[128];
    int fd;

    path_of(fixture, "a.yaml", path);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "x", 1), 1);
    assert_false(changed_within(fixture, 0.3));
    close(fd);
    assert_true(changed_within(fixture, 5));
    remove_file(fixture, "a.yaml");
}

static void test_directory_goes_and_comes(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(rmdir(fixture->directory), 0);
    assert_true(changed_within(fixture, 5));
    assert_int_equal(mkdir(fixture->directory, 0700), 0);
    assert_true(changed_within(fixture, 5));
    write_file(fixture, "a.yaml");
    assert_true(changed_within(fixture, 5));
    remove_file(fixture, "a.yaml");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_burst_is_one_change, setup, teardown),
        cmocka_unit_test_setup_teardown(test_replaced_by_rename, setup, teardown),
        cmocka_unit_test_setup_teardown(test_link_counts_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_open_file_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_directory_goes_and_comes, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
