#include "shared/scoreboard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_boards_are_sealed_and_close_on_exec(void **state)
{
    int fds[2];

    (void)state;
    assert_int_equal(scoreboard_create(geteuid(), &fds[0], &fds[1]), 0);
    for (int i = 0; i < 2; i++) {
        struct stat status;

        assert_true(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
        assert_int_equal(ftruncate(fds[i], 0), -1);
        assert_int_equal(ftruncate(fds[i], 1 << 20), -1);
        assert_int_equal(fcntl(fds[i], F_ADD_SEALS, F_SEAL_WRITE), -1);
        assert_int_equal(fstat(fds[i], &status), 0);
        assert_int_equal(status.st_mode & 0777, 0600);
        close(fds[i]);
    }
}

static void test_readers_cannot_write_the_public_board(void **state)
{
    int public, work, reader;
    struct scoreboard_public *writer_map, *reader_map;

    (void)state;
    assert_int_equal(scoreboard_create(geteuid(), &public, &work), 0);
    reader = scoreboard_reopen_read_only(public);
    assert_true(reader >= 0);
    assert_int_equal(scoreboard_map_public(reader, 1, &writer_map), -EACCES);
    assert_int_equal(write(reader, "x", 1), -1);
    assert_int_equal(scoreboard_map_public(public, 1, &writer_map), 0);
    assert_int_equal(scoreboard_map_public(reader, 0, &reader_map), 0);
    atomic_store(&writer_map->generation, 42);
    assert_int_equal(atomic_load(&reader_map->generation), 42);
    munmap(writer_map, sizeof(*writer_map));
    munmap(reader_map, sizeof(*reader_map));
    close(reader);
    close(public);
    close(work);
}

static void test_a_board_of_another_size_is_refused(void **state)
{
    int fd = memfd_create("other", MFD_CLOEXEC);
    struct scoreboard_work *work;
    struct scoreboard_public *public;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 8), 0);
    assert_int_equal(scoreboard_map_work(fd, &work), -EINVAL);
    assert_int_equal(scoreboard_map_public(fd, 0, &public), -EINVAL);
    close(fd);
}

static void test_sums_are_over_totals_and_living_blocks(void **state)
{
    int public, work_fd;
    struct scoreboard_work *work;

    (void)state;
    assert_int_equal(scoreboard_create(geteuid(), &public, &work_fd), 0);
    assert_int_equal(scoreboard_map_work(work_fd, &work), 0);
    scoreboard_count(&work->totals, COUNT_REQUESTS);
    for (int i = 0; i < 3; i++) {
        scoreboard_count(&work->blocks[i], COUNT_REQUESTS);
        scoreboard_count(&work->blocks[i], COUNT_REQUESTS);
        scoreboard_set(&work->blocks[i], GAUGE_STREAMS, 10);
    }
    atomic_store(&work->blocks[0].pid, 100);
    atomic_store(&work->blocks[2].pid, 102);
    assert_int_equal(scoreboard_sum(work, COUNT_REQUESTS), 5);
    assert_int_equal(scoreboard_sum(work, COUNT_RESPAWNS), 0);
    assert_int_equal(scoreboard_gauge_sum(work, GAUGE_STREAMS), 20);
    munmap(work, sizeof(*work));
    close(public);
    close(work_fd);
}

static void test_everything_has_a_name(void **state)
{
    (void)state;
    for (int i = 0; i < COUNTERS; i++)
        assert_non_null(scoreboard_counter_name((enum scoreboard_counter)i));
    for (int i = 0; i < GAUGES; i++)
        assert_non_null(scoreboard_gauge_name((enum scoreboard_gauge)i));
    assert_null(scoreboard_counter_name(COUNTERS));
    assert_null(scoreboard_gauge_name(GAUGES));
    assert_string_equal(scoreboard_counter_name(COUNT_REQUESTS), "requests_total");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_boards_are_sealed_and_close_on_exec),
        cmocka_unit_test(test_readers_cannot_write_the_public_board),
        cmocka_unit_test(test_a_board_of_another_size_is_refused),
        cmocka_unit_test(test_sums_are_over_totals_and_living_blocks),
        cmocka_unit_test(test_everything_has_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
