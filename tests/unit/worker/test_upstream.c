#include "worker/upstream.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/shared/loopback.h"
#include "tests/unit/worker/worker_fixture.h"

/* A worker with nothing but a loop, limits and a pool; and a server's socket. */
struct fixture {
    struct worker *worker;
    struct scoreboard_block block;
    struct upstream_target target;
    int server;
    int opened;
    int ready;
    char failure[TLS_REASON_MAX];
};

static void on_opened(struct upstream *upstream, const char *failure)
{
    struct fixture *fixture = upstream->owner;

    fixture->opened++;
    if (failure != NULL)
        snprintf(fixture->failure, sizeof(fixture->failure), "%s", failure);
    ev_break(upstream->worker->loop, EVBREAK_ALL);
}

static void on_ready(struct upstream *upstream, int events)
{
    struct fixture *fixture = upstream->owner;

    (void)events;
    fixture->ready++;
    ev_break(upstream->worker->loop, EVBREAK_ALL);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    fixture->worker = worker_fixture_make(&fixture->block);
    fixture->worker->child.settings.limits.connect_timeout = 5000;
    fixture->worker->child.settings.limits.upstream_pool = 2;
    fixture->server = loopback_listen("127.0.0.1", &fixture->target.port, 0);
    snprintf(fixture->target.address, sizeof(fixture->target.address), "127.0.0.1");
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    worker_fixture_free(fixture->worker);
    close(fixture->server);
    free(fixture);
    return 0;
}

static struct upstream *take(struct fixture *fixture, bool fresh)
{
    struct upstream *upstream;

    assert_int_equal(upstream_take(fixture->worker, &fixture->target, fresh, &upstream), 0);
    upstream->owner = fixture;
    upstream->opened = on_opened;
    upstream->ready = on_ready;
    if (upstream->state != UPSTREAM_BUSY)
        ev_run(fixture->worker->loop, 0);
    return upstream;
}

static uint64_t counted(const struct fixture *fixture, enum scoreboard_counter counter)
{
    return atomic_load(&fixture->block.counters[counter]);
}

static void test_an_idle_connection_serves_again(void **state)
{
    struct fixture *fixture = *state;
    struct upstream *first = take(fixture, false);

    assert_int_equal(fixture->opened, 1);
    assert_false(first->reused);
    upstream_give_back(first, 60000);
    assert_ptr_equal(take(fixture, false), first);
    assert_true(first->reused);
    assert_int_equal(counted(fixture, COUNT_UPSTREAM_CONNECTS), 1);
    assert_int_equal(counted(fixture, COUNT_UPSTREAM_REUSED), 1);
    upstream_close(first);
}

static void test_fresh_and_other_targets_do_not_share(void **state)
{
    struct fixture *fixture = *state;
    struct upstream *first = take(fixture, false);
    struct upstream *second;

    upstream_give_back(first, 60000);
    second = take(fixture, true);
    assert_ptr_not_equal(second, first);
    upstream_close(second);
    fixture->target.host = slice_from("other.example");
    second = take(fixture, false);
    assert_ptr_not_equal(second, first);
    upstream_close(second);
}

static void test_closed_by_the_server_while_idle(void **state)
{
    struct fixture *fixture = *state;
    struct upstream *first = take(fixture, false);
    struct upstream *second;
    int peer = accept(fixture->server, NULL, NULL);

    upstream_give_back(first, 60000);
    close(peer);
    while (first->state == UPSTREAM_IDLE)
        ev_run(fixture->worker->loop, EVRUN_ONCE);
    assert_int_equal(first->state, UPSTREAM_CLOSED);
    second = take(fixture, false);
    assert_ptr_not_equal(second, first);
    assert_int_equal(counted(fixture, COUNT_UPSTREAM_REUSED), 0);
    upstream_close(second);
}

/* The end has come, but the loop has not told yet: a POST sent there would be answered 502. One
 * that was used a moment ago is taken without this look. */
static void test_closed_by_the_server_in_this_very_turn(void **state)
{
    struct fixture *fixture = *state;
    struct upstream *first = take(fixture, false);
    struct upstream *second;
    int peer = accept(fixture->server, NULL, NULL);

    upstream_give_back(first, 60000);
    first->idle_since -= 1.;
    close(peer);
    second = take(fixture, false);
    assert_ptr_not_equal(second, first);
    assert_false(second->reused);
    assert_int_equal(first->state, UPSTREAM_CLOSED);
    upstream_close(second);
}

static void test_unasked_bytes_end_an_idle_connection(void **state)
{
    struct fixture *fixture = *state;
    struct upstream *first = take(fixture, false);
    int peer = accept(fixture->server, NULL, NULL);

    upstream_give_back(first, 60000);
    assert_int_equal(write(peer, "HTTP/1.1 200 OK\r\n", 17), 17);
    while (first->state == UPSTREAM_IDLE)
        ev_run(fixture->worker->loop, EVRUN_ONCE);
    assert_int_equal(first->state, UPSTREAM_CLOSED);
    close(peer);
}

static void test_none_outlives_its_idle_time(void **state)
{
    struct fixture *fixture = *state;
    struct upstream *first = take(fixture, false);

    upstream_give_back(first, 20);
    while (first->state == UPSTREAM_IDLE)
        ev_run(fixture->worker->loop, EVRUN_ONCE);
    assert_int_equal(first->state, UPSTREAM_CLOSED);
}

static void test_the_pool_has_a_limit_and_none_while_draining(void **state)
{
    struct fixture *fixture = *state;
    struct upstream *taken[3];

    for (size_t i = 0; i < 3; i++)
        taken[i] = take(fixture, true);
    for (size_t i = 0; i < 3; i++)
        upstream_give_back(taken[i], 60000);
    assert_int_equal(taken[1]->state, UPSTREAM_IDLE);
    assert_int_equal(taken[2]->state, UPSTREAM_CLOSED);
    fixture->worker->draining = true;
    upstream_pool_clear(fixture->worker->upstreams);
    assert_int_equal(taken[0]->state, UPSTREAM_CLOSED);
    taken[0] = take(fixture, false);
    upstream_give_back(taken[0], 60000);
    assert_int_equal(taken[0]->state, UPSTREAM_CLOSED);
}

static void test_a_refused_connection_says_so(void **state)
{
    struct fixture *fixture = *state;
    struct upstream *upstream;
    int error;

    shutdown(fixture->server, SHUT_RDWR); /* nobody listens, and the port stays ours */
    error = upstream_take(fixture->worker, &fixture->target, false, &upstream);
    if (error == 0) {
        upstream->owner = fixture;
        upstream->opened = on_opened;
        ev_run(fixture->worker->loop, 0);
        assert_string_equal(fixture->failure, strerror(ECONNREFUSED));
        upstream_close(upstream);
    } else {
        assert_int_equal(error, -ECONNREFUSED);
    }
    snprintf(fixture->target.address, sizeof(fixture->target.address), "not an address");
    assert_int_equal(upstream_take(fixture->worker, &fixture->target, false, &upstream), -EINVAL);
    assert_null(upstream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_an_idle_connection_serves_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fresh_and_other_targets_do_not_share, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_closed_by_the_server_while_idle, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_closed_by_the_server_in_this_very_turn, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_unasked_bytes_end_an_idle_connection, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_none_outlives_its_idle_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_pool_has_a_limit_and_none_while_draining, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_refused_connection_says_so, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
