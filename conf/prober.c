#include "conf/prober.h"

#include "conf/health.h"
#include "conf/http_fetch.h"
#include "conf/probe_http.h"
#include "conf/probe_tcp.h"
#include "shared/log.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>

/* An endpoint. */
struct target {
    struct probed_app *app;
    unsigned endpoint; /* index into the app's */
    struct health health;
    bool legacy;
    ev_timer timer; /* until the next probe */
    ev_tstamp began;
    struct probe_tcp *tcp; /* at most one of these two is there */
    struct probe_http *http;
    struct target *next, **link; /* among those that wait for their turn */
};

/* One version of an app; owns its record's bytes. */
struct probed_app {
    struct prober *prober;
    struct app_record record;
    void *bytes;
    size_t size;
    struct target targets[APP_ENDPOINTS_MAX];
};

struct prober {
    struct ev_loop *loop;
    struct health_board *board;
    struct scoreboard_block *block;
    struct http_fetcher *fetcher;
    struct probed_app **apps; /* sorted by name */
    size_t count;
    struct target *waiting, **waiting_end;
    size_t running;
    size_t probed, dead;
    bool swept; /* the board holds nothing that an earlier process left */
};

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
    struct prober *prober = target->app->prober;
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
    ev_timer_start(target->app->prober->loop, &target->timer);
}

static void prober_admit(struct prober *prober);

static void on_done(void *context, const char *failed)
{
    struct target *target = context;
    struct prober *prober = target->app->prober;

    target->tcp = NULL;
    target->http = NULL;
    prober->running--;
    if (health_judge(&target->health, &target->app->record.health, failed == NULL))
        target_tell(target, failed);
    target_schedule(target, ev_now(prober->loop) - target->began);
    prober_admit(prober);
}

static void target_start(struct target *target)
{
    const struct app_record *app = &target->app->record;
    struct prober *prober = target->app->prober;

    target->began = ev_now(prober->loop);
    if (app->health.probe == APP_PROBE_TCP)
        target->tcp = probe_tcp_start(prober->loop, target_endpoint(target), app->health.timeout,
                                      on_done, target);
    else
        target->http = probe_http_start(prober->loop, prober->fetcher, app, target->endpoint,
                                        &target->legacy, on_done, target);
    if (target->tcp == NULL && target->http == NULL) {
        target_schedule(target, 0); /* without memory nothing was found out */
        return;
    }
    prober->running++;
    scoreboard_count(prober->block, COUNT_HEALTH_PROBES);
}

static void target_unlink(struct target *target)
{
    struct prober *prober = target->app->prober;

    if (target->link == NULL)
        return;
    *target->link = target->next;
    if (target->next != NULL)
        target->next->link = target->link;
    else
        prober->waiting_end = target->link;
    target->link = NULL;
}

static void prober_admit(struct prober *prober)
{
    while (prober->waiting != NULL && prober->running < PROBER_RUNNING_MAX) {
        struct target *target = prober->waiting;

        target_unlink(target);
        target_start(target);
    }
}

static void on_due(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct target *target = timer->data;
    struct prober *prober = target->app->prober;

    (void)loop;
    (void)events;
    target->next = NULL;
    target->link = prober->waiting_end;
    *target->link = target;
    prober->waiting_end = &target->next;
    prober_admit(prober);
}

/* What is known of the endpoint goes on: from the version before, or from the board. */
static void target_open(struct target *target, struct probed_app *app, unsigned endpoint,
                        const struct probed_app *before)
{
    uint64_t id = app->record.endpoints[endpoint].id;
    ev_tstamp interval = app->record.health.interval / 1000.;

    target->app = app;
    target->endpoint = endpoint;
    target->health.dead = health_board_is_dead(app->prober->board, id);
    for (size_t i = 0; before != NULL && i < before->record.endpoint_count; i++)
        if (before->record.endpoints[i].id == id) {
            target->health = before->targets[i].health;
            target->legacy = before->targets[i].legacy;
        }
    ev_timer_init(&target->timer, on_due, interval * ((double)rand() / RAND_MAX), 0.);
    target->timer.data = target;
    ev_timer_start(app->prober->loop, &target->timer);
    app->prober->probed++;
    app->prober->dead += target->health.dead;
}

static void target_close(struct target *target)
{
    struct prober *prober = target->app->prober;

    target_unlink(target);
    ev_timer_stop(prober->loop, &target->timer);
    prober->running -= target->tcp != NULL || target->http != NULL;
    probe_tcp_cancel(target->tcp);
    probe_http_cancel(target->http);
    prober->probed--;
    prober->dead -= target->health.dead;
}

static void probed_app_close(struct probed_app *app)
{
    for (size_t i = 0; i < app->record.endpoint_count; i++)
        target_close(&app->targets[i]);
    free(app->bytes);
    free(app);
}

/* NULL: no memory. Takes the bytes. */
static struct probed_app *probed_app_open(struct prober *prober, struct buffer *encoded,
                                          const struct probed_app *before)
{
    struct probed_app *app = calloc(1, sizeof(*app));

    if (app == NULL)
        return NULL;
    app->prober = prober;
    app->size = buffer_size(encoded);
    app->bytes = malloc(app->size);
    if (app->bytes == NULL) {
        free(app);
        return NULL;
    }
    memcpy(app->bytes, buffer_data(encoded), app->size);
    if (app_record_decode(slice_make(app->bytes, app->size), &app->record) != 0) {
        free(app->bytes);
        free(app);
        return NULL;
    }
    for (unsigned i = 0; i < app->record.endpoint_count; i++)
        target_open(&app->targets[i], app, i, before);
    return app;
}

/* An endpoint that another version has no more is not dead either. */
static void probed_app_forget(const struct probed_app *gone, const struct probed_app *after)
{
    for (size_t i = 0; i < gone->record.endpoint_count; i++) {
        uint64_t id = gone->record.endpoints[i].id;
        bool stays = false;

        for (size_t j = 0; after != NULL && j < after->record.endpoint_count; j++)
            stays = stays || after->record.endpoints[j].id == id;
        if (!stays)
            health_board_set(gone->prober->board, id, false);
    }
}

/* One app as it is in force; `before`: as it was probed, or NULL. NULL: no memory. */
static struct probed_app *prober_renew(struct prober *prober, const struct app_record *record,
                                       struct probed_app *before)
{
    struct probed_app *app = before;
    struct buffer encoded = {0};

    if (app_record_encode(record, &encoded) != 0) {
        buffer_free(&encoded);
        return NULL;
    }
    if (before == NULL || before->size != buffer_size(&encoded) ||
        memcmp(before->bytes, buffer_data(&encoded), before->size) != 0)
        app = probed_app_open(prober, &encoded, before);
    buffer_free(&encoded);
    if (app != NULL && before != NULL && app != before) {
        probed_app_forget(before, app);
        probed_app_close(before);
    }
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
            probed_app_forget(prober->apps[old], NULL);
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
            probed_app_forget(before, NULL);
            probed_app_close(before);
        }
    }
    for (; old < prober->count; old++) {
        probed_app_forget(prober->apps[old], NULL);
        probed_app_close(prober->apps[old]);
    }
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
    for (size_t i = 0; i < prober->count; i++)
        probed_app_close(prober->apps[i]);
    free(prober->apps);
    http_fetcher_close(prober->fetcher);
    free(prober);
}
