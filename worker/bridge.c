#include "worker/bridge.h"

#include "shared/log.h"
#include "worker/bridge_app.h"
#include "worker/bridge_client.h"
#include "worker/bridge_server.h"
#include "worker/bridge_session.h"
#include "worker/roles.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BRIDGE_ACCEPTS = 64,    /* connections, and messages, taken in one turn */
    BRIDGE_SWEEP_TURNS = 4, /* ticks between two looks for what is idle */
};
static const double bridge_drain_check = 0.05; /* seconds between two looks whether all are gone */
static const double bridge_tick = 0.5;         /* seconds: often enough for any watchdog */

/* The process: what bridge.h shares, and what only its own loop needs. */
struct bridge_process {
    struct bridge bridge;
    struct ev_io channel;
    struct ev_io listener;
    struct ev_timer tick;
    struct ev_timer drain;
    ev_tstamp drain_end;
    struct ev_prepare turn_end;
    unsigned ticks;
    bool ready;
    int status; /* exit status once the loop breaks */
};

void bridge_bury(struct bridge *bridge, struct bridge_remains *remains)
{
    remains->next = bridge->remains;
    bridge->remains = remains;
}

static void bridge_stop(struct bridge_process *process, int status)
{
    process->status = status;
    ev_break(process->bridge.loop, EVBREAK_ALL);
}

static void bridge_free_remains(struct bridge *bridge)
{
    while (bridge->remains != NULL) {
        struct bridge_remains *next = bridge->remains->next;

        free(bridge->remains);
        bridge->remains = next;
    }
}

static void bridge_turn_end(struct ev_loop *loop, struct ev_prepare *prepare, int events)
{
    (void)loop;
    (void)events;
    bridge_free_remains(prepare->data);
}

static void bridge_accept(struct ev_loop *loop, struct ev_io *watcher, int events)
{
    struct bridge_process *process = watcher->data;

    (void)events;
    for (int i = 0; i < BRIDGE_ACCEPTS; i++) {
        int fd = accept4(watcher->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            bridge_client_open(&process->bridge, fd);
        } else if (errno != EINTR && errno != ECONNABORTED) {
            /* Without descriptors the next try is the next tick's: no turn would pass idle. */
            if (errno != EAGAIN)
                ev_io_stop(loop, watcher);
            return;
        }
    }
}

/* For /metrics. */
static void bridge_tell(const struct bridge *bridge)
{
    struct scoreboard_block *block = bridge->child.block;

    scoreboard_set(block, GAUGE_BRIDGE_SESSIONS, bridge->session_count);
    scoreboard_set(block, GAUGE_BRIDGE_LINES, bridge->queued);
    scoreboard_set(block, GAUGE_BRIDGE_BYTES, bridge->buffered);
}

static void bridge_on_tick(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    struct bridge_process *process = timer->data;

    (void)events;
    child_heartbeat(&process->bridge.child);
    bridge_tell(&process->bridge);
    if (process->ready)
        ev_io_start(loop, &process->listener);
    if (++process->ticks % BRIDGE_SWEEP_TURNS != 0)
        return;
    bridge_session_sweep(&process->bridge);
    bridge_server_sweep(&process->bridge);
}

/* Workers drain, too: what they wait for is still answered. */
static void bridge_on_drain(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    struct bridge_process *process = timer->data;

    (void)events;
    if (process->bridge.clients == NULL || ev_now(loop) >= process->drain_end)
        bridge_stop(process, EXIT_SUCCESS);
}

static void bridge_drain(struct bridge_process *process)
{
    struct bridge *bridge = &process->bridge;

    if (bridge->draining)
        return;
    bridge->draining = true;
    process->drain_end =
        ev_now(bridge->loop) + (ev_tstamp)bridge->child.settings.limits.drain_timeout / 1000.;
    ev_timer_init(&process->drain, bridge_on_drain, 0., bridge_drain_check);
    process->drain.data = process;
    ev_timer_again(bridge->loop, &process->drain);
}

static void bridge_listen(struct bridge_process *process, struct message *message)
{
    if (process->ready || message->fd_count != 1)
        return;
    ev_io_init(&process->listener, bridge_accept, message->fds[0], EV_READ);
    process->listener.data = process;
    ev_io_start(process->bridge.loop, &process->listener);
    message->fds[0] = -1;
    process->ready = true;
    child_ready(&process->bridge.child);
}

static void bridge_message(struct bridge_process *process, struct message *message)
{
    struct bridge *bridge = &process->bridge;

    if (child_handle(&bridge->child, message)) {
        if (message->type == MESSAGE_STDIO_APPS)
            bridge_app_reload(bridge);
        message_close(message);
        return;
    }
    switch (message->type) {
    case MESSAGE_BRIDGE_LISTENER:
        bridge_listen(process, message);
        break;
    case MESSAGE_SERVER_STARTED:
        bridge_server_started(bridge, message);
        break;
    case MESSAGE_SERVER_FAILED:
        bridge_server_failed(bridge, message);
        break;
    case MESSAGE_SERVER_ENDED:
        bridge_server_ended(bridge, message);
        break;
    case MESSAGE_SERVERS_LOST:
        bridge_server_all_lost(bridge);
        break;
    case MESSAGE_DRAIN:
        bridge_drain(process);
        break;
    default:
        break;
    }
    message_close(message);
}

static void bridge_on_channel(struct ev_loop *loop, struct ev_io *io, int events)
{
    struct bridge_process *process = io->data;
    struct message message;
    int received = 0;

    (void)loop;
    (void)events;
    for (int i = 0; i < BRIDGE_ACCEPTS; i++) {
        received = channel_receive(process->bridge.child.channel, &message);
        if (received != 1)
            break;
        bridge_message(process, &message);
    }
    if (received >= 0)
        return;
    if (received == -EBADMSG)
        log_error("channel_broken", "a message from master breaks the form");
    bridge_stop(process, received == -EPIPE ? EXIT_SUCCESS : EXIT_FAILURE);
}

static void bridge_open(struct bridge_process *process)
{
    struct bridge *bridge = &process->bridge;
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    bridge->loop = ev_default_loop(EVFLAG_NOENV | EVBACKEND_EPOLL);
    if (bridge->loop == NULL || tls_trust_open(&bridge->trust) != 0 ||
        getrandom(&bridge->last_start, sizeof(bridge->last_start), 0) !=
            (ssize_t)sizeof(bridge->last_start)) {
        log_error("start_failed", "the bridge cannot be set up");
        exit(EXIT_FAILURE);
    }
    bridge->board = &bridge->child.work->servers;
    server_board_begin(bridge->board);
    ev_io_init(&process->channel, bridge_on_channel, bridge->child.channel, EV_READ);
    process->channel.data = process;
    ev_io_start(bridge->loop, &process->channel);
    ev_timer_init(&process->tick, bridge_on_tick, bridge_tick, bridge_tick);
    process->tick.data = process;
    ev_timer_start(bridge->loop, &process->tick);
    ev_prepare_init(&process->turn_end, bridge_turn_end);
    process->turn_end.data = bridge;
    ev_set_priority(&process->turn_end, EV_MINPRI);
    ev_prepare_start(bridge->loop, &process->turn_end);
}

/* Servers see the end of their input; the launcher is told as well. */
static void bridge_close(struct bridge_process *process)
{
    struct bridge *bridge = &process->bridge;

    bridge->draining = true;
    while (bridge->links != NULL)
        bridge_link_end(bridge->links, "the gateway is restarting");
    while (bridge->clients != NULL)
        bridge_client_close(bridge->clients);
    bridge_free_remains(bridge);
    bridge_app_free_all(bridge);
    tls_trust_close(bridge->trust);
    arena_free(&bridge->child.arena);
    arena_free(&bridge->child.stdio_arena);
    ev_loop_destroy(bridge->loop);
}

int bridge_main(int argc, char **argv)
{
    struct bridge_process *process = calloc(1, sizeof(*process));
    int status;

    if (process == NULL)
        return EXIT_FAILURE;
    child_start(argc, argv, &process->bridge.child);
    bridge_open(process);
    ev_run(process->bridge.loop, 0);
    status = process->status;
    bridge_close(process);
    free(process);
    return status;
}
