#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "shared/clock.h"
#include "shared/roles.h"
#include "shared/session_store.h"
#include "tests/unit/shared/role_fixture.h"
#include "tests/unit/shared/session_example.h"

enum { PATIENCE = 30 * 1000 }; /* milliseconds: what is waited for comes within two seconds */

struct scene {
    char parent[64], state_dir[80], directory[96];
    struct store *store;
    struct role janitor;
};

static int start(void **state)
{
    static struct scene scene;
    struct store_options options = {.directory = scene.directory,
                                    .environment = STORE_SESSIONS,
                                    .writable = true,
                                    .map_size = 2 * 1024 * 1024};

    role_scratch(scene.parent, scene.state_dir);
    snprintf(scene.directory, sizeof(scene.directory), "%s/sessions", scene.state_dir);
    assert_int_equal(mkdir(scene.state_dir, 0755), 0);
    assert_int_equal(store_create(&options), 0);
    assert_int_equal(store_open(&scene.store, &options), 0);
    role_start(&scene.janitor, "janitor", -1, scene.state_dir);
    role_expect_ready(&scene.janitor);
    *state = &scene;
    return 0;
}

static int stop(void **state)
{
    struct scene *scene = *state;

    store_close(scene->store);
    role_scratch_remove(scene->parent, scene->state_dir);
    return 0;
}

static void put(struct store *store, const char *token, int64_t expires)
{
    struct session_record session = session_example();
    struct session_id id;

    session.expires = expires;
    session_id_make(&id, SESSION_KIND_JWT, session.app, slice_from(token));
    assert_int_equal(store_write_begin(store), 0);
    assert_int_equal(session_store_put(store, &id, &session), 0);
    assert_int_equal(store_commit(store), 0);
}

static uint64_t sessions(struct store *store)
{
    struct store_usage usage;

    store_turn_begin(store);
    assert_int_equal(store_usage(store, &usage), 0);
    store_turn_end(store);
    return usage.entries[STORE_SESSION];
}

/* Lets a moment go by; fails when too many have. */
static void wait_a_moment(int64_t deadline)
{
    assert_true(clock_monotonic_milliseconds() < deadline);
    poll(NULL, 0, 10);
}

static void drain(struct scene *scene)
{
    assert_int_equal(
        channel_send(scene->janitor.channel, MESSAGE_DRAIN, slice_make(NULL, 0), NULL, 0), 0);
    role_expect_exit(role_end(&scene->janitor), 0);
}

static void test_ended_sessions_are_swept_and_counted(void **state)
{
    struct scene *scene = *state;
    int64_t now = clock_wall_seconds();
    int64_t deadline = clock_monotonic_milliseconds() + PATIENCE;
    struct scoreboard_block *block = &scene->janitor.work->blocks[0];

    put(scene->store, "ended", now - 10);
    put(scene->store, "running", now + 1000);
    while (sessions(scene->store) != 1)
        wait_a_moment(deadline);
    drain(scene);
    assert_int_equal(sessions(scene->store), 1);
    assert_int_equal(atomic_load(&block->counters[COUNT_SESSIONS_EXPIRED]), 1);
}

static void test_the_heart_beats(void **state)
{
    struct scene *scene = *state;
    int64_t deadline = clock_monotonic_milliseconds() + PATIENCE;
    struct scoreboard_block *block = &scene->janitor.work->blocks[0];
    int64_t first = atomic_load(&block->heartbeat);

    assert_int_equal(atomic_load(&block->role), ROLE_JANITOR);
    assert_true(atomic_load(&block->ready));
    while (atomic_load(&block->heartbeat) == first)
        wait_a_moment(deadline);
    drain(scene);
}

/* A reader that died with a snapshot is cleared when master tells of a death. */
static void test_dead_readers_are_cleared_when_told(void **state)
{
    struct scene *scene = *state;
    int64_t deadline = clock_monotonic_milliseconds() + PATIENCE;
    struct role other;
    char line[160], count[16] = "";

    if (system("command -v mdb_stat >/dev/null") != 0)
        skip();
    role_start(&other, "janitor", -1, scene->state_dir);
    role_expect_ready(&other);
    assert_int_equal(kill(other.pid, SIGKILL), 0);
    role_end(&other);
    assert_int_equal(
        channel_send(scene->janitor.channel, MESSAGE_READER_CHECK, slice_make(NULL, 0), NULL, 0),
        0);
    snprintf(line, sizeof(line), "mdb_stat -r %s | grep -c '^ *%d '", scene->directory, other.pid);
    while (count[0] != '0') {
        FILE *pipe = popen(line, "r");

        assert_non_null(pipe);
        if (fgets(count, sizeof(count), pipe) == NULL)
            count[0] = '\0';
        pclose(pipe);
        wait_a_moment(deadline);
    }
    drain(scene);
}

static void test_ends_with_master(void **state)
{
    struct scene *scene = *state;

    close(scene->janitor.channel);
    scene->janitor.channel = -1;
    role_expect_exit(role_end(&scene->janitor), 0);
}

static void test_no_environment_is_1(void **state)
{
    char parent[64], state_dir[80];

    (void)state;
    role_scratch(parent, state_dir);
    role_expect_exit(role_run("janitor", -1, state_dir), EXIT_FAILURE);
    role_scratch_remove(parent, state_dir);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ended_sessions_are_swept_and_counted, start, stop),
        cmocka_unit_test_setup_teardown(test_the_heart_beats, start, stop),
        cmocka_unit_test_setup_teardown(test_dead_readers_are_cleared_when_told, start, stop),
        cmocka_unit_test_setup_teardown(test_ends_with_master, start, stop),
        cmocka_unit_test(test_no_environment_is_1),
    };

    if (argc > 1)
        return janitor_main(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
