#include "worker/worker.h"

#include "shared/clock.h"
#include "shared/log.h"
#include "worker/client.h"
#include "worker/endpoint.h"
#include "worker/exchange.h"
#include "worker/listener.h"
#include "worker/refusal_log.h"
#include "worker/roles.h"
#include "worker/upstream.h"
#include "worker/worker_turn.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
    WORKER_SETUP_TIME = 10000, /* milliseconds for master to send what a worker starts with */
    WORKER_MESSAGES = 64,      /* messages taken in one turn */
    WORKER_TRIM_CLIENTS = 256, /* clients whose memory is worth the time to give it back */
};
static const double worker_tick = 0.2; /* seconds: heartbeat, and the generation at most 250 ms
                                          late even without traffic */
static const double worker_orphan_time = 0.5; /* seconds from master's death to ours */

/* The process: what worker.h shares, and what only its own loop needs. */
struct worker_process {
    struct worker worker;
    struct listener_set *listeners;
    struct ev_io channel;
    struct ev_timer tick;
    struct ev_timer orphan;
    struct worker_turn turn;
    uint64_t generation, revocations; /* that open exchanges were reviewed by */
    bool ready;
    int status;
};

static struct worker_process *worker_of(struct worker *worker)
{
    return (struct worker_process *)(void *)worker; /* its first member */
}

void worker_stop(struct worker *worker, int status)
{
    worker_of(worker)->status = status;
    ev_break(worker->loop, EVBREAK_ALL);
}

void worker_client_gone(struct worker *worker)
{
    struct worker_process *process = worker_of(worker);

    if (worker->draining && worker->client_count == 0)
        worker_stop(worker, EXIT_SUCCESS);
    else if (!worker->draining)
        listener_set_resume(process->listeners);
}

void worker_gauges(struct worker *worker)
{
    struct scoreboard_block *block = worker->child.block;

    scoreboard_set(block, GAUGE_CONNECTIONS, worker->client_count - worker->admin_count);
    scoreboard_set(block, GAUGE_EXCHANGES, worker->exchange_count);
    scoreboard_set(block, GAUGE_STREAMS, worker->stream_count);
    scoreboard_set(block, GAUGE_BODY_BYTES, worker->body_bytes);
}

static void worker_free_inputs(struct worker *worker)
{
    while (worker->spare_input_count > 0)
        buffer_free(&worker->spare_inputs[--worker->spare_input_count]);
}

/* Gives freed memory back to the system once most clients of before are gone; costs some
 * milliseconds then. */
static void worker_trim(struct worker *worker)
{
    if (worker->client_peak < worker->client_count)
        worker->client_peak = worker->client_count;
    if (worker->client_peak < WORKER_TRIM_CLIENTS || worker->client_count > worker->client_peak / 2)
        return;
    worker_free_inputs(worker);
    malloc_trim(0);
    worker->client_peak = worker->client_count;
}

static void worker_drain(struct worker_process *process)
{
    struct worker *worker = &process->worker;
    struct client *next;

    if (worker->draining)
        return;
    worker->draining = true;
    listener_set_stop(process->listeners);
    log_info("draining", "%zu connections, %zu requests in progress", worker->client_count,
             worker->exchange_count);
    for (struct client *client = worker->clients; client != NULL; client = next) {
        next = client->next;
        client_drain(client);
    }
    upstream_pool_clear(worker->upstreams);
    if (worker->client_count == 0)
        worker_stop(worker, EXIT_SUCCESS);
}

/* New certificates are wanted by listeners that the settings name; both came before this. */
static void worker_commit(struct worker_process *process)
{
    char reason[TLS_REASON_MAX] = "";

    if (listener_set_commit(process->listeners, reason) == 0) {
        if (process->ready)
            log_info("reloaded", "certificates and settings are in use");
        return;
    }
    log_error("certificate_refused", "%s", reason);
    if (!process->ready)
        exit(EXIT_SETTINGS);
}

static void worker_listener_message(struct worker_process *process, struct message *message)
{
    struct message_listener which;

    if (message->payload.size != sizeof(which))
        return;
    memcpy(&which, message->payload.data, sizeof(which));
    if (message->type == MESSAGE_UNLISTEN) {
        listener_set_remove(process->listeners, &which);
        return;
    }
    if (message->fd_count != 1)
        return;
    if (listener_set_add(process->listeners, &which, message->fds[0]) != 0)
        log_warning("listener_refused", "listener %u of slot %u", which.listener, which.slot);
    message->fds[0] = -1;
}

static void worker_certificate_message(struct worker_process *process, struct message *message)
{
    uint32_t index;

    if (message->payload.size != sizeof(index) || message->fd_count != 2)
        return;
    memcpy(&index, message->payload.data, sizeof(index));
    listener_set_certificate(process->listeners, index, message->fds[0], message->fds[1]);
    message->fds[0] = -1;
    message->fds[1] = -1;
}

static void worker_tickets_message(struct worker_process *process, const struct message *message)
{
    struct message_ticket_keys tickets;

    if (message->payload.size != sizeof(tickets))
        return;
    memcpy(&tickets, message->payload.data, sizeof(tickets));
    if (tickets.count <= TICKET_KEYS_MAX)
        listener_set_tickets(process->listeners, &tickets);
    explicit_bzero(&tickets, sizeof(tickets));
}

/* true when it was MESSAGE_START. */
static bool worker_message(struct worker_process *process, struct message *message)
{
    bool start = false;

    if (child_handle(&process->worker.child, message)) {
        audit_configure(&process->worker.audit, &process->worker.child.settings.audit);
    } else {
        switch (message->type) {
        case MESSAGE_LISTENER:
        case MESSAGE_UNLISTEN:
            worker_listener_message(process, message);
            break;
        case MESSAGE_CERTIFICATE:
            worker_certificate_message(process, message);
            break;
        case MESSAGE_TICKET_KEYS:
            worker_tickets_message(process, message);
            break;
        case MESSAGE_START:
            worker_commit(process);
            start = true;
            break;
        case MESSAGE_AUDIT:
            audit_take(&process->worker.audit, message->fds[0]);
            message->fds[0] = -1;
            break;
        case MESSAGE_SESSIONS_ENDED:
            audit_sessions_ended(&process->worker.audit, message->payload);
            break;
        case MESSAGE_DRAIN:
            worker_drain(process);
            break;
        default: /* MESSAGE_CHANGED: this turn has looked at the generation already */
            break;
        }
    }
    message_close(message);
    return start;
}

static void worker_orphaned(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    worker_stop(timer->data, EXIT_FAILURE);
}

/* Master is gone: nobody would replace what we hold, or end us later. */
static void worker_master_gone(struct worker_process *process)
{
    ev_io_stop(process->worker.loop, &process->channel);
    if (process->worker.draining) {
        worker_stop(&process->worker, EXIT_SUCCESS);
        return;
    }
    log_error("master_gone", "ending: the master process died");
    ev_timer_set(&process->orphan, worker_orphan_time, 0.);
    ev_timer_start(process->worker.loop, &process->orphan);
    worker_drain(process);
}

static void worker_channel_ready(struct ev_loop *loop, struct ev_io *watcher, int events)
{
    struct worker_process *process = watcher->data;
    struct message message;
    int result = 0;

    (void)loop;
    (void)events;
    for (int i = 0; i < WORKER_MESSAGES; i++) {
        result = channel_receive(process->worker.child.channel, &message);
        if (result != 1)
            break;
        worker_message(process, &message);
    }
    if (result == -EPIPE)
        worker_master_gone(process);
    else if (result < 0 && result != -EAGAIN)
        log_error("channel_broken", "a message from master was refused: %s", strerror(-result));
}

/* Open streams are judged anew within a tick of a change; many changes cost one review a tick. */
static void worker_review(struct worker_process *process)
{
    struct worker *worker = &process->worker;
    const struct scoreboard_public *public = worker->child.public;
    uint64_t generation = catalog_generation(worker->catalog);
    uint64_t revocations = atomic_load_explicit(&public->revocations, memory_order_acquire);
    struct client *next;
    bool all = true;

    if (generation == process->generation && revocations == process->revocations)
        return;
    for (struct client *client = worker->clients; client != NULL; client = next) {
        next = client->next;
        if (client->exchange != NULL)
            all = exchange_review(client->exchange) && all;
    }
    if (!all)
        return; /* the store failed: the next tick asks again */
    process->generation = generation;
    process->revocations = revocations;
}

static void worker_ticked(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    struct worker_process *process = timer->data;

    (void)loop;
    (void)events;
    child_heartbeat(&process->worker.child);
    worker_gauges(&process->worker);
    refusal_log_tick(&process->worker.refusals);
    audit_tick(&process->worker.audit);
    worker_trim(&process->worker);
    worker_review(process);
}

static void worker_fail(const char *what, int error)
{
    log_error("start_failed", "%s: %s", what, strerror(-error));
    exit(error == -EUCLEAN || error == -ESTALE ? EXIT_STORE : EXIT_FAILURE);
}

static struct store *worker_store(const struct worker *worker, enum store_environment environment)
{
    const struct settings *settings = &worker->child.settings;
    bool sessions = environment == STORE_SESSIONS;
    char directory[4096];
    struct store_options options = {
        .directory = directory,
        .environment = environment,
        .writable = sessions,
        .map_size = sessions ? settings->session_map_size : settings->config_map_size,
    };
    struct store *store = NULL;
    int error;

    snprintf(directory, sizeof(directory), "%.*s/%s", (int)settings->state_dir.size,
             settings->state_dir.data, sessions ? "sessions" : "config");
    error = store_open(&store, &options);
    if (error != 0)
        worker_fail(directory, error);
    return store;
}

static void worker_open(struct worker_process *process)
{
    struct worker *worker = &process->worker;
    struct rlimit files;
    int error;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    audit_open(&worker->audit, worker->child.slot, worker->child.block, worker->child.work);
    audit_configure(&worker->audit, &worker->child.settings.audit);
    worker->bridge.sun_family = AF_UNIX;
    snprintf(worker->bridge.sun_path, sizeof(worker->bridge.sun_path),
             "%.*s/" SETTINGS_BRIDGE_SOCKET, (int)worker->child.settings.state_dir.size,
             worker->child.settings.state_dir.data);
    srand((unsigned)clock_wall_milliseconds() ^ (unsigned)getpid());
    tzset(); /* reads its file now, not when a date is formatted */
    worker->loop = ev_default_loop(EVFLAG_NOENV | EVBACKEND_EPOLL);
    if (worker->loop == NULL)
        worker_fail("event loop", -ENOMEM);
    worker->config = worker_store(worker, STORE_CONFIG);
    worker->sessions = worker_store(worker, STORE_SESSIONS);
    worker->mcp_sessions.store = worker->sessions;
    worker->mcp_sessions.idle = worker_limits(worker)->mcp_session_idle;
    worker->mcp_sessions.task_ttl = worker_limits(worker)->mcp_task_ttl;
    error = catalog_open(&worker->catalog, worker->config, worker->child.public);
    if (error == 0)
        error = authenticator_open(&worker->authenticator, worker->sessions, worker->catalog,
                                   &worker->child, &worker->audit);
    worker->tools = tool_table_make();
    if (error == 0 && worker->tools == NULL)
        error = -ENOMEM;
    if (error == 0)
        error = tls_trust_open(&worker->trust);
    if (error == 0)
        error = upstream_pool_open(&worker->upstreams);
    if (error == 0)
        error = endpoint_memory_open(&worker->endpoints);
    if (error == 0)
        error = listener_set_open(&process->listeners, worker);
    if (error != 0)
        worker_fail("set-up", error);
}

/* Takes what master sends first, up to MESSAGE_START. */
static void worker_set_up(struct worker_process *process)
{
    int64_t end = clock_monotonic_milliseconds() + WORKER_SETUP_TIME;
    struct pollfd wait = {.fd = process->worker.child.channel, .events = POLLIN};
    struct message message;

    for (;;) {
        int result = channel_receive(process->worker.child.channel, &message);
        int64_t left = end - clock_monotonic_milliseconds();

        if (result == 1) {
            if (worker_message(process, &message))
                return;
        } else if (result != 0 && result != -EAGAIN) {
            worker_fail("channel", result);
        } else if (left <= 0) {
            worker_fail("channel", -ETIMEDOUT);
        } else {
            poll(&wait, 1, (int)left);
        }
    }
}

static void worker_watch(struct worker_process *process)
{
    struct ev_loop *loop = process->worker.loop;

    ev_io_init(&process->channel, worker_channel_ready, process->worker.child.channel, EV_READ);
    process->channel.data = process;
    ev_io_start(loop, &process->channel);
    ev_timer_init(&process->tick, worker_ticked, worker_tick, worker_tick);
    process->tick.data = process;
    ev_timer_start(loop, &process->tick);
    ev_timer_init(&process->orphan, worker_orphaned, 0., 0.);
    process->orphan.data = &process->worker;
    worker_turn_watch(&process->turn, &process->worker);
}

static void worker_close(struct worker_process *process)
{
    struct worker *worker = &process->worker;

    worker->draining = true;
    while (worker->clients != NULL)
        client_close(worker->clients);
    audit_close(&worker->audit);
    upstream_pool_close(worker->upstreams);
    endpoint_memory_close(worker->endpoints);
    worker_free_inputs(worker);
    listener_set_close(process->listeners);
    authenticator_close(worker->authenticator);
    mcp_sessions_clear(&worker->mcp_sessions);
    tool_table_free(worker->tools);
    catalog_close(worker->catalog);
    tls_trust_close(worker->trust);
    worker_free_remains(worker);
    store_close(worker->sessions);
    store_close(worker->config);
    arena_free(&worker->child.arena);
    ev_loop_destroy(worker->loop);
}

int worker_main(int argc, char **argv)
{
    struct worker_process *process = calloc(1, sizeof(*process));
    int status;

    if (process == NULL)
        return EXIT_FAILURE;
    child_start(argc, argv, &process->worker.child);
    worker_open(process);
    worker_set_up(process);
    worker_watch(process);
    listener_set_start(process->listeners);
    child_heartbeat(&process->worker.child);
    process->ready = true;
    child_ready(&process->worker.child);
    if (!process->worker.draining)
        ev_run(process->worker.loop, 0);
    worker_gauges(&process->worker);
    status = process->status;
    worker_close(process);
    free(process);
    return status;
}
