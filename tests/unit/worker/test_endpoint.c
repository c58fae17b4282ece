#include "worker/endpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

/* An app of three endpoints, the board and a worker's memory. */
struct fixture {
    struct app_record app;
    struct health_board board;
    struct endpoint_memory *memory;
    struct endpoint_trials trials;
    double now;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    assert_int_equal(endpoint_memory_open(&fixture->memory), 0);
    fixture->now = 100;
    fixture->app.endpoint_count = 3;
    for (size_t i = 0; i < 3; i++) {
        struct app_endpoint *endpoint = &fixture->app.endpoints[i];

        endpoint->host = slice_from("127.0.0.1");
        endpoint->port = (uint16_t)(3001 + i);
        endpoint->address_count = 1;
        endpoint->id = app_endpoint_id(slice_from("a"), endpoint);
    }
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    endpoint_memory_close(fixture->memory);
    free(fixture);
    return 0;
}

static int choose(struct fixture *fixture)
{
    return endpoint_choose(fixture->memory, &fixture->board, &fixture->app, &fixture->trials,
                           fixture->now);
}

/* Of a request that has tried nothing: which endpoints are chosen, as bits. */
static unsigned chosen(struct fixture *fixture)
{
    unsigned bits = 0;

    for (int i = 0; i < 200; i++) {
        int index;

        fixture->trials = (struct endpoint_trials){0};
        index = choose(fixture);
        if (index >= 0)
            bits |= 1u << index;
    }
    fixture->trials = (struct endpoint_trials){0};
    return bits;
}

static void fails(struct fixture *fixture, int index, enum endpoint_failure failure)
{
    struct endpoint_seen *seen = endpoint_begin(fixture->memory, fixture->app.endpoints[index].id);

    endpoint_failed(seen, &fixture->app.health, failure, fixture->now);
    endpoint_end(seen);
}

static void test_each_is_tried_once(void **state)
{
    struct fixture *fixture = *state;
    unsigned bits = 0;

    for (int i = 0; i < 3; i++)
        bits |= 1u << choose(fixture);
    assert_int_equal(bits, 7);
    assert_int_equal(choose(fixture), -1);
    assert_int_equal(chosen(fixture), 7);
}

static void test_the_less_busy_of_two(void **state)
{
    struct fixture *fixture = *state;
    struct endpoint_seen *seen[2];

    seen[0] = endpoint_begin(fixture->memory, fixture->app.endpoints[0].id);
    assert_int_equal(chosen(fixture), 6); /* whichever two: the first is busier */
    seen[1] = endpoint_begin(fixture->memory, fixture->app.endpoints[2].id);
    assert_int_equal(chosen(fixture) & 2, 2);
    endpoint_end(seen[0]);
    endpoint_end(seen[1]);
    assert_int_equal(chosen(fixture), 7);
}

static void test_not_there(void **state)
{
    struct fixture *fixture = *state;

    fixture->app.endpoints[0].draining = true;
    fixture->app.endpoints[1].address_count = 0;
    assert_int_equal(chosen(fixture), 4);
}

static void test_the_dead_are_the_last_resort(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < 3; i++) {
        assert_int_equal(chosen(fixture) & 4, 4);
        if (i < 2)
            assert_true(health_board_set(&fixture->board, fixture->app.endpoints[i].id, true));
    }
    assert_int_equal(chosen(fixture), 4);
    assert_true(health_board_set(&fixture->board, fixture->app.endpoints[2].id, true));
    assert_int_equal(chosen(fixture), 7);
    assert_true(choose(fixture) >= 0);
    assert_int_equal(choose(fixture), -1); /* once for a request */
    fixture->trials = (struct endpoint_trials){0};
    for (int i = 0; i < 3; i++)
        fails(fixture, i, ENDPOINT_UNREACHABLE);
    assert_int_equal(chosen(fixture), 0); /* not what a request found dead */
    assert_true(health_board_set(&fixture->board, fixture->app.endpoints[1].id, false));
    assert_int_equal(chosen(fixture), 0);
    fixture->now += 1.001;
    assert_int_equal(choose(fixture), 1);
}

/* A server that took connections and failed requests is left alone only while there is another. */
static void test_the_doubted_come_before_a_refusal(void **state)
{
    struct fixture *fixture = *state;

    fails(fixture, 0, ENDPOINT_MISBEHAVED);
    assert_int_equal(chosen(fixture), 6);
    fails(fixture, 1, ENDPOINT_UNREACHABLE);
    assert_true(health_board_set(&fixture->board, fixture->app.endpoints[2].id, true));
    assert_int_equal(chosen(fixture), 1); /* before what the probes call dead */
    assert_int_equal(choose(fixture), 0);
    assert_int_equal(choose(fixture), -1); /* once for a request */
    fixture->trials = (struct endpoint_trials){0};
    /* When it was killed meanwhile, the next request learns it. */
    fails(fixture, 0, ENDPOINT_UNREACHABLE);
    assert_int_equal(chosen(fixture), 4);
    fails(fixture, 2, ENDPOINT_MISBEHAVED);
    assert_int_equal(chosen(fixture), 0); /* dead by both */
    assert_true(health_board_set(&fixture->board, fixture->app.endpoints[2].id, false));
    assert_int_equal(chosen(fixture), 4);
    endpoint_succeeded(endpoint_begin(fixture->memory, fixture->app.endpoints[2].id));
    assert_int_equal(choose(fixture), 2);
}

/* A failure of the last resort prolongs the mark, but is not one more in a row. */
static void test_doubts_do_not_double(void **state)
{
    struct fixture *fixture = *state;

    fixture->app.endpoint_count = 1;
    fails(fixture, 0, ENDPOINT_MISBEHAVED);
    for (int i = 0; i < 3; i++) {
        fixture->now += 0.999;
        assert_int_equal(choose(fixture), 0);
        assert_true(fixture->trials.desperate);
        fixture->trials = (struct endpoint_trials){0};
        fails(fixture, 0, ENDPOINT_MISBEHAVED);
    }
    fixture->now += 1.001;
    assert_int_equal(choose(fixture), 0);
    assert_false(fixture->trials.desperate);
}

static void test_marks_grow_and_end(void **state)
{
    static const int marks[] = {1000, 2000, 4000, 8000, 16000, 30000, 30000};
    struct fixture *fixture = *state;

    fixture->app.endpoint_count = 1;
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        fails(fixture, 0, ENDPOINT_UNREACHABLE);
        fails(fixture, 0, ENDPOINT_UNREACHABLE); /* was under way with it */
        fixture->now += marks[i] / 1000. - 0.001;
        assert_int_equal(chosen(fixture), 0);
        fixture->now += 0.002;
        assert_int_equal(choose(fixture), 0);
        fixture->trials = (struct endpoint_trials){0};
        assert_int_equal(choose(fixture), -1); /* one tries it */
        fixture->trials = (struct endpoint_trials){0};
    }
    endpoint_succeeded(endpoint_begin(fixture->memory, fixture->app.endpoints[0].id));
    assert_int_equal(chosen(fixture), 1);
}

/* What the probes see as well is marked only until the next of them. */
static void test_probes_end_marks(void **state)
{
    struct fixture *fixture = *state;

    fixture->app.endpoint_count = 1;
    fixture->app.health = (struct app_health){.probe = APP_PROBE_TCP, .interval = 500};
    fails(fixture, 0, ENDPOINT_UNREACHABLE);
    fixture->now += 0.501;
    assert_int_equal(choose(fixture), 0);
    fixture->trials = (struct endpoint_trials){0};
    fails(fixture, 0, ENDPOINT_MISBEHAVED); /* a connection can be made all the same */
    fixture->now += 0.501;
    assert_int_equal(choose(fixture), 0);
    assert_true(fixture->trials.desperate); /* it is marked still */
}

static bool keep_none(void *context, uint64_t id)
{
    return id == *(uint64_t *)context;
}

static void test_board(void **state)
{
    struct fixture *fixture = *state;
    uint64_t kept = 5;

    for (uint64_t i = 0; i < HEALTH_BUCKET_SLOTS; i++)
        assert_true(health_board_set(&fixture->board, 5 + i * HEALTH_BUCKETS, true));
    assert_true(health_board_set(&fixture->board, 5, true));
    assert_false(health_board_set(&fixture->board, 5 + 8 * HEALTH_BUCKETS, true));
    assert_false(health_board_is_dead(&fixture->board, 5 + 8 * HEALTH_BUCKETS));
    assert_true(health_board_is_dead(&fixture->board, 5 + 7 * HEALTH_BUCKETS));
    health_board_sweep(&fixture->board, keep_none, &kept);
    assert_true(health_board_is_dead(&fixture->board, 5));
    assert_false(health_board_is_dead(&fixture->board, 5 + 7 * HEALTH_BUCKETS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_is_tried_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_less_busy_of_two, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_dead_are_the_last_resort, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_doubted_come_before_a_refusal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_doubts_do_not_double, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_marks_grow_and_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_probes_end_marks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_board, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
