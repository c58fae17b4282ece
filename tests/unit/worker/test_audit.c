#include "worker/audit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "shared/log.h"

struct trail {
    struct audit audit;
    struct scoreboard_work *work;
    char path[64];
};

static const struct settings_audit settings = {.output = {"/audit", 6}, .refuse = true};

static int trail_open(const struct trail *trail)
{
    return open(trail->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

static int begin(void **state)
{
    struct trail *trail = calloc(1, sizeof(*trail));

    signal(SIGXFSZ, SIG_IGN);
    log_configure(LOG_ERROR, LOG_TEXT);
    assert_int_equal(posix_memalign((void **)&trail->work, 64, sizeof(*trail->work)), 0);
    memset(trail->work, 0, sizeof(*trail->work));
    snprintf(trail->path, sizeof(trail->path), "/tmp/test_audit.XXXXXX");
    close(mkstemp(trail->path));
    audit_open(&trail->audit, 3, &trail->work->blocks[1], trail->work);
    audit_configure(&trail->audit, &settings);
    audit_take(&trail->audit, trail_open(trail));
    *state = trail;
    return 0;
}

static int end(void **state)
{
    struct trail *trail = *state;

    audit_close(&trail->audit);
    unlink(trail->path);
    free(trail->work);
    free(trail);
    return 0;
}

static void say(struct trail *trail, const char *text)
{
    struct audit_line line;

    audit_begin(&trail->audit, &line, "test");
    audit_line_text(&line, "text", slice_from(text), 100000);
    audit_end(&trail->audit, &line);
}

/* The file's text, valid until the next call. */
static const char *written(const struct trail *trail)
{
    static char text[1 << 20];
    int fd = open(trail->path, O_RDONLY);
    ssize_t size = read(fd, text, sizeof(text) - 1);

    assert_true(size >= 0);
    text[size] = '\0';
    close(fd);
    return text;
}

/* How many lines of the file have this member's number. */
static unsigned count_line(const char *text, unsigned number)
{
    char member[32];
    unsigned count = 0;

    snprintf(member, sizeof(member), "\"line\":%u,", number);
    while ((text = strstr(text, member)) != NULL) {
        const char *stop = strchr(text, '\n');

        count += stop != NULL && stop[-1] == '}';
        text++;
    }
    return count;
}

static void limit_file(rlim_t size)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_lines_are_written_at_the_end_of_a_turn(void **state)
{
    struct trail *trail = *state;
    const char *text;

    say(trail, "one");
    say(trail, "two");
    assert_string_equal(written(trail), "");
    audit_flush(&trail->audit);
    text = written(trail);
    assert_memory_equal(text, "{\"time\":\"20", 11);
    assert_non_null(strstr(text, "Z\",\"event\":\"test\",\"worker\":3,\"pid\":"));
    assert_non_null(strstr(text, ",\"line\":1,\"text\":\"one\"}\n{\"time\":\""));
    assert_non_null(strstr(text, ",\"line\":2,\"text\":\"two\"}\n"));
    assert_int_equal(trail->work->blocks[1].counters[COUNT_AUDIT_LINES], 2);
}

static void test_a_new_file_gets_what_follows(void **state)
{
    struct trail *trail = *state;
    char aside[80];

    say(trail, "one");
    audit_flush(&trail->audit);
    snprintf(aside, sizeof(aside), "%s.1", trail->path);
    assert_int_equal(rename(trail->path, aside), 0);
    say(trail, "two");
    audit_take(&trail->audit, trail_open(trail));
    audit_flush(&trail->audit);
    assert_int_equal(count_line(written(trail), 1), 0);
    assert_int_equal(count_line(written(trail), 2), 1);
    unlink(aside);
}

/* The disk is full in the middle of a line. */
static void test_a_torn_line_is_written_again(void **state)
{
    struct trail *trail = *state;
    struct scoreboard_block *block = &trail->work->blocks[1];

    say(trail, "one");
    audit_flush(&trail->audit);
    limit_file(strlen(written(trail)) + 20);
    say(trail, "two");
    audit_flush(&trail->audit);
    assert_true(trail->audit.failing);
    assert_int_equal(block->gauges[GAUGE_AUDIT_FAILING], 1);
    assert_int_equal(block->counters[COUNT_AUDIT_FAILURES], 1);
    assert_true(audit_refuses(&trail->audit));
    say(trail, "three");
    audit_flush(&trail->audit); /* not before a second has passed */
    assert_int_equal(block->counters[COUNT_AUDIT_FAILURES], 1);
    limit_file(RLIM_INFINITY);
    trail->audit.next_try = 0;
    audit_flush(&trail->audit);
    audit_flush(&trail->audit);
    assert_false(trail->audit.failing);
    assert_false(audit_refuses(&trail->audit));
    assert_int_equal(block->gauges[GAUGE_AUDIT_FAILING], 0);
    for (unsigned i = 1; i <= 4; i++)
        assert_int_equal(count_line(written(trail), i), 1);
    assert_non_null(strstr(written(trail), "\"event\":\"audit_gap\""));
    assert_non_null(strstr(written(trail), "\"lost\":0,\"refused\":1}\n"));
}

/* A device that is full from the start, and no file at all. */
static void test_nothing_can_be_written(void **state)
{
    struct trail *trail = *state;

    audit_take(&trail->audit, open("/dev/full", O_WRONLY | O_CLOEXEC));
    say(trail, "one");
    audit_flush(&trail->audit);
    assert_true(trail->audit.failing);
    audit_take(&trail->audit, trail_open(trail));
    audit_flush(&trail->audit);
    assert_false(trail->audit.failing);
    assert_int_equal(count_line(written(trail), 1), 1);
    audit_close(&trail->audit);
    audit_configure(&trail->audit, &settings);
    say(trail, "two");
    audit_flush(&trail->audit);
    assert_true(trail->audit.failing && audit_refuses(&trail->audit));
}

static void test_memory_is_bounded(void **state)
{
    struct trail *trail = *state;
    struct scoreboard_block *block = &trail->work->blocks[1];

    audit_take(&trail->audit, open("/dev/full", O_WRONLY | O_CLOEXEC));
    for (int i = 0; i < 100000; i++)
        say(trail, "a line");
    assert_true(buffer_size(&trail->audit.out) <= AUDIT_WAITING_MAX);
    assert_true(block->counters[COUNT_AUDIT_LOST] > 0);
    audit_take(&trail->audit, trail_open(trail));
    audit_flush(&trail->audit);
    audit_flush(&trail->audit);
    assert_int_equal(block->counters[COUNT_AUDIT_LINES] + block->counters[COUNT_AUDIT_LOST],
                     100001);
}

/* Lines of several workers in one pipe must not mix; who does not read it, blocks nobody. */
static void test_a_pipe(void **state)
{
    struct trail *trail = *state;
    static char text[1 << 17];
    char value[6000];
    size_t taken = 0;
    int fds[2];

    memset(value, 'x', sizeof(value));
    value[sizeof(value) - 1] = '\0';
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    audit_take(&trail->audit, fds[1]); /* itself blocks */
    for (int i = 0; i < 40; i++)
        say(trail, i % 2 == 0 ? value : "short");
    audit_flush(&trail->audit);
    assert_true(buffer_size(&trail->audit.out) > 0);
    assert_false(trail->audit.failing);
    for (int i = 0; i < 100; i++) {
        ssize_t count = read(fds[0], text + taken, sizeof(text) - 1 - taken);

        taken += count > 0 ? (size_t)count : 0;
        audit_flush(&trail->audit);
    }
    text[taken] = '\0';
    assert_int_equal(buffer_size(&trail->audit.out), 0);
    for (char *at = strtok(text, "\n"); at != NULL; at = strtok(NULL, "\n")) {
        size_t size = strlen(at);

        assert_true(size < PIPE_BUF && at[size - 1] == '}');
        assert_int_equal(size > 3000, strstr(at, "\"cut\":true") != NULL);
    }
    close(fds[0]);
}

static void test_another_workers_half_line(void **state)
{
    struct trail *trail = *state;
    int fd = trail_open(trail);

    trail->work->blocks[0].pid = 1;
    trail->work->blocks[0].gauges[GAUGE_AUDIT_FAILING] = 1;
    trail->work->blocks[1].pid = 2;
    assert_int_equal(write(fd, "{\"half", 6), 6);
    close(fd);
    audit_tick(&trail->audit);
    say(trail, "one");
    audit_flush(&trail->audit);
    assert_memory_equal(written(trail), "{\"half\n{\"time\"", 14);
}

static void test_strangers(void **state)
{
    struct trail *trail = *state;
    struct settings_audit few = settings;

    few.refusals = 2;
    audit_configure(&trail->audit, &few);
    assert_true(audit_admits_stranger(&trail->audit));
    assert_true(audit_admits_stranger(&trail->audit));
    assert_false(audit_admits_stranger(&trail->audit));
    trail->audit.strangers.begun -= 1000;
    audit_tick(&trail->audit);
    audit_flush(&trail->audit);
    assert_non_null(strstr(written(trail), "\"event\":\"refusals_withheld\""));
    assert_non_null(strstr(written(trail), "\"count\":1}\n"));
}

static void test_an_end_is_told_once(void **state)
{
    struct trail *trail = *state;

    assert_true(audit_ends_session(&trail->audit, slice_from("jwt_0123456789abcdef")));
    assert_false(audit_ends_session(&trail->audit, slice_from("jwt_0123456789abcdef")));
    assert_true(audit_ends_session(&trail->audit, slice_from("jwt_0123456789abcdee")));
}

static void test_without_an_output(void **state)
{
    struct trail *trail = *state;

    say(trail, "last");
    audit_configure(&trail->audit, &(struct settings_audit){.refuse = true});
    assert_false(trail->audit.on);
    assert_int_equal(count_line(written(trail), 1), 1);
    assert_false(audit_refuses(&trail->audit));
}

#define AUDIT_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        AUDIT_TEST(test_lines_are_written_at_the_end_of_a_turn),
        AUDIT_TEST(test_a_new_file_gets_what_follows),
        AUDIT_TEST(test_a_torn_line_is_written_again),
        AUDIT_TEST(test_nothing_can_be_written),
        AUDIT_TEST(test_memory_is_bounded),
        AUDIT_TEST(test_a_pipe),
        AUDIT_TEST(test_another_workers_half_line),
        AUDIT_TEST(test_strangers),
        AUDIT_TEST(test_an_end_is_told_once),
        AUDIT_TEST(test_without_an_output),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
