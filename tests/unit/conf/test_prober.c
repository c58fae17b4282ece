/* When endpoints are asked, when they are said to be dead and alive, and what goes on through a
 * change of their app. The servers run in the same loop. */
#include "conf/prober.h"

#include <errno.h>
#include <ev.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/shared/loopback.h"

enum {
    APPS_MAX = 16,
    INTERVAL = 2,      /* milliseconds */
    TIMEOUT = 20000,   /* milliseconds */
    PATIENCE_MAX = 20, /* seconds that a condition is waited for */
};

#define OK "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
#define EMPTY "Content-Length: 0\r\n\r\n"

/* Answers every request with a text, or with nothing. Counts connections. */
struct peer {
    struct ev_loop *loop;
    ev_io listener;
    uint16_t port;
    const char *answer; /* NULL: hangs */
    const char *begun;  /* to POST */
    unsigned requests, deletes;
    unsigned open, open_max;
};

struct peer_connection {
    struct peer *peer;
    ev_io io;
    size_t size;
    char text[4096];
};

struct fixture {
    struct ev_loop *loop;
    struct prober *prober;
    struct health_board *board;
    struct scoreboard_block *block;
    struct registry_slot slots[APPS_MAX];
    struct registry_slot *list[APPS_MAX];
    struct peer peers[2];
    bool stopped;
};

static void on_request(struct ev_loop *loop, ev_io *io, int events)
{
    struct peer_connection *connection = io->data;
    struct peer *peer = connection->peer;
    ssize_t got = recv(io->fd, connection->text + connection->size,
                       sizeof(connection->text) - 1 - connection->size, 0);
    const char *answer = peer->answer;
    const char *text = connection->text;

    (void)events;
    if (got <= 0) {
        ev_io_stop(loop, io);
        close(io->fd);
        peer->open--;
        free(connection);
        return;
    }
    connection->size += (size_t)got;
    connection->text[connection->size] = '\0';
    if (strstr(text, "\r\n\r\n") == NULL)
        return;
    peer->requests++;
    peer->deletes += strncmp(text, "DELETE ", 7) == 0;
    if (strncmp(text, "POST ", 5) == 0 && peer->begun != NULL)
        answer = peer->begun;
    if (answer != NULL)
        assert_true(send(io->fd, answer, strlen(answer), MSG_NOSIGNAL) > 0);
}

static void on_connection(struct ev_loop *loop, ev_io *io, int events)
{
    struct peer *peer = io->data;
    struct peer_connection *connection;
    int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    (void)events;
    if (fd < 0)
        return;
    connection = calloc(1, sizeof(*connection));
    connection->peer = peer;
    ev_io_init(&connection->io, on_request, fd, EV_READ);
    connection->io.data = connection;
    ev_io_start(loop, &connection->io);
    if (++peer->open > peer->open_max)
        peer->open_max = peer->open;
}

static void peer_listen(struct peer *peer)
{
    int fd = loopback_listen("127.0.0.1", &peer->port, SOCK_NONBLOCK);

    ev_io_init(&peer->listener, on_connection, fd, EV_READ);
    peer->listener.data = peer;
    ev_io_start(peer->loop, &peer->listener);
}

static void peer_kill(struct peer *peer)
{
    ev_io_stop(peer->loop, &peer->listener);
    close(peer->listener.fd);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    fixture->loop = ev_loop_new(EVFLAG_AUTO);
    fixture->board = aligned_alloc(64, sizeof(*fixture->board));
    fixture->block = aligned_alloc(64, sizeof(*fixture->block));
    memset(fixture->board, 0, sizeof(*fixture->board));
    memset(fixture->block, 0, sizeof(*fixture->block));
    for (int i = 0; i < 2; i++) {
        fixture->peers[i].loop = fixture->loop;
        fixture->peers[i].answer = OK EMPTY;
        peer_listen(&fixture->peers[i]);
    }
    assert_int_equal(prober_open(&fixture->prober, fixture->loop, fixture->board, fixture->block),
                     0);
    *state = fixture;
    return 0;
}

/* What is left in the loop are the servers and their connections, which end. */
static int teardown(void **state)
{
    struct fixture *fixture = *state;

    prober_close(fixture->prober);
    for (int i = 0; i < 2; i++)
        if (ev_is_active(&fixture->peers[i].listener))
            peer_kill(&fixture->peers[i]);
    ev_run(fixture->loop, 0);
    for (size_t i = 0; i < APPS_MAX; i++)
        registry_entry_free(fixture->slots[i].good);
    ev_loop_destroy(fixture->loop);
    free(fixture->board);
    free(fixture->block);
    free(fixture);
    return 0;
}

/* Of an app "app" with the peers' endpoints. */
static struct app_record record_of(const struct fixture *fixture, enum app_probe probe)
{
    struct app_record record = {
        .name = slice_from("app"),
        .transport = APP_MCP_HTTP,
        .endpoint_count = 2,
        .health = {.probe = probe,
                   .path = slice_from("/"),
                   .interval = INTERVAL,
                   .timeout = TIMEOUT,
                   .rise = 2,
                   .fall = 3},
    };

    for (int i = 0; i < 2; i++)
        record.endpoints[i] = (struct app_endpoint){.host = slice_from("localhost"),
                                                    .port = fixture->peers[i].port,
                                                    .path = slice_from("/mcp"),
                                                    .addresses = {slice_from("127.0.0.1")},
                                                    .address_count = 1};
    return record;
}

/* The id of a peer's endpoint. */
static uint64_t id_of(const struct fixture *fixture, int peer)
{
    struct app_record record = record_of(fixture, APP_PROBE_TCP);

    return app_endpoint_id(record.name, &record.endpoints[peer]);
}

static bool is_dead(const struct fixture *fixture, int peer)
{
    return health_board_is_dead(fixture->board, id_of(fixture, peer));
}

static uint64_t counted(const struct fixture *fixture, enum scoreboard_counter counter)
{
    return atomic_load(&fixture->block->counters[counter]);
}

static uint64_t gauge(const struct fixture *fixture, enum scoreboard_gauge gauge)
{
    return atomic_load(&fixture->block->gauges[gauge]);
}

/* `records` are all there is, sorted by name. */
static void follow(struct fixture *fixture, const struct app_record *records, size_t count)
{
    struct document_record origin = {.good_hash = slice_from("-")};
    struct registry_list list = {.slots = fixture->list, .count = count};

    for (size_t i = 0; i < count; i++) {
        registry_entry_free(fixture->slots[i].good);
        assert_int_equal(
            registry_entry_make(DOCUMENT_APP, &records[i], &origin, &fixture->slots[i].good), 0);
        fixture->slots[i].kind = DOCUMENT_APP;
        fixture->slots[i].name = fixture->slots[i].good->app.name;
        fixture->list[i] = &fixture->slots[i];
    }
    assert_int_equal(prober_follow(fixture->prober, &list), 0);
}

static void follow_one(struct fixture *fixture, struct app_record record)
{
    follow(fixture, &record, 1);
}

static void on_patience(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)timer;
    (void)events;
    fail_msg("waited in vain");
}

#define RUN_UNTIL(fixture, condition)                            \
    do {                                                         \
        ev_timer patience;                                       \
        ev_timer_init(&patience, on_patience, PATIENCE_MAX, 0.); \
        ev_now_update((fixture)->loop);                          \
        ev_timer_start((fixture)->loop, &patience);              \
        while (!(condition))                                     \
            ev_run((fixture)->loop, EVRUN_ONCE);                 \
        ev_timer_stop((fixture)->loop, &patience);               \
    } while (0)

static void run_probes(struct fixture *fixture, unsigned count)
{
    uint64_t enough = counted(fixture, COUNT_HEALTH_PROBES) + count;

    RUN_UNTIL(fixture, counted(fixture, COUNT_HEALTH_PROBES) >= enough);
}

static void test_counts_rise_and_fall(void **state)
{
    struct fixture *fixture = *state;
    unsigned requests;

    follow_one(fixture, record_of(fixture, APP_PROBE_HTTP));
    run_probes(fixture, 10);
    assert_false(is_dead(fixture, 0) || is_dead(fixture, 1));
    assert_int_equal(gauge(fixture, GAUGE_ENDPOINTS_PROBED), 2);
    requests = fixture->peers[0].requests;
    fixture->peers[0].answer = "HTTP/1.1 503 No\r\n" EMPTY;
    RUN_UNTIL(fixture, is_dead(fixture, 0));
    /* Three that failed; one that was under way before may have been good. */
    assert_in_range(fixture->peers[0].requests - requests, 3, 4);
    assert_int_equal(gauge(fixture, GAUGE_ENDPOINTS_DEAD), 1);
    requests = fixture->peers[0].requests;
    fixture->peers[0].answer = OK EMPTY;
    RUN_UNTIL(fixture, !is_dead(fixture, 0));
    assert_in_range(fixture->peers[0].requests - requests, 2, 3);
    assert_int_equal(counted(fixture, COUNT_HEALTH_TRANSITIONS), 2);
    assert_int_equal(gauge(fixture, GAUGE_ENDPOINTS_DEAD), 0);
    assert_false(is_dead(fixture, 1));
    assert_int_equal(fixture->peers[0].open_max, 1);
}

static void test_connections_alone_for_tcp(void **state)
{
    struct fixture *fixture = *state;

    follow_one(fixture, record_of(fixture, APP_PROBE_TCP));
    peer_kill(&fixture->peers[1]);
    RUN_UNTIL(fixture, is_dead(fixture, 1));
    peer_listen(&fixture->peers[1]);
    RUN_UNTIL(fixture, !is_dead(fixture, 1));
    assert_int_equal(fixture->peers[0].requests + fixture->peers[1].requests, 0);
    assert_false(is_dead(fixture, 0));
}

/* A change that leaves the endpoint leaves what is known of it; one that takes it away forgets. */
static void test_what_is_known_goes_on_with_the_endpoint(void **state)
{
    struct fixture *fixture = *state;
    struct app_record record = record_of(fixture, APP_PROBE_HTTP);

    fixture->peers[1].answer = "HTTP/1.1 503 No\r\n" EMPTY;
    follow_one(fixture, record);
    RUN_UNTIL(fixture, is_dead(fixture, 1));
    record.description = slice_from("another version");
    follow_one(fixture, record);
    assert_true(is_dead(fixture, 1));
    run_probes(fixture, 10);
    assert_true(is_dead(fixture, 1));
    assert_int_equal(counted(fixture, COUNT_HEALTH_TRANSITIONS), 1);
    record.endpoint_count = 1;
    follow_one(fixture, record);
    assert_false(is_dead(fixture, 1));
    assert_int_equal(gauge(fixture, GAUGE_ENDPOINTS_PROBED), 1);
    assert_int_equal(gauge(fixture, GAUGE_ENDPOINTS_DEAD), 0);
    record = record_of(fixture, APP_PROBE_HTTP);
    follow_one(fixture, record);
    RUN_UNTIL(fixture, is_dead(fixture, 1));
    record.health = (struct app_health){0};
    follow_one(fixture, record);
    assert_false(is_dead(fixture, 1));
    assert_int_equal(gauge(fixture, GAUGE_ENDPOINTS_PROBED), 0);
}

/* Its name now leads elsewhere: the endpoint is the same. */
static void test_follows_addresses(void **state)
{
    struct fixture *fixture = *state;
    struct app_record record = record_of(fixture, APP_PROBE_TCP);

    record.endpoints[0].addresses[0] = slice_from("127.0.0.9");
    follow_one(fixture, record);
    RUN_UNTIL(fixture, is_dead(fixture, 0));
    record.endpoints[0].addresses[1] = slice_from("127.0.0.1");
    record.endpoints[0].address_count = 2;
    follow_one(fixture, record);
    assert_true(is_dead(fixture, 0)); /* until probes say otherwise */
    RUN_UNTIL(fixture, !is_dead(fixture, 0));
    record.endpoints[0].address_count = 0;
    follow_one(fixture, record);
    RUN_UNTIL(fixture, is_dead(fixture, 0));
}

/* Changes come faster than probes are due: those come nevertheless. */
static void test_changes_do_not_put_probes_off(void **state)
{
    struct fixture *fixture = *state;
    struct app_record record = record_of(fixture, APP_PROBE_TCP);
    char text[32];

    record.health.interval = 200;
    follow_one(fixture, record);
    for (unsigned i = 0; counted(fixture, COUNT_HEALTH_PROBES) < 4; i++) {
        assert_true(i < 4000);
        snprintf(text, sizeof(text), "version %u", i);
        record.description = slice_from(text);
        follow_one(fixture, record);
        ev_sleep(0.001);
        ev_run(fixture->loop, EVRUN_NOWAIT);
    }
}

/* The server is slow, and its app changes: there is still one connection, and the answer counts. */
static void test_a_change_leaves_the_running_probe(void **state)
{
    struct fixture *fixture = *state;
    struct app_record record = record_of(fixture, APP_PROBE_HTTP);

    record.health.fall = 1;
    fixture->peers[0].answer = NULL;
    record.health.timeout = 300;
    follow_one(fixture, record);
    RUN_UNTIL(fixture, fixture->peers[0].requests == 1);
    for (int i = 0; i < 5; i++) {
        record.description = slice_from(i % 2 == 0 ? "a" : "b");
        follow_one(fixture, record);
        run_probes(fixture, 2);
    }
    assert_int_equal(fixture->peers[0].requests, 1);
    RUN_UNTIL(fixture, is_dead(fixture, 0));
    assert_int_equal(fixture->peers[0].open_max, 1);
    assert_int_equal(fixture->peers[1].open_max, 1);
}

/* The app goes while a probe has begun a session: it is ended nevertheless. And when the app comes
 * back meanwhile, there is one connection. */
static void test_a_change_leaves_no_session(void **state)
{
    struct fixture *fixture = *state;
    struct app_record record = record_of(fixture, APP_PROBE_MCP);
    struct peer *peer = &fixture->peers[0];

    peer->begun = OK "Mcp-Session-Id: abc\r\n" EMPTY;
    peer->answer = NULL; /* DELETE is slow */
    record.endpoint_count = 1;
    follow_one(fixture, record);
    RUN_UNTIL(fixture, peer->requests == 1);
    follow(fixture, NULL, 0);
    assert_int_equal(gauge(fixture, GAUGE_ENDPOINTS_PROBED), 0);
    RUN_UNTIL(fixture, peer->deletes == 1);
    follow_one(fixture, record);
    for (int i = 0; i < 20; i++) {
        ev_sleep(0.001);
        ev_run(fixture->loop, EVRUN_NOWAIT);
    }
    assert_int_equal(peer->open, 1);
    assert_int_equal(peer->requests, 2);
    assert_int_equal(gauge(fixture, GAUGE_ENDPOINTS_PROBED), 1);
    assert_int_equal(peer->open_max, 1);
}

static void on_stopped(void *context)
{
    struct fixture *fixture = context;

    assert_false(fixture->stopped);
    fixture->stopped = true;
}

static void test_stops_when_sessions_are_ended(void **state)
{
    struct fixture *fixture = *state;
    struct app_record record = record_of(fixture, APP_PROBE_MCP);
    struct peer *peer = &fixture->peers[0];
    uint64_t probes;

    peer->begun = OK "Mcp-Session-Id: abc\r\n" EMPTY;
    record.endpoint_count = 1;
    follow_one(fixture, record);
    RUN_UNTIL(fixture, peer->requests % 2 == 1); /* begun, and not ended */
    probes = counted(fixture, COUNT_HEALTH_PROBES);
    prober_stop(fixture->prober, on_stopped, fixture);
    assert_false(fixture->stopped);
    RUN_UNTIL(fixture, fixture->stopped);
    assert_int_equal(peer->deletes * 2, peer->requests);
    assert_int_equal(counted(fixture, COUNT_HEALTH_PROBES), probes);
}

static void test_stops_though_a_server_hangs(void **state)
{
    struct fixture *fixture = *state;

    prober_stop(fixture->prober, on_stopped, fixture);
    assert_true(fixture->stopped); /* nothing runs */
    fixture->stopped = false;
    prober_close(fixture->prober);
    assert_int_equal(prober_open(&fixture->prober, fixture->loop, fixture->board, fixture->block),
                     0);
    fixture->peers[0].answer = NULL;
    follow_one(fixture, record_of(fixture, APP_PROBE_HTTP));
    RUN_UNTIL(fixture, fixture->peers[0].requests == 1);
    prober_stop(fixture->prober, on_stopped, fixture);
    RUN_UNTIL(fixture, fixture->stopped);
}

/* Far more endpoints than probes at a time, at a server that hangs: each waits its turn. */
static void test_bounds_what_runs(void **state)
{
    static char names[APPS_MAX][8], paths[APP_ENDPOINTS_MAX][8];
    struct fixture *fixture = *state;
    struct app_record records[APPS_MAX];
    struct peer *peer = &fixture->peers[0];

    peer->answer = NULL;
    for (int i = 0; i < APPS_MAX; i++) {
        snprintf(names[i], sizeof(names[i]), "app%02d", i);
        records[i] = record_of(fixture, APP_PROBE_HTTP);
        records[i].name = slice_from(names[i]);
        records[i].endpoint_count = APP_ENDPOINTS_MAX;
        records[i].health.timeout = 100;
        for (int j = 0; j < APP_ENDPOINTS_MAX; j++) {
            snprintf(paths[j], sizeof(paths[j]), "/%d", j);
            records[i].endpoints[j] = records[i].endpoints[0];
            records[i].endpoints[j].path = slice_from(paths[j]);
        }
    }
    follow(fixture, records, APPS_MAX);
    assert_int_equal(gauge(fixture, GAUGE_ENDPOINTS_PROBED), APPS_MAX * APP_ENDPOINTS_MAX);
    RUN_UNTIL(fixture, gauge(fixture, GAUGE_ENDPOINTS_DEAD) == APPS_MAX * APP_ENDPOINTS_MAX);
    assert_true(peer->open_max >= PROBER_RUNNING_MAX / 2);
    assert_true(peer->open_max <= PROBER_RUNNING_MAX);
}

/* What an earlier process left on the board: of an endpoint that is there it stands until probes
 * say otherwise, the rest is forgotten. */
static void test_takes_the_board_over(void **state)
{
    struct fixture *fixture = *state;

    assert_true(health_board_set(fixture->board, id_of(fixture, 0), true));
    assert_true(health_board_set(fixture->board, 12345, true));
    follow_one(fixture, record_of(fixture, APP_PROBE_TCP));
    assert_true(is_dead(fixture, 0));
    assert_false(health_board_is_dead(fixture->board, 12345));
    assert_int_equal(gauge(fixture, GAUGE_ENDPOINTS_DEAD), 1);
    RUN_UNTIL(fixture, !is_dead(fixture, 0));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_counts_rise_and_fall),
        TEST(test_connections_alone_for_tcp),
        TEST(test_what_is_known_goes_on_with_the_endpoint),
        TEST(test_follows_addresses),
        TEST(test_changes_do_not_put_probes_off),
        TEST(test_a_change_leaves_the_running_probe),
        TEST(test_a_change_leaves_no_session),
        TEST(test_stops_when_sessions_are_ended),
        TEST(test_stops_though_a_server_hangs),
        TEST(test_bounds_what_runs),
        TEST(test_takes_the_board_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
