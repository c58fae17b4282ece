#include "shared/session_sweep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "shared/session_store.h"
#include "tests/unit/shared/session_example.h"
#include "tests/unit/shared/store_fixture.h"

enum { NOW = 1790000000 };

static struct session_id id_of(int number)
{
    struct session_id id;

    session_id_make(&id, SESSION_KIND_JWT, slice_from("weather"),
                    slice_make((const char *)&number, sizeof(number)));
    return id;
}

/* `count` sessions that end at `expires`, numbered from `first`. */
static void put(struct store *store, int first, int count, int64_t expires)
{
    struct session_record session = session_example();

    session.expires = expires;
    assert_int_equal(store_write_begin(store), 0);
    for (int i = first; i < first + count; i++) {
        struct session_id id = id_of(i);

        assert_int_equal(session_store_put(store, &id, &session), 0);
    }
    assert_int_equal(store_commit(store), 0);
}

static void expect_sessions(struct store *store, uint64_t count)
{
    struct store_usage usage;

    assert_int_equal(store_usage(store, &usage), 0);
    assert_int_equal(usage.entries[STORE_SESSION], count);
    assert_int_equal(usage.entries[STORE_SESSIONS_BY_USER], count);
    assert_int_equal(usage.entries[STORE_SESSIONS_BY_ID], count);
    store_turn_end(store);
}

static bool has(struct store *store, int number)
{
    struct session_id id = id_of(number);
    struct session_record session;
    int error = session_store_find(store, &id, &session);

    store_turn_end(store);
    assert_true(error == 0 || error == -ENOENT);
    return error == 0;
}

static void sweep(struct store *store, size_t expected_swept, size_t expected_removed)
{
    size_t swept = 999, removed = 999;

    assert_int_equal(session_sweep(store, NOW, &swept, &removed, NULL), 0);
    assert_int_equal(swept, expected_swept);
    assert_int_equal(removed, expected_removed);
}

static void test_only_ended_sessions_go(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;

    sweep(store, 0, 0);
    put(store, 1, 1, NOW - 1);
    put(store, 2, 1, NOW);
    put(store, 3, 1, NOW + 1);
    put(store, 4, 1, 0);
    sweep(store, 3, 3);
    assert_true(has(store, 3));
    expect_sessions(store, 1);
    sweep(store, 0, 0);
}

static void test_one_batch_at_a_time(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    uint64_t before;

    put(store, 0, SESSION_SWEEP_BATCH + 10, NOW - 5);
    put(store, 1000, 10, NOW + 5);
    before = store_last_write(store);
    sweep(store, SESSION_SWEEP_BATCH, SESSION_SWEEP_BATCH);
    assert_int_equal(store_last_write(store), before + 1);
    expect_sessions(store, 20);
    sweep(store, 10, 10);
    expect_sessions(store, 10);
    /* Nothing to do takes no transaction. */
    before = store_last_write(store);
    sweep(store, 0, 0);
    assert_int_equal(store_last_write(store), before);
}

static void test_entries_that_lead_nowhere_go(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct session_id id = id_of(7);
    char key[128];

    snprintf(key, sizeof(key), "%016x/%016x/%s", NOW - 10, 1, id.text);
    assert_int_equal(store_fixture_put(store, STORE_SESSION, key, slice_from("1")), 0);
    assert_int_equal(store_fixture_put(store, STORE_SESSION, "-junk", slice_from("")), 0);
    put(store, 7, 1, NOW + 10);
    sweep(store, 2, 0);
    assert_true(has(store, 7));
    expect_sessions(store, 1);
}

static void test_the_soonest_go_first(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    size_t removed = 999;

    for (int i = 0; i < 10; i++)
        put(store, i, 1, NOW + 100 - i);
    assert_int_equal(session_sweep_soonest(store, 3, &removed), 0);
    assert_int_equal(removed, 3);
    expect_sessions(store, 7);
    assert_true(has(store, 6));
    assert_false(has(store, 7));
    assert_int_equal(session_sweep_soonest(store, 0, &removed), 0);
    assert_int_equal(removed, 0);
    assert_int_equal(session_sweep_soonest(store, 100000, &removed), 0);
    assert_int_equal(removed, 7);
    expect_sessions(store, 0);
}

/* From full to room again, as the janitor does it. */
static void test_a_full_store_gets_room(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct session_record session = session_example();
    struct store_usage usage;
    int number = 0, error = 0;

    session.expires = NOW + 1000;
    while (error == 0 && number < 10000) {
        struct session_id id = id_of(number++);

        assert_int_equal(store_write_begin(store), 0);
        error = session_store_put(store, &id, &session);
        if (error != 0)
            store_abort(store);
        else
            error = store_commit(store);
    }
    assert_int_equal(error, -ENOSPC);
    assert_int_equal(store_usage(store, &usage), 0);
    store_turn_end(store);
    assert_true(session_sweep_crowded(&usage));
    for (int i = 0; i < 100 && session_sweep_crowded(&usage); i++) {
        size_t removed;

        assert_int_equal(session_sweep_soonest(store, SESSION_SWEEP_BATCH, &removed), 0);
        assert_int_equal(store_usage(store, &usage), 0);
        store_turn_end(store);
    }
    assert_false(session_sweep_crowded(&usage));
    assert_true(usage.entries[STORE_SESSION] > 0);
    put(store, 20000, 1, NOW + 1000);
}

static void test_a_failure_is_told(void **state)
{
    struct store_fixture *fixture = *state;
    size_t swept = 999, removed = 999;

    put(fixture->store, 1, 1, NOW - 1);
    store_close(fixture->store);
    fixture->options.writable = false;
    assert_int_equal(store_open(&fixture->store, &fixture->options), 0);
    assert_int_equal(session_sweep(fixture->store, NOW, &swept, &removed, NULL), -EBADF);
    assert_int_equal(swept, 0);
    assert_int_equal(removed, 0);
}

static void test_crowded(void **state)
{
    struct store_usage usage = {.map_size = 1000, .used = 799};

    (void)state;
    assert_false(session_sweep_crowded(&usage));
    usage.used = 800;
    assert_true(session_sweep_crowded(&usage));
}

#define ON_STORE(test) \
    cmocka_unit_test_setup_teardown(test, store_fixture_sessions, store_fixture_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STORE(test_only_ended_sessions_go),
        ON_STORE(test_one_batch_at_a_time),
        ON_STORE(test_entries_that_lead_nowhere_go),
        ON_STORE(test_the_soonest_go_first),
        ON_STORE(test_a_full_store_gets_room),
        ON_STORE(test_a_failure_is_told),
        cmocka_unit_test(test_crowded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
