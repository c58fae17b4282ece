/* watcher.c: the one process that turns documents, key sets and names into records.
 *
 * Its loop follows the resource documents, the key-set URLs, the hosts' names and master's
 * messages; what changed is published by publisher.h. It never meets a client, never executes
 * anything, and never blocks: each step is bounded.
 */
#include "conf/control.h"
#include "conf/drainer.h"
#include "conf/key_refresh.h"
#include "conf/prober.h"
#include "conf/publisher.h"
#include "conf/resolver.h"
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

/* Seconds. Ends of fetches and answers within `GATHER` of each other are one transaction. */
#define WATCHER_HEARTBEAT 0.2
#define WATCHER_GATHER 0.02
#define WATCHER_READER_CHECK 10.0
#define WATCHER_READY_WAIT 3.0
#define WATCHER_SWEEP 5.0
#define WATCHER_SWEEP_ON 0.1
#define WATCHER_ROOM_WAIT 0.5 /* between tries while disk or map is full, doubling */
#define WATCHER_ROOM_WAIT_MAX 4.0

enum { OUTCOMES_MAX = 256 };

struct watcher {
    struct child child;
    struct ev_loop *loop;
    struct store *store;
    struct scoreboard_public *public;
    struct publisher publisher;
    struct reading reading;
    struct source *source;
    struct resolver *resolver;
    struct key_refresher *refresher;
    struct prober *prober;
    struct control *control;
    struct store_key swept; /* where the sweep of revocations goes on */
    ev_io channel;
    ev_timer heartbeat;
    ev_timer gather;
    ev_timer reader_check;
    ev_timer sweep;
    ev_timer patience; /* with fetches and names, before READY */
    bool settings_wanted, resources_wanted, keys_wanted, addresses_wanted;
    bool ready;
    bool full;    /* a change waits for room in the store */
    bool blocked; /* found in this turn */
    ev_tstamp room_wait;
};

_Noreturn static void watcher_fail(const char *what, int error)
{
    log_error("watcher_failed", "%s: %s", what, strerror(-error));
    exit(store_is_lost(error) ? EXIT_STORE : EXIT_FAILURE);
}

static void watcher_gather(struct watcher *watcher)
{
    if (!ev_is_active(&watcher->gather)) {
        ev_timer_set(&watcher->gather, WATCHER_GATHER, 0);
        ev_timer_start(watcher->loop, &watcher->gather);
    }
}

static void on_source(void *context)
{
    struct watcher *watcher = context;

    watcher->resources_wanted = true;
    watcher_gather(watcher);
}

static void on_addresses(void *context)
{
    struct watcher *watcher = context;

    watcher->addresses_wanted = true;
    watcher_gather(watcher);
}

static void on_keys(void *context)
{
    struct watcher *watcher = context;

    watcher->keys_wanted = true;
    watcher_gather(watcher);
}

/* Loads what was published into an empty publisher. */
static void watcher_load(struct watcher *watcher)
{
    int status = publisher_open(&watcher->publisher);

    if (status < 0)
        watcher_fail("what was published before", status);
}

/* What a publishing function gave. Without room nothing ends: what is published is served on, and
 * the change is tried again until it fits. true: a transaction was committed. */
static bool watcher_published(struct watcher *watcher, const char *what, int status)
{
    if (status >= 0)
        return status > 0;
    if (status != -ENOSPC && status != -EIO)
        watcher_fail(what, status);
    if (!watcher->full) {
        log_error("config_store_full", "%s: %s; changes wait until there is room", what,
                  strerror(-status));
        watcher->room_wait = WATCHER_ROOM_WAIT;
    }
    watcher->full = watcher->blocked = true;
    /* Memory may be ahead of the store: what was not committed did not happen. */
    publisher_close(&watcher->publisher);
    document_cache_free(&watcher->reading.cache); /* it points at what was in memory */
    watcher_load(watcher);
    watcher->resources_wanted = true;
    ev_timer_stop(watcher->loop, &watcher->gather);
    ev_timer_set(&watcher->gather, watcher->room_wait, 0);
    ev_timer_start(watcher->loop, &watcher->gather);
    if (watcher->room_wait < WATCHER_ROOM_WAIT_MAX)
        watcher->room_wait *= 2;
    return false;
}

/* Master tells the workers; they would see the scoreboard anyway. */
static void watcher_tell(struct watcher *watcher)
{
    int status =
        channel_send(watcher->child.channel, MESSAGE_CHANGED, slice_make(NULL, 0), NULL, 0);

    if (status < 0)
        log_debug("changed_unsent", "%s", strerror(-status));
}

static size_t endpoint_hosts(const struct app_record *app, struct slice *hosts)
{
    for (size_t i = 0; i < app->endpoint_count; i++)
        hosts[i] = app->endpoints[i].host;
    return app->endpoint_count;
}

static size_t list_hosts(const struct document_list *list, struct slice *hosts)
{
    size_t count = 0;

    for (size_t i = 0; i < list->count; i++)
        if (list->documents[i].kind == DOCUMENT_APP && list->documents[i].state == DOCUMENT_GOOD)
            count += endpoint_hosts(&list->documents[i].app.record, hosts + count);
    return count;
}

/* Follows the hosts of the apps in force and, while a reading is judged, those of its documents:
 * so what is known at once is in the first record of a new app. */
static void watcher_follow_hosts(struct watcher *watcher, bool judging)
{
    const struct registry_list *apps = &watcher->publisher.registry.lists[DOCUMENT_APP];
    size_t most = (apps->count + watcher->reading.settings.list.count +
                   watcher->reading.resources.list.count + 1) *
                  APP_ENDPOINTS_MAX;
    struct slice *hosts = calloc(most, sizeof(*hosts));
    size_t count = 0;
    int status;

    if (hosts == NULL)
        watcher_fail("hosts", -ENOMEM);
    for (size_t i = 0; i < apps->count; i++)
        if (apps->slots[i]->good != NULL)
            count += endpoint_hosts(&apps->slots[i]->good->app, hosts + count);
    if (judging) {
        count += list_hosts(&watcher->reading.settings.list, hosts + count);
        count += list_hosts(&watcher->reading.resources.list, hosts + count);
    }
    status = resolver_follow(watcher->resolver, hosts, count);
    free(hosts);
    if (status < 0)
        watcher_fail("resolver", status);
}

static size_t list_apps(const struct document_list *list)
{
    size_t count = 0;

    for (size_t i = 0; i < list->count; i++)
        count += list->documents[i].kind == DOCUMENT_APP;
    return count;
}

static size_t watcher_apps(const struct watcher *watcher)
{
    const struct registry_list *apps = &watcher->publisher.registry.lists[DOCUMENT_APP];
    size_t count = 0;

    for (size_t i = 0; i < apps->count; i++)
        count += apps->slots[i]->good != NULL;
    return count;
}

/* true: a transaction was committed. */
static bool watcher_read(struct watcher *watcher)
{
    const struct settings *settings = &watcher->child.settings;
    int64_t began = clock_monotonic_milliseconds();
    bool hosts = watcher->settings_wanted;
    size_t read;
    size_t apps;
    bool committed;

    if (watcher->settings_wanted)
        reading_settings(&watcher->reading, settings->path);
    reading_resources(&watcher->reading, settings->resources_dir);
    watcher->settings_wanted = watcher->resources_wanted = false;
    child_heartbeat(&watcher->child);
    read = document_cache_read_count(&watcher->reading.cache);
    apps = watcher_apps(watcher);
    hosts = hosts || list_apps(&watcher->reading.resources.list) > 0;
    if (hosts)
        watcher_follow_hosts(watcher, true);
    committed = watcher_published(
        watcher, "documents cannot be published",
        publisher_apply(&watcher->publisher, &watcher->reading, settings->public_addr));
    if (watcher->publisher.unread)
        on_source(watcher);
    reading_forget_resources(&watcher->reading);
    /* Hosts come with an app that was read, and go with one that is gone. */
    if (hosts || watcher_apps(watcher) != apps)
        watcher_follow_hosts(watcher, false);
    if (key_refresher_follow(watcher->refresher,
                             &watcher->publisher.registry.lists[DOCUMENT_AUTH_CONFIG]) < 0)
        watcher_fail("key sets", -ENOMEM);
    log_info("documents_judged", "%zu of %zu files read in %lld ms", read,
             watcher->reading.cache.count, (long long)(clock_monotonic_milliseconds() - began));
    return committed;
}

static bool watcher_take_keys(struct watcher *watcher)
{
    static struct key_set_outcome outcomes[OUTCOMES_MAX];
    size_t count = key_refresher_take(watcher->refresher, outcomes, OUTCOMES_MAX);
    bool committed = watcher_published(watcher, "key sets cannot be published",
                                       publisher_fetched(&watcher->publisher, outcomes, count));

    if (watcher->blocked)
        return false; /* the outcomes stay where they are */
    key_refresher_taken(watcher->refresher);
    watcher->keys_wanted = count == OUTCOMES_MAX;
    if (watcher->keys_wanted)
        watcher_gather(watcher);
    return committed;
}

static bool watcher_take_addresses(struct watcher *watcher)
{
    bool committed = watcher_published(watcher, "addresses cannot be published",
                                       publisher_readdress(&watcher->publisher));

    watcher->addresses_wanted = watcher->blocked;
    return committed;
}

/* READY once what can be served is as good as it gets at once. */
static void watcher_settle(struct watcher *watcher, bool impatient)
{
    if (watcher->ready)
        return;
    if (!impatient && !watcher->full &&
        (watcher->keys_wanted || watcher->addresses_wanted ||
         !key_refresher_settled(watcher->refresher) || !resolver_settled(watcher->resolver)))
        return;
    watcher->ready = true;
    ev_timer_stop(watcher->loop, &watcher->patience);
    child_ready(&watcher->child);
}

/* Probes the apps that are in force now. */
static void watcher_probe(struct watcher *watcher)
{
    int status = prober_follow(watcher->prober, &watcher->publisher.registry.lists[DOCUMENT_APP]);

    if (status < 0)
        watcher_fail("health checks", status);
}

static void on_gather(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct watcher *watcher = timer->data;
    bool changed = false;

    (void)loop;
    (void)events;
    child_heartbeat(&watcher->child);
    watcher->blocked = false;
    if (watcher->settings_wanted || watcher->resources_wanted)
        changed = watcher_read(watcher);
    child_heartbeat(&watcher->child);
    if (watcher->keys_wanted && !watcher->blocked)
        changed = watcher_take_keys(watcher) || changed;
    if (watcher->addresses_wanted && !watcher->blocked)
        changed = watcher_take_addresses(watcher) || changed;
    if (changed) {
        watcher_probe(watcher);
        watcher_tell(watcher);
    }
    if (watcher->full && !watcher->blocked) {
        log_info("config_store_room", "what waited for room in the store is published");
        watcher->full = false;
    }
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
        watcher_fail("reader check", status);
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
        status = drainer_set(&watcher->publisher, &request->drain, uid, answer);
    else
        status = revoker_add(&watcher->publisher, request, uid, clock_wall_seconds(), answer);
    if (status == -EUCLEAN || status == -ESTALE)
        watcher_fail("what a command asked for could not be published", status);
    if (status < 0 && request->drain.app.size > 0)
        watcher_published(watcher, "a drain could not be published", status);
    if (status > 0)
        watcher_tell(watcher);
}

static void on_sweep(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct watcher *watcher = timer->data;
    bool more;
    int status = revoker_sweep(&watcher->publisher, &watcher->swept, clock_wall_seconds(), &more);

    (void)events;
    if (status == -EUCLEAN || status == -ESTALE)
        watcher_fail("ended revocations could not be removed", status);
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

static void watcher_reload(struct watcher *watcher)
{
    watcher->settings_wanted = watcher->resources_wanted = true;
    watcher_gather(watcher);
}

static void watcher_take_settings(struct watcher *watcher)
{
    const struct settings_limits *limits = &watcher->child.settings.limits;

    watcher_open_source(watcher);
    key_refresher_limit(watcher->refresher, limits->key_fetch_timeout, limits->key_set_size,
                        (int64_t)limits->max_stale / 1000);
    watcher_reload(watcher);
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
        watcher_reload(watcher);
        break;
    case MESSAGE_KEY_WANTED:
        key_refresher_want(watcher->refresher, message->payload);
        break;
    case MESSAGE_READER_CHECK:
        watcher_reader_check(watcher);
        break;
    case MESSAGE_DRAIN:
        prober_stop(watcher->prober, on_stopped, watcher);
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
        watcher_fail("state directory", -ENAMETOOLONG);
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
        watcher_fail("config environment", status);
}

static void watcher_open_control(struct watcher *watcher)
{
    char directory[4096];
    int status;

    watcher_path(watcher, "", directory, sizeof(directory));
    status = control_open(&watcher->control, watcher->loop, directory, on_control, watcher);
    if (status < 0)
        watcher_fail("control socket", status);
}

static void watcher_open_publisher(struct watcher *watcher)
{
    int status = scoreboard_map_public(PUBLIC_FD, 1, &watcher->public);

    if (status < 0)
        watcher_fail("public scoreboard", status);
    watcher->publisher = (struct publisher){.store = watcher->store,
                                            .public = watcher->public,
                                            .block = watcher->child.block,
                                            .addresses = resolver_addresses,
                                            .addresses_context = watcher->resolver};
    watcher_load(watcher);
}

static void watcher_open_prober(struct watcher *watcher)
{
    int status = prober_open(&watcher->prober, watcher->loop, &watcher->public->health,
                             watcher->child.block);

    if (status < 0)
        watcher_fail("health checks", status);
}

static void watcher_open_followers(struct watcher *watcher)
{
    const struct settings_limits *limits = &watcher->child.settings.limits;
    struct key_refresher_options options = {.loop = watcher->loop,
                                            .block = watcher->child.block,
                                            .registry = &watcher->publisher.registry,
                                            .timeout = limits->key_fetch_timeout,
                                            .size_max = limits->key_set_size,
                                            .max_stale = (int64_t)limits->max_stale / 1000,
                                            .ended = on_keys,
                                            .context = watcher};
    int status = resolver_open(&watcher->resolver, watcher->loop, on_addresses, watcher);

    if (status == 0)
        status = key_refresher_open(&watcher->refresher, &options);
    if (status < 0)
        watcher_fail("resolver and fetcher", status);
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
    timer_begin(watcher, &watcher->gather, on_gather, 0, 0);
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
    prober_close(watcher->prober);
    key_refresher_close(watcher->refresher);
    resolver_close(watcher->resolver);
    publisher_close(&watcher->publisher);
    reading_free(&watcher->reading);
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
        watcher_fail("event loop", -ENOMEM);
    watcher_open_store(&watcher);
    watcher_begin(&watcher);
    watcher_open_followers(&watcher);
    watcher_open_publisher(&watcher);
    watcher_open_prober(&watcher);
    watcher_open_source(&watcher);
    /* The first reading before the loop: a watcher that cannot publish never says READY. */
    watcher.settings_wanted = watcher.resources_wanted = true;
    if (watcher_read(&watcher))
        watcher_tell(&watcher);
    watcher_probe(&watcher);
    watcher_open_control(&watcher);
    watcher_settle(&watcher, false);
    ev_run(watcher.loop, 0);
    watcher_end(&watcher);
    return 0;
}
