#include "shared/channel.h"
#include "shared/child.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "shared/mcp_session_store.h"
#include "shared/mcp_task_store.h"
#include "shared/roles.h"
#include "shared/session_end.h"
#include "shared/session_sweep.h"
#include "shared/store_location.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <string.h>

/* Seconds. Heartbeats come often enough for any watchdog; commits wait for their sync no longer
 * than a second; dead readers that nobody told of are found after ten. */
static const double janitor_heartbeat_period = 0.5;
static const double janitor_round_period = 1;
static const double janitor_reader_period = 10;

enum {
    JANITOR_BATCHES = 10
}; /* transactions a round: 2000 sessions a second keep ahead of logins */

struct janitor {
    struct child child;
    struct store_location location;
    struct store *store;
    struct ev_loop *loop;
    struct ev_io channel;
    struct ev_timer heartbeat, round, readers;
    struct store_key mcp_cursor;  /* where the sweep of MCP sessions goes on */
    struct store_key task_cursor; /* and that of their servers' tasks */
    struct buffer ended;          /* sessions that a sweep removed (session_end.h) */
    uint64_t synced;              /* last transaction that is on the disk */
    bool crowded;
    int status; /* exit status once the loop breaks */
};

static void janitor_stop(struct janitor *janitor, int status)
{
    janitor->status = status;
    ev_break(janitor->loop, EVBREAK_ALL);
}

/* Corruption ends the process; a full disk or the like is told, and tried again next round. */
static void janitor_failed(struct janitor *janitor, const char *what, int error)
{
    log_error("janitor_failed", "%s %s: %s", what, janitor->location.directory, strerror(-error));
    if (store_is_lost(error))
        janitor_stop(janitor, EXIT_STORE);
}

static void janitor_count(struct janitor *janitor, size_t removed)
{
    while (removed-- > 0)
        scoreboard_count(janitor->child.block, COUNT_SESSIONS_EXPIRED);
}

static void janitor_send_ended(struct janitor *janitor, const char *begin, const char *end)
{
    struct slice entries = slice_make(begin, (size_t)(end - begin));

    if (entries.size > 0 &&
        channel_send(janitor->child.channel, MESSAGE_SESSIONS_ENDED, entries, NULL, 0) != 0)
        log_warning("ends_untold", "the audit trail lacks the ends of some sessions");
}

/* The audit trail is the workers': one of them is told, in messages of whole entries. */
static void janitor_tell(struct janitor *janitor)
{
    struct slice rest = buffer_slice(&janitor->ended);
    const char *begin = rest.data;
    const char *at = begin;
    struct session_end end;

    while (session_end_next(&rest, &end)) {
        if (rest.data - begin > CHANNEL_PAYLOAD_MAX) {
            janitor_send_ended(janitor, begin, at);
            begin = at;
        }
        at = rest.data;
    }
    janitor_send_ended(janitor, begin, at);
    buffer_free(&janitor->ended);
}

/* Where sweeps put what they removed; NULL: nobody wants to know. */
static struct buffer *janitor_ended(struct janitor *janitor)
{
    return janitor->child.settings.audit.output.size > 0 ? &janitor->ended : NULL;
}

static int janitor_sync(struct janitor *janitor)
{
    uint64_t last = store_last_write(janitor->store);
    int error;

    if (last == janitor->synced)
        return 0;
    error = store_sync(janitor->store);
    if (error == 0)
        janitor->synced = last;
    return error;
}

static int janitor_sweep(struct janitor *janitor)
{
    size_t swept = SESSION_SWEEP_BATCH;

    for (int i = 0; i < JANITOR_BATCHES && swept == SESSION_SWEEP_BATCH; i++) {
        size_t removed;
        int error = session_sweep(janitor->store, clock_wall_seconds(), &swept, &removed,
                                  janitor_ended(janitor));
        janitor_tell(janitor);

        if (error != 0)
            return error;
        janitor_count(janitor, removed);
        child_heartbeat(&janitor->child);
    }
    return 0;
}

static int janitor_sweep_mcp(struct janitor *janitor)
{
    size_t removed;
    int error = mcp_session_sweep(janitor->store, &janitor->mcp_cursor, clock_wall_seconds(),
                                  janitor->child.settings.limits.mcp_session_idle, &removed,
                                  janitor_ended(janitor));

    janitor_tell(janitor);
    if (removed > 0)
        log_debug("mcp_sessions_ended", "%zu by idleness", removed);
    if (error != 0)
        return error;
    error = mcp_task_sweep(janitor->store, &janitor->task_cursor, clock_wall_seconds(), &removed);
    if (removed > 0)
        log_debug("mcp_tasks_forgotten", "%zu by age", removed);
    return error;
}

/* At 80 % of the map, one batch a round of those that end soonest makes room for new sessions. */
static int janitor_make_room(struct janitor *janitor)
{
    struct store_usage usage;
    size_t removed;
    bool crowded;
    int error = store_usage(janitor->store, &usage);

    store_turn_end(janitor->store);
    if (error != 0)
        return error;
    crowded = session_sweep_crowded(&usage);
    if (crowded != janitor->crowded)
        log_warning("session_store_crowded", "%s: %llu of %llu bytes in use: %s",
                    janitor->location.directory, (unsigned long long)usage.used,
                    (unsigned long long)usage.map_size,
                    crowded ? "sessions that end soonest are removed" : "there is room again");
    janitor->crowded = crowded;
    if (!crowded)
        return 0;
    error = session_sweep_soonest(janitor->store, SESSION_SWEEP_BATCH, &removed);
    janitor_count(janitor, removed);
    return error;
}

static void janitor_on_round(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    struct janitor *janitor = timer->data;
    int error = janitor_sweep(janitor);

    (void)loop;
    (void)events;
    if (error != 0)
        janitor_failed(janitor, "cannot sweep", error);
    error = janitor_sweep_mcp(janitor);
    if (error != 0)
        janitor_failed(janitor, "cannot sweep the MCP sessions and tasks of", error);
    error = janitor_make_room(janitor);
    if (error != 0)
        janitor_failed(janitor, "cannot make room in", error);
    error = janitor_sync(janitor);
    if (error != 0)
        janitor_failed(janitor, "cannot sync", error);
}

static void janitor_check_readers(struct janitor *janitor)
{
    int cleared = 0;
    int error = store_reader_check(janitor->store, &cleared);

    if (error != 0)
        janitor_failed(janitor, "cannot check the readers of", error);
    else if (cleared > 0)
        log_info("readers_cleared", "freed %d slots of dead readers", cleared);
}

static void janitor_on_readers(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    janitor_check_readers(timer->data);
}

static void janitor_on_heartbeat(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    struct janitor *janitor = timer->data;

    (void)loop;
    (void)events;
    child_heartbeat(&janitor->child);
}

static void janitor_handle(struct janitor *janitor, struct message *message)
{
    if (message->type == MESSAGE_DRAIN)
        janitor_stop(janitor, 0);
    else if (message->type == MESSAGE_READER_CHECK)
        janitor_check_readers(janitor);
    else
        child_handle(&janitor->child, message);
    message_close(message);
}

static void janitor_on_channel(struct ev_loop *loop, struct ev_io *io, int events)
{
    struct janitor *janitor = io->data;
    struct message message;
    int received;

    (void)loop;
    (void)events;
    while ((received = channel_receive(janitor->child.channel, &message)) > 0)
        janitor_handle(janitor, &message);
    if (received == 0)
        return;
    /* End of file: master has died, and its children end with it. */
    if (received == -EBADMSG)
        log_error("channel_broken", "a message from master breaks the form");
    janitor_stop(janitor, received == -EPIPE ? 0 : EXIT_FAILURE);
}

static void janitor_timer(struct janitor *janitor, struct ev_timer *timer,
                          void (*on)(struct ev_loop *, struct ev_timer *, int), double period)
{
    ev_timer_init(timer, on, period, period);
    timer->data = janitor;
    ev_timer_start(janitor->loop, timer);
}

static void janitor_run(struct janitor *janitor)
{
    ev_io_init(&janitor->channel, janitor_on_channel, janitor->child.channel, EV_READ);
    janitor->channel.data = janitor;
    ev_io_start(janitor->loop, &janitor->channel);
    janitor_timer(janitor, &janitor->heartbeat, janitor_on_heartbeat, janitor_heartbeat_period);
    janitor_timer(janitor, &janitor->round, janitor_on_round, janitor_round_period);
    janitor_timer(janitor, &janitor->readers, janitor_on_readers, janitor_reader_period);
    child_ready(&janitor->child);
    ev_run(janitor->loop, 0);
}

/* Whatever ended the loop, what was committed is to be on the disk. */
static int janitor_end(struct janitor *janitor)
{
    int error = store_sync(janitor->store);

    if (error != 0)
        janitor_failed(janitor, "cannot sync", error);
    store_close(janitor->store);
    ev_loop_destroy(janitor->loop);
    arena_free(&janitor->child.arena);
    return janitor->status;
}

int janitor_main(int argc, char **argv)
{
    struct janitor janitor = {0};
    int error;

    child_start(argc, argv, &janitor.child);
    error = store_location_find(&janitor.child.settings, STORE_SESSIONS, &janitor.location);
    if (error == 0)
        error = store_open(&janitor.store, &janitor.location.options);
    if (error == 0)
        janitor.loop = ev_loop_new(EVFLAG_NOENV);
    if (error == 0 && janitor.loop == NULL)
        error = -ENOMEM;
    if (error != 0) {
        log_error("start_failed", "cannot open %s: %s", janitor.location.directory,
                  strerror(-error));
        store_close(janitor.store);
        arena_free(&janitor.child.arena);
        return store_is_lost(error) ? EXIT_STORE : EXIT_FAILURE;
    }
    janitor_run(&janitor);
    return janitor_end(&janitor);
}
