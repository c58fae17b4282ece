/* bridge_fixture.h: a bridge whose master, launcher, workers and servers are the test itself.
 *
 * The loop turns only when the test says so; nothing listens, nothing is executed. A test plays
 * stdio servers at their pipes' other ends, and workers at socket pairs.
 */
#ifndef GATEHOUSE_TESTS_BRIDGE_FIXTURE_H
#define GATEHOUSE_TESTS_BRIDGE_FIXTURE_H

#include "shared/log.h"
#include "worker/bridge_app.h"
#include "worker/bridge_client.h"
#include "worker/bridge_server.h"
#include "worker/bridge_session.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define OWNER_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define OWNER_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static struct bridge *bridge;
static int launcher; /* master's end of the bridge's channel */
static struct stdio_app fixture_apps[3];
static struct server_board fixture_board;

static void turn_end(void)
{
    while (bridge->remains != NULL) {
        struct bridge_remains *next = bridge->remains->next;

        free(bridge->remains);
        bridge->remains = next;
    }
}

/* Until nothing is left to do. */
static void turn(void)
{
    for (int i = 0; i < 20; i++) {
        ev_run(bridge->loop, EVRUN_NOWAIT);
        turn_end();
    }
}

/* As turn(), and time passes. */
static void pass(double seconds)
{
    ev_tstamp end = ev_time() + seconds;

    while (ev_time() < end) {
        turn();
        usleep(1000);
    }
}

static int fixture_set_up(void **state)
{
    static const char *const names[] = {"own", "user", "shared"};
    int pair[2];

    (void)state;
    log_configure(LOG_ERROR, LOG_TEXT);
    bridge = calloc(1, sizeof(*bridge));
    assert_int_equal(channel_pair(pair), 0);
    bridge->child.channel = pair[0];
    launcher = pair[1];
    bridge->loop = ev_loop_new(EVFLAG_NOENV);
    bridge->child.settings.limits.body_size = 1 << 20;
    bridge->child.settings.stdio = (struct settings_stdio){
        .max_servers = 8,
        .max_servers_per_app = 3,
        .idle_timeout = 60 * 1000,
        .leave_timeout = 60 * 1000,
        .start_timeout = 10 * 1000,
        .line_size = 256 * 1024,
        .queue_size = 64 * 1024,
        .replay_size = 4096,
    };
    for (size_t i = 0; i < 3; i++)
        fixture_apps[i] = (struct stdio_app){.name = slice_from(names[i]),
                                             .revision = slice_from("r1"),
                                             .scope = (enum stdio_scope)i};
    memset(&fixture_board, 0, sizeof(fixture_board));
    bridge->board = &fixture_board;
    bridge->child.stdio_apps = (struct stdio_app_list){.apps = fixture_apps, .count = 3};
    return 0;
}

static int fixture_tear_down(void **state)
{
    (void)state;
    while (bridge->links != NULL)
        bridge_link_end(bridge->links, "over");
    while (bridge->clients != NULL)
        bridge_client_close(bridge->clients);
    bridge_server_all_lost(bridge);
    turn_end();
    assert_int_equal(bridge->session_count, 0);
    assert_int_equal(bridge->server_count, 0);
    assert_true(bridge->buffered == 0);
    assert_true(bridge->queued == 0);
    bridge_app_free_all(bridge);
    ev_loop_destroy(bridge->loop);
    close(bridge->child.channel);
    close(launcher);
    free(bridge);
    return 0;
}

/* A stdio server, as the test plays it. */
struct played {
    uint32_t request;
    uint64_t number;
    int input, output, errors; /* the test's ends */
    char read[65536];          /* what it was sent */
    size_t size;
};

/* Takes the next start that the bridge asks for. false: it asked for none. */
static bool server_asked(struct played *server)
{
    struct message message;
    struct message_server_start start;

    memset(server, 0, sizeof(*server));
    if (channel_receive(launcher, &message) != 1 || message.type != MESSAGE_SERVER_START)
        return false;
    assert_int_equal(message.payload.size, sizeof(start));
    memcpy(&start, message.payload.data, sizeof(start));
    server->request = start.request;
    return true;
}

static void server_runs(struct played *server, uint64_t number)
{
    struct message_server_started started = {.server = number, .request = server->request};
    struct message message = {.type = MESSAGE_SERVER_STARTED,
                              .payload = slice_make((const char *)&started, sizeof(started)),
                              .fd_count = 3};
    int in[2], out[2], err[2];

    server->number = number;
    assert_int_equal(pipe2(in, O_NONBLOCK), 0);
    assert_int_equal(pipe2(out, O_NONBLOCK), 0);
    assert_int_equal(pipe2(err, O_NONBLOCK), 0);
    message.fds[0] = in[1];
    message.fds[1] = out[0];
    message.fds[2] = err[0];
    server->input = in[0];
    server->output = out[1];
    server->errors = err[1];
    bridge_server_started(bridge, &message);
    message_close(&message);
    turn();
}

static void server_starts(struct played *server, uint64_t number)
{
    turn();
    assert_true(server_asked(server));
    server_runs(server, number);
}

/* What came since the last call. */
static const char *server_read(struct played *server)
{
    ssize_t got;

    turn();
    server->size = 0;
    while ((got = read(server->input, server->read + server->size,
                       sizeof(server->read) - 1 - server->size)) > 0)
        server->size += (size_t)got;
    server->read[server->size] = '\0';
    return server->read;
}

static void server_says(struct played *server, const char *line)
{
    assert_int_equal(write(server->output, line, strlen(line)), strlen(line));
    assert_int_equal(write(server->output, "\n", 1), 1);
    turn();
}

/* The id under which the server knows the last request that it read. */
static unsigned long server_id(const struct played *server)
{
    const char *id = NULL;

    for (const char *at = server->read; (at = strstr(at, "\"id\":")) != NULL; at++)
        id = at;
    assert_non_null(id);
    return strtoul(id + 5, NULL, 10);
}

static void server_answers(struct played *server, const char *result)
{
    char line[4096];

    snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":%lu,\"result\":%s}",
             server_id(server), result);
    server_says(server, line);
}

static void server_dies(struct played *server)
{
    close(server->input);
    close(server->output);
    close(server->errors);
    turn();
}

/* Whether the bridge asked for its end; it is told that nothing is left of it. */
static bool server_stopped(const struct played *server)
{
    struct message_server_ended ended = {.server = server->number};
    struct message end = {.payload = slice_make((const char *)&ended, sizeof(ended))};
    struct message message;
    struct message_server_stop stop;

    if (channel_receive(launcher, &message) != 1 || message.type != MESSAGE_SERVER_STOP)
        return false;
    memcpy(&stop, message.payload.data, sizeof(stop));
    if (stop.server != server->number)
        return false;
    bridge_server_ended(bridge, &end);
    return true;
}

/* A worker's connection; what it has read. */
struct worked {
    int fd;
    char read[262144];
    size_t size;
};

static void worker_opens(struct worked *worker)
{
    int pair[2];

    memset(worker, 0, sizeof(*worker));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    worker->fd = pair[1];
    bridge_client_open(bridge, pair[0]);
}

static void worker_closes(struct worked *worker)
{
    close(worker->fd);
    turn();
}

/* `lines`: more header lines, or "". */
static void worker_sends(struct worked *worker, const char *method, const char *path,
                         const char *app, const char *owner, const char *lines, const char *body)
{
    char text[8192];
    int size = snprintf(text, sizeof(text),
                        "%s %s HTTP/1.1\r\nHost: bridge\r\nGatehouse-App: %s\r\n"
                        "Gatehouse-Owner: %s\r\nGatehouse-Revision: r1\r\n"
                        "Accept: application/json, text/event-stream\r\n%sContent-Length: %zu\r\n"
                        "\r\n%s",
                        method, path, app, owner, lines, strlen(body), body);

    assert_int_equal(write(worker->fd, text, (size_t)size), size);
    turn();
}

/* What came since the last call. */
static const char *worker_read(struct worked *worker)
{
    ssize_t got;

    turn();
    worker->size = 0;
    while ((got = read(worker->fd, worker->read + worker->size,
                       sizeof(worker->read) - 1 - worker->size)) > 0) {
        worker->size += (size_t)got;
        turn();
    }
    worker->read[worker->size] = '\0';
    return worker->read;
}

static void expect_text(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in: %s", part, text);
}

static void expect_none(const char *text, const char *part)
{
    if (strstr(text, part) != NULL)
        fail_msg("\"%s\" is in: %s", part, text);
}

#endif
