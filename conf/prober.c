#include "conf/prober.h"

#include "conf/health.h"
#include "conf/http_fetch.h"
#include "conf/probe_http.h"
#include "conf/probe_tcp.h"
#include "shared/log.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>

/* One version of an app; owns its record's bytes. */
struct probed_app {
    struct app_record record;
    void *bytes;
    size_t size;
    struct target *targets[APP_ENDPOINTS_MAX];
    unsigned users; /* it is in force; and probes that run by it */
};

/* An endpoint; goes on through versions of its app that have it. */
struct target {
    struct prober *prober;
    struct probed_app *app; /* as it is in force; NULL: gone, and the probe that runs is the last */
    unsigned endpoint;      /* index into the app's */
    uint64_t id;
    struct health health;
    bool legacy;
    ev_timer timer; /* until the next probe */
    ev_tstamp began;
    struct probed_app *probing; /* what the running probe reads; NULL: none runs */
    struct probe_tcp *tcp;      /* at most one of these two is there */
    struct probe_http *http;
    struct target *next, **link; /* among those that wait for their turn, or those that are gone */
};

struct prober {
    struct ev_loop *loop;
    struct health_board *board;
    struct scoreboard_block *block;
    struct http_fetcher *fetcher;
    struct probed_app **apps; /* sorted by name */
    size_t count;
    struct target *waiting, **waiting_end;
    struct target *gone;
    size_t running;
    size_t probed, dead;
    bool swept; /* the board holds nothing that an earlier process left */
    bool ending;
    ev_timer patience; /* with the probes that run, while it ends */
    prober_ended ended;
    void *context;
};

static void probed_app_release(struct probed_app *app)
{
    if (app == NULL || --app->users > 0)
        return;
    free(app->bytes);
    free(app);
}

static const struct app_endpoint *target_endpoint(const struct target *target)
{
    return &target->app->record.endpoints[target->endpoint];
}

static void prober_gauges(struct prober *prober)
{
    scoreboard_set(prober->block, GAUGE_ENDPOINTS_PROBED, prober->probed);
    scoreboard_set(prober->block, GAUGE_ENDPOINTS_DEAD, prober->dead);
}

static void target_tell(struct target *target, const char *failed)
{
    struct prober *prober = target->prober;
    const struct app_endpoint *endpoint = target_endpoint(target);
    struct slice name = target->app->record.name;
    bool dead = target->health.dead;

    prober->dead += dead ? 1 : (size_t)-1;
    prober_gauges(prober);
    scoreboard_count(prober->block, COUNT_HEALTH_TRANSITIONS);
    if (dead)
        log_warning("endpoint_dead", "app %.*s, %.*s port %u: %s", (int)name.size, name.data,
                    (int)endpoint->host.size, endpoint->host.data, endpoint->port, failed);
    else
        log_info("endpoint_alive", "app %.*s, %.*s port %u", (int)name.size, name.data,
                 (int)endpoint->host.size, endpoint->host.data, endpoint->port);
    if (!health_board_set(prober->board, endpoint->id, dead))
        log_warning("health_board_full", "the endpoint is still chosen: too many are dead");
}

/* The next probe an interval after the last began, up to a tenth earlier: so that endpoints that
 * were found together drift apart. */
static void target_schedule(struct target *target, ev_tstamp since)
{
    ev_tstamp interval = target->app->record.health.interval / 1000.;
    ev_tstamp wait = interval * (0.9 + 0.1 * ((double)rand() / RAND_MAX)) - since;

    ev_timer_set(&target->timer, wait > 0 ? wait : 0., 0.);
    ev_timer_start(target->prober->loop, &target->timer);
}

/* Takes it out of the list that it is in. */
static void target_unlink(struct target *target)
{
    struct prober *prober = target->prober;

    if (target->link == NULL)
        return;
    *target->link = target->next;
    if (target->next != NULL)
        target->next->link = target->link;
    if (prober->waiting_end == &target->next)
        prober->waiting_end = target->link;
    target->link = NULL;
}

static void target_free(struct target *target)
{
    target_unlink(target);
    ev_timer_stop(target->prober->loop, &target->timer);
    probe_tcp_cancel(target->tcp);
    probe_http_cancel(target->http);
    target->prober->running -= target->probing != NULL;
    probed_app_release(target->probing);
    free(target);
}

static void prober_admit(struct prober *prober);

static void on_done(void *context, const char *failed)
{
    struct target *target = context;
    struct prober *prober = target->prober;

    target->tcp = NULL;
    target->http = NULL;
    probed_app_release(target->probing);
    target->probing = NULL;
    prober->running--;
    if (target->app == NULL) {
        target_free(target);
    } else {
        if (health_judge(&target->health, &target->app->record.health, failed == NULL))
            target_tell(target, failed);
        target_schedule(target, ev_now(prober->loop) - target->began);
    }
    prober_admit(prober);
}

static void target_start(struct target *target)
{
    struct probed_app *app = target->app;
    struct prober *prober = target->prober;
    const struct app_health *check = &app->record.health;

    target->began = ev_now(prober->loop);
    if (check->probe == APP_PROBE_TCP)
        target->tcp =
            probe_tcp_start(prober->loop, target_endpoint(target), check->timeout, on_done, target);
    else
        target->http = probe_http_start(prober->loop, prober->fetcher, &app->record,
                                        target->endpoint, &target->legacy, on_done, target);
    if (target->tcp == NULL && target->http == NULL) {
        target_schedule(target, 0); /* without memory nothing was found out */
        return;
    }
    target->probing = app;
    app->users++;
    prober->running++;
    scoreboard_count(prober->block, COUNT_HEALTH_PROBES);
}

static void prober_end(struct prober *prober)
{
    ev_timer_stop(prober->loop, &prober->patience);
    if (prober->ended != NULL)
        prober->ended(prober->context);
    prober->ended = NULL;
}

static void prober_admit(struct prober *prober)
{
    while (!prober->ending && prober->waiting != NULL && prober->running < PROBER_RUNNING_MAX) {
        struct target *target = prober->waiting;

        target_unlink(target);
        target_start(target);
    }
    if (prober->ending && prober->running == 0)
        prober_end(prober);
}

static void target_link(struct target *target, struct target **end)
{
    target->next = *end;
    if (target->next != NULL)
        target->next->link = &target->next;
    target->link = end;
    *end = target;
}

static void on_due(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct target *target = timer->data;
    struct prober *prober = target->prober;

    (void)loop;
    (void)events;
    target_link(target, prober->waiting_end);
    prober->waiting_end = &target->next;
    prober_admit(prober);
}

/* One of an id that is gone, and whose last probe runs: it is not the last. NULL: there is none. */
static struct target *prober_recall(struct prober *prober, uint64_t id)
{
    struct target *target = prober->gone;

    while (target != NULL && target->id != id)
        target = target->next;
    if (target != NULL) {
        target_unlink(target);
        target->health = (struct health){.dead = health_board_is_dead(prober->board, id)};
    }
    return target;
}

/* NULL: no memory. */
static struct target *target_make(struct prober *prober, uint64_t id, ev_tstamp interval)
{
    struct target *target = calloc(1, sizeof(*target));

    if (target == NULL)
        return NULL;
    target->prober = prober;
    target->id = id;
    target->health.dead = health_board_is_dead(prober->board, id);
    ev_timer_init(&target->timer, on_due, interval * ((double)rand() / RAND_MAX), 0.);
    target->timer.data = target;
    ev_timer_start(prober->loop, &target->timer);
    return target;
}

/* Its app has it no more, or is not probed any more. A probe that runs ends by itself, so that it
 * ends what it began at the server. */
static void target_retire(struct target *target)
{
    struct prober *prober = target->prober;

    prober->probed--;
    prober->dead -= target->health.dead;
    health_board_set(prober->board, target->id, false);
    target->app = NULL;
    target_unlink(target);
    ev_timer_stop(prober->loop, &target->timer);
    if (target->probing == NULL)
        target_free(target);
    else
        target_link(target, &prober->gone);
}

/* The endpoint as the version before had it. NULL: it had it not. */
static struct target *probed_app_take(struct probed_app *before, uint64_t id)
{
    for (size_t i = 0; before != NULL && i < before->record.endpoint_count; i++) {
        struct target *target = before->targets[i];

        if (target != NULL && target->id == id) {
            before->targets[i] = NULL;
            return target;
        }
    }
    return NULL;
}

/* Another interval may be far shorter than what is left of the one before. */
static void target_hasten(struct target *target)
{
    struct prober *prober = target->prober;
    ev_tstamp interval = target->app->record.health.interval / 1000.;

    if (ev_is_active(&target->timer) &&
        ev_timer_remaining(prober->loop, &target->timer) > interval) {
        ev_timer_stop(prober->loop, &target->timer);
        ev_timer_set(&target->timer, interval * ((double)rand() / RAND_MAX), 0.);
        ev_timer_start(prober->loop, &target->timer);
    }
}

/* Gives each endpoint its target: that of the version before, or a new one. false: no memory. */
static bool probed_app_adopt(struct prober *prober, struct probed_app *app,
                             struct probed_app *before)
{
    for (unsigned i = 0; i < app->record.endpoint_count; i++) {
        uint64_t id = app->record.endpoints[i].id;
        struct target *target = probed_app_take(before, id);

        if (target == NULL) {
            target = prober_recall(prober, id);
            if (target == NULL)
                target = target_make(prober, id, app->record.health.interval / 1000.);
            if (target == NULL)
                return false;
            prober->probed++;
            prober->dead += target->health.dead;
        }
        app->targets[i] = target;
        target->app = app;
        target->endpoint = i;
        target_hasten(target);
    }
    return true;
}

/* It is in force no more; what no later version took over goes. */
static void probed_app_close(struct probed_app *app)
{
    for (size_t i = 0; i < app->record.endpoint_count; i++)
        if (app->targets[i] != NULL)
            target_retire(app->targets[i]);
    probed_app_release(app);
}

/* NULL: no memory. Copies the bytes. */
static struct probed_app *probed_app_make(const struct buffer *encoded)
{
    struct probed_app *app = calloc(1, sizeof(*app));

    if (app == NULL)
        return NULL;
    app->users = 1;
    app->size = buffer_size(encoded);
    app->bytes = malloc(app->size);
    if (app->bytes != NULL) {
        memcpy(app->bytes, buffer_data(encoded), app->size);
        if (app_record_decode(slice_make(app->bytes, app->size), &app->record) == 0)
            return app;
    }
    probed_app_release(app);
    return NULL;
}

/* One app as it is in force; `before`: as it was probed, or NULL. NULL: no memory. */
static struct probed_app *prober_renew(struct prober *prober, const struct app_record *record,
                                       struct probed_app *before)
{
    struct probed_app *app = NULL;
    struct buffer encoded = {0};

    if (app_record_encode(record, &encoded) == 0) {
        if (before != NULL && before->size == buffer_size(&encoded) &&
            memcmp(before->bytes, buffer_data(&encoded), before->size) == 0)
            app = before;
        else
            app = probed_app_make(&encoded);
    }
    buffer_free(&encoded);
    if (app == NULL || app == before)
        return app;
    if (!probed_app_adopt(prober, app, before)) {
        probed_app_close(app);
        app = NULL;
    }
    if (before != NULL)
        probed_app_close(before);
    return app;
}

static bool board_keeps(void *context, uint64_t id)
{
    const struct prober *prober = context;

    for (size_t i = 0; i < prober->count; i++)
        for (size_t j = 0; j < prober->apps[i]->record.endpoint_count; j++)
            if (prober->apps[i]->record.endpoints[j].id == id)
                return true;
    return false;
}

/* Both are sorted by name: walked side by side. */
static int prober_merge(struct prober *prober, const struct registry_list *list,
                        struct probed_app **out, size_t *count)
{
    size_t old = 0;
    int status = 0;

    for (size_t i = 0; i < list->count; i++) {
        const struct registry_entry *entry = list->slots[i]->good;
        struct probed_app *before = NULL;

        while (old < prober->count &&
               slice_compare(prober->apps[old]->record.name, list->slots[i]->name) < 0) {
            probed_app_close(prober->apps[old++]);
        }
        if (old < prober->count &&
            slice_equal(prober->apps[old]->record.name, list->slots[i]->name))
            before = prober->apps[old++];
        if (entry != NULL && entry->app.health.probe != APP_PROBE_OFF) {
            struct probed_app *app = prober_renew(prober, &entry->app, before);

            if (app == NULL)
                status = -ENOMEM;
            else
                out[(*count)++] = app;
        } else if (before != NULL) {
            probed_app_close(before);
        }
    }
    for (; old < prober->count; old++)
        probed_app_close(prober->apps[old]);
    return status;
}

int prober_follow(struct prober *prober, const struct registry_list *apps)
{
    struct probed_app **next = calloc(apps->count + 1, sizeof(struct probed_app *));
    size_t count = 0;
    int status;

    if (next == NULL)
        return -ENOMEM;
    status = prober_merge(prober, apps, next, &count);
    free(prober->apps);
    prober->apps = next;
    prober->count = count;
    if (!prober->swept)
        health_board_sweep(prober->board, board_keeps, prober);
    prober->swept = true;
    prober_gauges(prober);
    return status;
}

static void on_patience(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    prober_end(timer->data);
}

void prober_stop(struct prober *prober, prober_ended ended, void *context)
{
    prober->ending = true;
    prober->ended = ended;
    prober->context = context;
    ev_timer_start(prober->loop, &prober->patience);
    if (prober->running == 0)
        prober_end(prober);
}

int prober_open(struct prober **out, struct ev_loop *loop, struct health_board *board,
                struct scoreboard_block *block)
{
    struct prober *prober = calloc(1, sizeof(*prober));
    int status;

    if (prober == NULL)
        return -ENOMEM;
    prober->loop = loop;
    prober->board = board;
    prober->block = block;
    prober->waiting_end = &prober->waiting;
    ev_timer_init(&prober->patience, on_patience, PROBER_PATIENCE / 1000., 0.);
    prober->patience.data = prober;
    status = http_fetcher_open(&prober->fetcher, loop);
    if (status < 0) {
        free(prober);
        return status;
    }
    *out = prober;
    return 0;
}

void prober_close(struct prober *prober)
{
    if (prober == NULL)
        return;
    for (size_t i = 0; i < prober->count; i++) {
        for (size_t j = 0; j < prober->apps[i]->record.endpoint_count; j++)
            target_free(prober->apps[i]->targets[j]);
        probed_app_release(prober->apps[i]);
    }
    for (struct target *target = prober->gone, *next; target != NULL; target = next) {
        next = target->next;
        target_free(target);
    }
    free(prober->apps);
    ev_timer_stop(prober->loop, &prober->patience);
    http_fetcher_close(prober->fetcher);
    free(prober);
}
