#include "worker/bridge_server.h"

#include "shared/log.h"
#include "worker/bridge_app.h"
#include "worker/bridge_line.h"
#include "worker/bridge_stderr.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SERVER_READS = 4,   /* reads in one turn, so that no server starves the others */
    SERVER_REST = 1000, /* milliseconds for what a dead server's pipes still hold: its
                           children may keep them open */
    SERVER_REASON_MAX = 96,
};

enum server_state { SERVER_STARTING, SERVER_RUNNING, SERVER_CLOSED };

struct bridge_server {
    struct bridge_remains remains;
    struct bridge_server *next, **at;
    struct bridge *bridge;
    struct bridge_link *link;
    struct bridge_app *app;
    enum server_state state;
    uint32_t request;          /* of its start */
    uint64_t number;           /* the launcher's */
    int input, output, errors; /* its standard ones, from its own point of view; -1: closed */
    struct ev_io writer, reader, error_reader;
    struct bridge_lines lines;
    struct bridge_stderr complaints;
    struct buffer queue; /* lines that wait for the server to read them */
    bool paused;
    bool spoke;               /* it sent a message: it has started */
    bool ended;               /* nothing of it is left: the launcher said so */
    bool lost;                /* with the launcher: it did nothing */
    struct deadline deadline; /* to start; to give the rest */
};

/* Of one bridge, one a process. */
static struct bridge_server *servers;

static void server_fd_close(struct bridge_server *server, struct ev_io *watcher, int *fd)
{
    if (*fd < 0)
        return;
    ev_io_stop(server->bridge->loop, watcher);
    close(*fd);
    *fd = -1;
}

static void server_stop(const struct bridge_server *server)
{
    struct message_server_stop stop = {.server = server->number};

    if (channel_send(server->bridge->child.channel, MESSAGE_SERVER_STOP,
                     slice_make((const char *)&stop, sizeof(stop)), NULL, 0) != 0)
        log_error("server_stop_failed", "app %s, server %" PRIu64 ": master does not listen",
                  bridge_app_name(server->app), server->number);
}

/* Bytes leave the queue. */
static void server_unqueue(const struct bridge_server *server, struct slice gone)
{
    const char *end;

    while (gone.size > 0 && (end = memchr(gone.data, '\n', gone.size)) != NULL) {
        server->bridge->queued--;
        gone = slice_skip(gone, (size_t)(end - gone.data) + 1);
    }
}

/* Nothing of it is left. */
static void server_forget(struct bridge_server *server)
{
    *server->at = server->next;
    if (server->next != NULL)
        server->next->at = server->at;
    bridge_app_server_ends(server->app);
    bridge_bury(server->bridge, &server->remains);
}

/* The pipes go; the launcher sees to the process, which counts until it says that nothing is left.
 * One whose start is not answered yet is stopped as soon as it is. */
static void server_close(struct bridge_link *link)
{
    struct bridge_server *server = link->end;

    server_fd_close(server, &server->writer, &server->input);
    server_fd_close(server, &server->reader, &server->output);
    server_fd_close(server, &server->error_reader, &server->errors);
    if (server->state == SERVER_RUNNING && !server->ended)
        server_stop(server);
    server->state = SERVER_CLOSED;
    server->link = NULL;
    deadline_close(&server->deadline);
    bridge_line_free(&server->lines);
    bridge_stderr_free(&server->complaints);
    server_unqueue(server, buffer_slice(&server->queue));
    buffer_free(&server->queue);
    if (server->ended)
        server_forget(server);
}

/* Why it ended, in the log with its last words, and to clients as an id of that. */
static void server_over(struct bridge_server *server, const char *how)
{
    char reason[SERVER_REASON_MAX];
    uint32_t id = 0;

    if (server->state == SERVER_CLOSED)
        return;
    /* Some servers end when they are asked what they do not know. */
    if (server->number != 0 && server->link->modern && server->link->state == BRIDGE_LINK_OPENING) {
        bridge_probe_judged(server->link, false, false);
        return;
    }
    if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id))
        id = (uint32_t)server->number;
    snprintf(reason, sizeof(reason), "the server ended; error id %08" PRIx32, id);
    log_error("server_over",
              "app %s, server %" PRIu64 ", error id %08" PRIx32 ": %s; %zu requests "
              "waited",
              bridge_app_name(server->app), server->number, id, how, server->link->calls.count);
    bridge_stderr_last_words(&server->complaints, id);
    if (!server->lost && (server->number != 0 || server->ended))
        bridge_app_died(server->link);
    bridge_link_end(server->link, reason);
}

static void server_errors(struct bridge_server *server)
{
    struct bridge *bridge = server->bridge;

    for (int i = 0; i < SERVER_READS && server->errors >= 0; i++) {
        ssize_t got = read(server->errors, bridge->scratch, sizeof(bridge->scratch));

        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (got <= 0) {
            server_fd_close(server, &server->error_reader, &server->errors);
            return;
        }
        bridge_stderr_take(&server->complaints, slice_make(bridge->scratch, (size_t)got),
                           server->number, ev_now(bridge->loop));
    }
}

static void server_errors_ready(struct ev_loop *loop, struct ev_io *watcher, int events)
{
    (void)loop;
    (void)events;
    server_errors(watcher->data);
}

/* Lines out of what was read; false: the server is closed now. */
static bool server_lines(struct bridge_server *server, struct slice input)
{
    struct slice line;
    enum bridge_line found;

    while (server->state == SERVER_RUNNING &&
           (found = bridge_line_next(&server->lines, &input, &line)) != BRIDGE_LINE_MORE) {
        if (found == BRIDGE_LINE_LONG) {
            /* It may have been the answer of any request. */
            server_over(server, "it wrote a line longer than gate.stdio.line_size");
            return false;
        }
        if (!server->spoke && line.size > 0 && line.data[0] == '{') {
            server->spoke = true;
            if (!server->ended)
                deadline_clear(&server->deadline);
        }
        bridge_link_receive(server->link, line);
    }
    return server->state == SERVER_RUNNING;
}

static void server_readable(struct ev_loop *loop, struct ev_io *watcher, int events)
{
    struct bridge_server *server = watcher->data;
    struct bridge *bridge = server->bridge;

    (void)loop;
    (void)events;
    for (int i = 0; i < SERVER_READS && !server->paused; i++) {
        ssize_t got = read(server->output, bridge->scratch, sizeof(bridge->scratch));

        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (got <= 0) {
            server_errors(server);
            server_over(server, server->ended ? "it has ended" : "it closed its standard output");
            return;
        }
        if (!server_lines(server, slice_make(bridge->scratch, (size_t)got)))
            return;
    }
}

static void server_flush(struct bridge_server *server)
{
    while (server->input >= 0 && buffer_size(&server->queue) > 0) {
        ssize_t put =
            write(server->input, buffer_data(&server->queue), buffer_size(&server->queue));

        if (put >= 0) {
            server_unqueue(server, slice_make(buffer_data(&server->queue), (size_t)put));
            buffer_consume(&server->queue, (size_t)put);
        } else if (errno == EAGAIN) {
            ev_io_start(server->bridge->loop, &server->writer);
            return;
        } else if (errno != EINTR) {
            /* It does not listen any more. What it has said still counts, and then its end. */
            server_fd_close(server, &server->writer, &server->input);
        }
    }
    if (server->input >= 0)
        ev_io_stop(server->bridge->loop, &server->writer);
    server_unqueue(server, buffer_slice(&server->queue));
    buffer_free(&server->queue);
}

static void server_writable(struct ev_loop *loop, struct ev_io *watcher, int events)
{
    (void)loop;
    (void)events;
    server_flush(watcher->data);
}

static int server_send(struct bridge_link *link, struct slice line, uint64_t id)
{
    struct bridge_server *server = link->end;
    size_t waiting = buffer_size(&server->queue);
    size_t size = line.size + 1;

    (void)id;
    if (server->state == SERVER_RUNNING && server->input < 0)
        return -EPIPE;
    if (waiting > 0 && waiting + size > server->bridge->child.settings.stdio.queue_size)
        return -EAGAIN;
    if (buffer_reserve(&server->queue, size) != 0)
        return -ENOMEM;
    buffer_append_slice(&server->queue, line);
    buffer_append(&server->queue, "\n", 1);
    server->bridge->queued++;
    if (server->state == SERVER_RUNNING)
        server_flush(server);
    return 0;
}

static void server_pause(struct bridge_link *link, bool paused)
{
    struct bridge_server *server = link->end;

    server->paused = paused;
    if (server->output < 0)
        return;
    if (paused)
        ev_io_stop(server->bridge->loop, &server->reader);
    else
        ev_io_start(server->bridge->loop, &server->reader);
}

static const struct bridge_link_ops server_ops = {
    .send = server_send, .pause = server_pause, .close = server_close};

static void server_late(struct deadline *deadline)
{
    struct bridge_server *server = deadline->owner;

    if (server->ended) {
        server_over(server, "it has ended, and something holds its standard output");
        return;
    }
    server->link->status = 503;
    server_over(server, server->state == SERVER_STARTING
                            ? "it was not started within gate.stdio.start_timeout"
                            : "it said nothing within gate.stdio.start_timeout");
}

struct bridge_link *bridge_server_start(struct bridge *bridge, struct bridge_app *app)
{
    struct bridge_server *server = calloc(1, sizeof(*server));
    struct message_server_start start = {.request = (uint32_t)++bridge->last_start};
    const char *name = bridge_app_name(app);

    if (server == NULL)
        return NULL;
    start.app_size = (uint32_t)strlen(name);
    memcpy(start.app, name, start.app_size);
    server->link = bridge_link_new(bridge, &server_ops, server);
    if (server->link == NULL ||
        channel_send(bridge->child.channel, MESSAGE_SERVER_START,
                     slice_make((const char *)&start, sizeof(start)), NULL, 0) != 0) {
        if (server->link != NULL)
            bridge_link_drop(server->link);
        free(server);
        return NULL;
    }
    server->bridge = bridge;
    server->app = app;
    server->link->app = app;
    server->request = start.request;
    server->input = server->output = server->errors = -1;
    server->lines.limit = bridge->child.settings.stdio.line_size;
    bridge_stderr_open(&server->complaints, bridge_app_name(app), ev_now(bridge->loop));
    server->next = servers;
    server->at = &servers;
    if (server->next != NULL)
        server->next->at = &server->next;
    servers = server;
    deadline_open(&server->deadline, bridge->loop, server_late, server);
    deadline_set(&server->deadline, bridge->child.settings.stdio.start_timeout);
    bridge_app_server_begins(app);
    return server->link;
}

static struct bridge_server *server_of_request(uint32_t request)
{
    struct bridge_server *server = servers;

    while (server != NULL && (server->number != 0 || server->request != request))
        server = server->next;
    return server;
}

static struct bridge_server *server_of_number(uint64_t number)
{
    struct bridge_server *server = servers;

    while (server != NULL && server->number != number)
        server = server->next;
    return server;
}

static bool server_take(int *from, int *to)
{
    int flags = fcntl(*from, F_GETFL);

    if (flags < 0 || fcntl(*from, F_SETFL, flags | O_NONBLOCK) < 0)
        return false;
    *to = *from;
    *from = -1;
    return true;
}

static void server_run(struct bridge_server *server)
{
    struct ev_loop *loop = server->bridge->loop;

    ev_io_init(&server->writer, server_writable, server->input, EV_WRITE);
    ev_io_init(&server->reader, server_readable, server->output, EV_READ);
    ev_io_init(&server->error_reader, server_errors_ready, server->errors, EV_READ);
    server->writer.data = server;
    server->reader.data = server;
    server->error_reader.data = server;
    server->state = SERVER_RUNNING;
    server->link->began = ev_now(loop);
    if (!server->paused)
        ev_io_start(loop, &server->reader);
    ev_io_start(loop, &server->error_reader);
    log_info("server_started", "app %s: server %" PRIu64, bridge_app_name(server->app),
             server->number);
    server_flush(server);
}

void bridge_server_started(struct bridge *bridge, struct message *message)
{
    struct message_server_started started;
    struct bridge_server *server;

    (void)bridge;
    if (message->payload.size != sizeof(started) || message->fd_count != 3)
        return;
    memcpy(&started, message->payload.data, sizeof(started));
    server = server_of_request(started.request);
    if (server == NULL) {
        /* Of a bridge before this one; its launcher ends it, since nobody holds its pipes. */
        return;
    }
    server->number = started.server;
    if (server->state == SERVER_CLOSED) {
        server_stop(server);
    } else if (server_take(&message->fds[0], &server->input) &&
               server_take(&message->fds[1], &server->output) &&
               server_take(&message->fds[2], &server->errors)) {
        server_run(server);
    } else {
        server->state = SERVER_RUNNING;
        server_over(server, "its pipes cannot be used");
    }
}

/* Nothing runs, or none will. */
static void server_refused(struct bridge_server *server, const char *why)
{
    server->ended = true;
    if (server->state == SERVER_CLOSED) {
        server_forget(server);
        return;
    }
    server->link->status = 503;
    server_over(server, why);
}

void bridge_server_failed(struct bridge *bridge, const struct message *message)
{
    struct message_server_failed failed;
    struct bridge_server *server;
    char why[SERVER_REASON_MAX];

    (void)bridge;
    if (message->payload.size != sizeof(failed))
        return;
    memcpy(&failed, message->payload.data, sizeof(failed));
    server = server_of_request(failed.request);
    if (server == NULL)
        return;
    /* Without room the next one may be luckier; what cannot be executed stays so for a while. */
    server->lost = failed.error == -EAGAIN;
    snprintf(why, sizeof(why), "it could not be started: %s", strerror(-failed.error));
    server_refused(server, why);
}

void bridge_server_ended(struct bridge *bridge, const struct message *message)
{
    struct message_server_ended ended;
    struct bridge_server *server;

    (void)bridge;
    if (message->payload.size != sizeof(ended))
        return;
    memcpy(&ended, message->payload.data, sizeof(ended));
    server = server_of_number(ended.server);
    if (server == NULL)
        return;
    if (WIFSIGNALED(ended.status))
        log_warning("server_ended", "app %s, server %" PRIu64 ": killed by signal %d",
                    bridge_app_name(server->app), server->number, WTERMSIG(ended.status));
    else
        log_info("server_ended", "app %s, server %" PRIu64 ": exit status %d",
                 bridge_app_name(server->app), server->number, WEXITSTATUS(ended.status));
    server->ended = true;
    if (server->state == SERVER_CLOSED)
        server_forget(server);
    else /* what it said before is still in the pipe */
        deadline_set(&server->deadline, SERVER_REST);
}

void bridge_server_all_lost(struct bridge *bridge)
{
    struct bridge_server *next;

    (void)bridge;
    for (struct bridge_server *server = servers; server != NULL; server = next) {
        next = server->next;
        server->lost = true;
        server_refused(server, "the launcher has ended");
    }
}

void bridge_server_sweep(struct bridge *bridge)
{
    ev_tstamp idle = (ev_tstamp)bridge->child.settings.stdio.idle_timeout / 1000.;
    struct bridge_server *next;

    for (struct bridge_server *server = servers; server != NULL; server = next) {
        struct bridge_link *link = server->link;

        next = server->next;
        if (server->state == SERVER_CLOSED || link == NULL || link->sessions != NULL ||
            link->calls.count > 0 || (!link->retired && ev_now(bridge->loop) - link->used < idle))
            continue;
        log_info("server_idle", "app %s, server %" PRIu64 ": nobody used it",
                 bridge_app_name(server->app), server->number);
        bridge_link_end(link, "the server was idle");
    }
}
