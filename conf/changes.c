#include "conf/changes.h"

#include "shared/clock.h"
#include "shared/log.h"

#include <errno.h>
#include <stdlib.h>

/* Seconds. Ends of fetches and answers within `GATHER` of each other are one transaction. */
#define CHANGES_GATHER 0.02
#define CHANGES_ROOM_WAIT 0.5 /* between tries while disk or map is full, doubling */
#define CHANGES_ROOM_WAIT_MAX 4.0

enum { OUTCOMES_MAX = 256 };

_Noreturn void changes_fail(const char *what, int error)
{
    log_error("watcher_failed", "%s: %s", what, strerror(-error));
    exit(store_is_lost(error) ? EXIT_STORE : EXIT_FAILURE);
}

static void changes_gather(struct changes *changes)
{
    if (!ev_is_active(&changes->gather)) {
        ev_timer_set(&changes->gather, CHANGES_GATHER, 0);
        ev_timer_start(changes->loop, &changes->gather);
    }
}

void changes_want_resources(struct changes *changes)
{
    changes->resources_wanted = true;
    changes_gather(changes);
}

void changes_want_settings(struct changes *changes)
{
    changes->settings_wanted = changes->resources_wanted = true;
    changes_gather(changes);
}

static void on_addresses(void *context)
{
    struct changes *changes = context;

    changes->addresses_wanted = true;
    changes_gather(changes);
}

static void on_keys(void *context)
{
    struct changes *changes = context;

    changes->keys_wanted = true;
    changes_gather(changes);
}

/* Loads what was published into an empty publisher. */
static void changes_load(struct changes *changes)
{
    int status = publisher_open(&changes->publisher);

    if (status < 0)
        changes_fail("what was published before", status);
}

/* What a publishing function gave. Without room nothing ends: what is published is served on, and
 * the change is tried again until it fits. true: a transaction was committed. */
bool changes_published(struct changes *changes, const char *what, int status)
{
    if (status >= 0)
        return status > 0;
    if (status != -ENOSPC && status != -EIO)
        changes_fail(what, status);
    if (!changes->full) {
        log_error("config_store_full", "%s: %s; changes wait until there is room", what,
                  strerror(-status));
        changes->room_wait = CHANGES_ROOM_WAIT;
    }
    changes->full = changes->blocked = true;
    /* Memory may be ahead of the store: what was not committed did not happen. */
    publisher_close(&changes->publisher);
    document_cache_free(&changes->reading.cache); /* it points at what was in memory */
    changes_load(changes);
    changes->resources_wanted = true;
    ev_timer_stop(changes->loop, &changes->gather);
    ev_timer_set(&changes->gather, changes->room_wait, 0);
    ev_timer_start(changes->loop, &changes->gather);
    if (changes->room_wait < CHANGES_ROOM_WAIT_MAX)
        changes->room_wait *= 2;
    return false;
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
static void changes_follow_hosts(struct changes *changes, bool judging)
{
    const struct registry_list *apps = &changes->publisher.registry.lists[DOCUMENT_APP];
    size_t most = (apps->count + changes->reading.settings.list.count +
                   changes->reading.resources.list.count + 1) *
                  APP_ENDPOINTS_MAX;
    struct slice *hosts = calloc(most, sizeof(*hosts));
    size_t count = 0;
    int status;

    if (hosts == NULL)
        changes_fail("hosts", -ENOMEM);
    for (size_t i = 0; i < apps->count; i++)
        if (apps->slots[i]->good != NULL)
            count += endpoint_hosts(&apps->slots[i]->good->app, hosts + count);
    if (judging) {
        count += list_hosts(&changes->reading.settings.list, hosts + count);
        count += list_hosts(&changes->reading.resources.list, hosts + count);
    }
    status = resolver_follow(changes->resolver, hosts, count);
    free(hosts);
    if (status < 0)
        changes_fail("resolver", status);
}

static size_t list_apps(const struct document_list *list)
{
    size_t count = 0;

    for (size_t i = 0; i < list->count; i++)
        count += list->documents[i].kind == DOCUMENT_APP;
    return count;
}

static size_t changes_apps(const struct changes *changes)
{
    const struct registry_list *apps = &changes->publisher.registry.lists[DOCUMENT_APP];
    size_t count = 0;

    for (size_t i = 0; i < apps->count; i++)
        count += apps->slots[i]->good != NULL;
    return count;
}

/* true: a transaction was committed. */
static bool changes_read(struct changes *changes)
{
    const struct settings *settings = &changes->child->settings;
    int64_t began = clock_monotonic_milliseconds();
    bool hosts = changes->settings_wanted;
    size_t read;
    size_t apps;
    bool committed;

    if (changes->settings_wanted)
        reading_settings(&changes->reading, settings->path);
    reading_resources(&changes->reading, settings->resources_dir);
    changes->settings_wanted = changes->resources_wanted = false;
    child_heartbeat(changes->child);
    read = document_cache_read_count(&changes->reading.cache);
    apps = changes_apps(changes);
    hosts = hosts || list_apps(&changes->reading.resources.list) > 0;
    if (hosts)
        changes_follow_hosts(changes, true);
    committed = changes_published(
        changes, "documents cannot be published",
        publisher_apply(&changes->publisher, &changes->reading, settings->public_addr));
    if (changes->publisher.unread)
        changes_want_resources(changes);
    reading_forget_resources(&changes->reading);
    /* Hosts come with an app that was read, and go with one that is gone. */
    if (hosts || changes_apps(changes) != apps)
        changes_follow_hosts(changes, false);
    if (key_refresher_follow(changes->refresher,
                             &changes->publisher.registry.lists[DOCUMENT_AUTH_CONFIG]) < 0)
        changes_fail("key sets", -ENOMEM);
    log_info("documents_judged", "%zu of %zu files read in %lld ms", read,
             changes->reading.cache.count, (long long)(clock_monotonic_milliseconds() - began));
    return committed;
}

static bool changes_take_keys(struct changes *changes)
{
    static struct key_set_outcome outcomes[OUTCOMES_MAX];
    size_t count = key_refresher_take(changes->refresher, outcomes, OUTCOMES_MAX);
    bool committed = changes_published(changes, "key sets cannot be published",
                                       publisher_fetched(&changes->publisher, outcomes, count));

    if (changes->blocked)
        return false; /* the outcomes stay where they are */
    key_refresher_taken(changes->refresher);
    changes->keys_wanted = count == OUTCOMES_MAX;
    if (changes->keys_wanted)
        changes_gather(changes);
    return committed;
}

static bool changes_take_addresses(struct changes *changes)
{
    bool committed = changes_published(changes, "addresses cannot be published",
                                       publisher_readdress(&changes->publisher));

    changes->addresses_wanted = changes->blocked;
    return committed;
}

/* Probes the apps that are in force now. */
static void changes_probe(struct changes *changes)
{
    int status = prober_follow(changes->prober, &changes->publisher.registry.lists[DOCUMENT_APP]);

    if (status < 0)
        changes_fail("health checks", status);
}

bool changes_settled(const struct changes *changes)
{
    return changes->full ||
           (!changes->keys_wanted && !changes->addresses_wanted &&
            key_refresher_settled(changes->refresher) && resolver_settled(changes->resolver));
}

static void on_gather(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct changes *changes = timer->data;
    bool changed = false;

    (void)loop;
    (void)events;
    child_heartbeat(changes->child);
    changes->blocked = false;
    if (changes->settings_wanted || changes->resources_wanted)
        changed = changes_read(changes);
    child_heartbeat(changes->child);
    if (changes->keys_wanted && !changes->blocked)
        changed = changes_take_keys(changes) || changed;
    if (changes->addresses_wanted && !changes->blocked)
        changed = changes_take_addresses(changes) || changed;
    if (changed)
        changes_probe(changes);
    if (changes->full && !changes->blocked) {
        log_info("config_store_room", "what waited for room in the store is published");
        changes->full = false;
    }
    changes->done(changes->context, changed);
}

static void changes_open_followers(struct changes *changes)
{
    const struct settings_limits *limits = &changes->child->settings.limits;
    struct key_refresher_options options = {.loop = changes->loop,
                                            .block = changes->child->block,
                                            .registry = &changes->publisher.registry,
                                            .timeout = limits->key_fetch_timeout,
                                            .size_max = limits->key_set_size,
                                            .max_stale = (int64_t)limits->max_stale / 1000,
                                            .ended = on_keys,
                                            .context = changes};
    int status = resolver_open(&changes->resolver, changes->loop, on_addresses, changes);

    if (status == 0)
        status = key_refresher_open(&changes->refresher, &options);
    if (status == 0)
        status = prober_open(&changes->prober, changes->loop, &changes->public->health,
                             changes->child->block);
    if (status < 0)
        changes_fail("resolver, fetcher and prober", status);
}

bool changes_open(struct changes *changes)
{
    bool changed;

    ev_timer_init(&changes->gather, on_gather, 0, 0);
    changes->gather.data = changes;
    changes_open_followers(changes);
    changes->publisher = (struct publisher){.store = changes->store,
                                            .public = changes->public,
                                            .block = changes->child->block,
                                            .addresses = resolver_addresses,
                                            .addresses_context = changes->resolver};
    changes_load(changes);
    changes->settings_wanted = changes->resources_wanted = true;
    changed = changes_read(changes);
    changes_probe(changes);
    return changed;
}

void changes_close(struct changes *changes)
{
    ev_timer_stop(changes->loop, &changes->gather);
    prober_close(changes->prober);
    key_refresher_close(changes->refresher);
    resolver_close(changes->resolver);
    publisher_close(&changes->publisher);
    reading_free(&changes->reading);
}
