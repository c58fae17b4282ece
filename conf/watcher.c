/* watcher.c: the one process that turns documents, key sets and names into records.
 *
 * Its loop follows the resource documents, the key-set URLs, the hosts' names (changes.h), commands
 * (control.h) and master's messages. It never meets a client, never executes
 * anything, and never blocks: each step is bounded.
 */
#include "conf/changes.h"
#include "conf/control.h"
#include "conf/drainer.h"
#include "conf/revoker.h"
#include "conf/roles.h"
#include "conf/source.h"
#include "shared/child.h"
#include "shared/clock.h"
#include "shared/log.h"

#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>

/* Seconds. */
#define WATCHER_HEARTBEAT 0.2
#define WATCHER_READER_CHECK 10.0
#define WATCHER_READY_WAIT 3.0
#define WATCHER_SWEEP 5.0
#define WATCHER_SWEEP_ON 0.1

struct watcher {
    struct child child;
    struct ev_loop *loop;
    struct store *store;
    struct changes changes;
    struct source *source;
    struct control *control;
    struct store_key swept; /* where the sweep of revocations goes on */
    ev_io channel;
    ev_timer heartbeat;
    ev_timer reader_check;
    ev_timer sweep;
    ev_timer patience; /* with fetches and names, before READY */
    bool ready;
};

static void on_source(void *context)
{
    struct watcher *watcher = context;

    changes_want_resources(&watcher->changes);
}

/* Master tells the workers; they would see the scoreboard anyway. */
static void watcher_tell(struct watcher *watcher)
{
    int status =
        channel_send(watcher->child.channel, MESSAGE_CHANGED, slice_make(NULL, 0), NULL, 0);

    if (status < 0)
        log_debug("changed_unsent", "%s", strerror(-status));
}

/* READY once what can be served is as good as it gets at once. */
static void watcher_settle(struct watcher *watcher, bool impatient)
{
    if (watcher->ready || (!impatient && !changes_settled(&watcher->changes)))
        return;
    watcher->ready = true;
    ev_timer_stop(watcher->loop, &watcher->patience);
    child_ready(&watcher->child);
}

static void on_changes(void *context, bool changed)
{
    struct watcher *watcher = context;

    if (changed)
        watcher_tell(watcher);
    watcher_settle(watcher, false);
}

static void on_patience(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    watcher_settle(timer->data, true);
}

static void on_heartbeat(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct watcher *watcher = timer->data;

    (void)loop;
    (void)events;
    child_heartbeat(&watcher->child);
}

static void watcher_reader_check(struct watcher *watcher)
{
    int cleared = 0;
    int status = store_reader_check(watcher->store, &cleared);

    if (status < 0)
        changes_fail("reader check", status);
    if (cleared > 0)
        log_info("readers_cleared", "%d dead readers of the config environment", cleared);
}

static void on_reader_check(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    watcher_reader_check(timer->data);
}

/* The store may be full: the rest goes on. */
static void on_control(void *context, const struct control_request *request, uid_t uid,
                       struct control_answer *answer)
{
    struct watcher *watcher = context;
    int status;

    if (request->drain.app.size > 0)
        status = drainer_set(&watcher->changes.publisher, &request->drain, uid, answer);
    else
        status =
            revoker_add(&watcher->changes.publisher, request, uid, clock_wall_seconds(), answer);
    if (status == -EUCLEAN || status == -ESTALE)
        changes_fail("what a command asked for could not be published", status);
    if (status < 0 && request->drain.app.size > 0)
        changes_published(&watcher->changes, "a drain could not be published", status);
    if (status > 0)
        watcher_tell(watcher);
}

static void on_sweep(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct watcher *watcher = timer->data;
    bool more;
    int status =
        revoker_sweep(&watcher->changes.publisher, &watcher->swept, clock_wall_seconds(), &more);

    (void)events;
    if (status == -EUCLEAN || status == -ESTALE)
        changes_fail("ended revocations could not be removed", status);
    if (status > 0)
        watcher_tell(watcher);
    timer->repeat = more ? WATCHER_SWEEP_ON : WATCHER_SWEEP;
    ev_timer_again(loop, timer);
}

static void watcher_open_source(struct watcher *watcher)
{
    int status;

    source_close(watcher->source);
    watcher->source = NULL;
    status = source_open(&watcher->source, watcher->loop, watcher->child.settings.resources_dir,
                         on_source, watcher);
    if (status < 0)
        log_error("source_failed", "changes are only seen at a reload: %s", strerror(-status));
}

static void watcher_take_settings(struct watcher *watcher)
{
    const struct settings_limits *limits = &watcher->child.settings.limits;

    watcher_open_source(watcher);
    key_refresher_limit(watcher->changes.refresher, limits->key_fetch_timeout, limits->key_set_size,
                        (int64_t)limits->max_stale / 1000);
    changes_want_settings(&watcher->changes);
}

static void on_stopped(void *context)
{
    struct watcher *watcher = context;

    ev_break(watcher->loop, EVBREAK_ALL);
}

static void watcher_handle(struct watcher *watcher, struct message *message)
{
    switch (message->type) {
    case MESSAGE_RELOAD:
        changes_want_settings(&watcher->changes);
        break;
    case MESSAGE_KEY_WANTED:
        key_refresher_want(watcher->changes.refresher, message->payload);
        break;
    case MESSAGE_READER_CHECK:
        watcher_reader_check(watcher);
        break;
    case MESSAGE_DRAIN:
        prober_stop(watcher->changes.prober, on_stopped, watcher);
        break;
    case MESSAGE_SETTINGS:
        if (child_handle(&watcher->child, message))
            watcher_take_settings(watcher);
        break;
    default:
        if (!child_handle(&watcher->child, message))
            log_warning("message_unexpected", "type %d", (int)message->type);
    }
    message_close(message);
}

static void on_channel(struct ev_loop *loop, ev_io *io, int events)
{
    struct watcher *watcher = io->data;
    struct message message;
    int status;

    (void)events;
    while ((status = channel_receive(io->fd, &message)) > 0)
        watcher_handle(watcher, &message);
    if (status == 0)
        return;
    /* Master is gone, or speaks another language: without it nobody supervises this process. */
    log_error("master_lost", "%s", strerror(-status));
    ev_break(loop, EVBREAK_ALL);
}

static void watcher_path(const struct watcher *watcher, const char *name, char *out, size_t room)
{
    struct slice state_dir = watcher->child.settings.state_dir;
    int size = snprintf(out, room, "%.*s%s", (int)state_dir.size, state_dir.data, name);

    if (size < 0 || (size_t)size >= room)
        changes_fail("state directory", -ENAMETOOLONG);
}

static void watcher_open_store(struct watcher *watcher)
{
    char directory[4096];
    struct store_options options = {.directory = directory,
                                    .environment = STORE_CONFIG,
                                    .writable = true,
                                    .map_size = watcher->child.settings.config_map_size};
    int status;

    watcher_path(watcher, "/config", directory, sizeof(directory));
    status = store_open(&watcher->store, &options);
    if (status < 0)
        changes_fail("config environment", status);
}

static void watcher_open_control(struct watcher *watcher)
{
    char directory[4096];
    int status;

    watcher_path(watcher, "", directory, sizeof(directory));
    status = control_open(&watcher->control, watcher->loop, directory, on_control, watcher);
    if (status < 0)
        changes_fail("control socket", status);
}

/* true: a transaction was committed. */
static bool watcher_open_changes(struct watcher *watcher)
{
    struct scoreboard_public *public;
    int status = scoreboard_map_public(PUBLIC_FD, 1, &public);

    if (status < 0)
        changes_fail("public scoreboard", status);
    watcher->changes = (struct changes){.loop = watcher->loop,
                                        .child = &watcher->child,
                                        .store = watcher->store,
                                        .public = public,
                                        .done = on_changes,
                                        .context = watcher};
    return changes_open(&watcher->changes);
}

static void timer_begin(struct watcher *watcher, ev_timer *timer,
                        void (*callback)(struct ev_loop *, ev_timer *, int), ev_tstamp after,
                        ev_tstamp repeat)
{
    ev_timer_init(timer, callback, after, repeat);
    timer->data = watcher;
    if (after > 0)
        ev_timer_start(watcher->loop, timer);
}

static void watcher_begin(struct watcher *watcher)
{
    timer_begin(watcher, &watcher->heartbeat, on_heartbeat, WATCHER_HEARTBEAT, WATCHER_HEARTBEAT);
    timer_begin(watcher, &watcher->reader_check, on_reader_check, WATCHER_READER_CHECK,
                WATCHER_READER_CHECK);
    timer_begin(watcher, &watcher->sweep, on_sweep, WATCHER_SWEEP, WATCHER_SWEEP);
    timer_begin(watcher, &watcher->patience, on_patience, WATCHER_READY_WAIT, 0);
    ev_io_init(&watcher->channel, on_channel, watcher->child.channel, EV_READ);
    watcher->channel.data = watcher;
    ev_io_start(watcher->loop, &watcher->channel);
}

static void watcher_end(struct watcher *watcher)
{
    control_close(watcher->control);
    source_close(watcher->source);
    changes_close(&watcher->changes);
    store_close(watcher->store);
    ev_loop_destroy(watcher->loop);
    arena_free(&watcher->child.arena);
}

int watcher_main(int argc, char **argv)
{
    static struct watcher watcher;

    child_start(argc, argv, &watcher.child);
    watcher.loop = ev_loop_new(EVFLAG_AUTO);
    if (watcher.loop == NULL)
        changes_fail("event loop", -ENOMEM);
    watcher_open_store(&watcher);
    watcher_begin(&watcher);
    watcher_open_source(&watcher);
    /* The first reading before the loop: a watcher that cannot publish never says READY. */
    if (watcher_open_changes(&watcher))
        watcher_tell(&watcher);
    watcher_open_control(&watcher);
    watcher_settle(&watcher, false);
    ev_run(watcher.loop, 0);
    watcher_end(&watcher);
    return 0;
}
