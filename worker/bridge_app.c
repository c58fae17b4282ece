#include "worker/bridge_app.h"

#include "shared/clock.h"
#include "shared/log.h"
#include "worker/bridge_server.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    /* A server that ends before it has answered anything dies early: whatever killed it, it served
     * nobody. So does one that has answered, but lived shorter than this (milliseconds), where all
     * callers share it; elsewhere that is its caller's own affair, who must not be able to make all
     * others wait. */
    APP_EARLY = 5000,
    APP_EARLY_FREE = 1,          /* early deaths in a row that cost nothing: once is an accident */
    APP_BACKOFF = 2000,          /* milliseconds after the next, doubled by each that follows */
    APP_BACKOFF_MAX = 60 * 1000, /* milliseconds */
    APP_GARBAGE_EVERY = 10 * 1000, /* milliseconds between two words about lines that say nothing */
};

struct bridge_app {
    struct bridge *bridge;
    struct bridge_app *next;
    char name[SERVER_APP_MAX + 1];
    char revision[80]; /* that `era` was found by; cut when it is longer */
    enum bridge_era era;
    uint64_t servers;
    struct server_board_entry *entry; /* for /metrics; NULL: nobody looks, or there is no room */
    unsigned early;                   /* deaths in a row */
    int64_t retry;                    /* monotonic milliseconds: not before */
    uint64_t garbage;                 /* lines that nobody was told of */
    int64_t garbage_told;
};

static struct bridge_app *app_find(struct bridge *bridge, const struct stdio_app *stdio)
{
    struct bridge_app *app = bridge->apps;

    while (app != NULL && !slice_is(stdio->name, app->name))
        app = app->next;
    if (app == NULL && stdio->name.size <= SERVER_APP_MAX) {
        app = calloc(1, sizeof(*app));
        if (app == NULL)
            return NULL;
        app->bridge = bridge;
        snprintf(app->name, sizeof(app->name), "%.*s", (int)stdio->name.size, stdio->name.data);
        app->next = bridge->apps;
        bridge->apps = app;
        if (bridge->board != NULL)
            app->entry = server_board_take(bridge->board, stdio->name);
    }
    return app;
}

/* Another command may be another server, which has failed at nothing yet; those of the old one
 * serve who they have. */
static void app_revise(struct bridge_app *app, const struct stdio_app *stdio)
{
    char revision[sizeof(app->revision)];

    snprintf(revision, sizeof(revision), "%.*s", (int)stdio->revision.size, stdio->revision.data);
    if (strcmp(revision, app->revision) == 0)
        return;
    memcpy(app->revision, revision, sizeof(revision));
    for (struct bridge_link *link = app->bridge->links; link != NULL; link = link->next)
        link->retired = link->retired || link->app == app;
    app->era = BRIDGE_ERA_UNKNOWN;
    app->early = 0;
    app->retry = 0;
}

void bridge_app_reload(struct bridge *bridge)
{
    struct bridge_app **at = &bridge->apps;

    while (*at != NULL) {
        struct bridge_app *app = *at;
        const struct stdio_app *stdio =
            stdio_apps_find(&bridge->child.stdio_apps, slice_from(app->name));

        if (stdio == NULL && app->servers == 0) {
            *at = app->next;
            server_board_drop(app->entry);
            free(app);
            continue;
        }
        if (stdio != NULL)
            app_revise(app, stdio);
        at = &app->next;
    }
    /* So that /metrics shows those, too, that nobody has used. */
    for (size_t i = 0; i < bridge->child.stdio_apps.count; i++)
        app_find(bridge, &bridge->child.stdio_apps.apps[i]);
}

void bridge_app_free_all(struct bridge *bridge)
{
    while (bridge->apps != NULL) {
        struct bridge_app *next = bridge->apps->next;

        free(bridge->apps);
        bridge->apps = next;
    }
}

static struct bridge_link *app_shared(const struct bridge *bridge, const struct bridge_app *app,
                                      struct slice owner, bool modern)
{
    struct bridge_link *link = bridge->links;

    while (link != NULL &&
           (link->app != app || !link->common || link->retired || link->modern != modern ||
            link->state == BRIDGE_LINK_ENDED || !slice_is(owner, link->owner)))
        link = link->next;
    return link;
}

static struct bridge_link *app_refuse(struct bridge_refusal *refusal, unsigned status, int code,
                                      unsigned retry_after, const char *message)
{
    *refusal = (struct bridge_refusal){
        .status = status, .code = code, .retry_after = retry_after, .message = message};
    return NULL;
}

/* Whether one more server may be started just now. */
static bool app_has_room(const struct bridge_app *app, const struct stdio_app *stdio,
                         struct bridge_refusal *refusal)
{
    const struct settings_stdio *settings = &app->bridge->child.settings.stdio;
    uint64_t max = stdio->max_servers != 0 ? stdio->max_servers : settings->max_servers_per_app;
    int64_t wait = app->retry - clock_monotonic_milliseconds();

    if (wait > 0)
        app_refuse(refusal, 503, BRIDGE_INTERNAL_ERROR, (unsigned)(wait / 1000) + 1,
                   "this app's server keeps failing: it is tried again later");
    else if (app->servers >= max)
        app_refuse(refusal, 503, BRIDGE_INTERNAL_ERROR, BRIDGE_RETRY_AFTER,
                   "all the servers that this app may have are in use");
    else if (app->bridge->server_count >= settings->max_servers)
        app_refuse(refusal, 503, BRIDGE_INTERNAL_ERROR, BRIDGE_RETRY_AFTER,
                   "all the servers that the gateway may have are in use");
    else
        return true;
    return false;
}

static struct bridge_link *app_start(struct bridge_app *app, const struct stdio_app *stdio,
                                     struct slice owner, bool modern,
                                     struct bridge_refusal *refusal)
{
    struct bridge_link *link;

    if (!app_has_room(app, stdio, refusal))
        return NULL;
    link = bridge_server_start(app->bridge, app);
    if (link == NULL)
        return app_refuse(refusal, 503, BRIDGE_INTERNAL_ERROR, BRIDGE_RETRY_AFTER,
                          "the server cannot be started just now");
    link->modern = modern;
    link->common = modern || stdio->scope != STDIO_SESSION;
    link->shared = stdio->scope == STDIO_SHARED;
    if (link->common)
        memcpy(link->owner, owner.data, owner.size);
    if (!link->common)
        link->state = BRIDGE_LINK_OPEN;
    return link;
}

struct bridge_link *bridge_app_link(struct bridge *bridge, struct slice name, struct slice revision,
                                    struct slice owner, bool modern, struct bridge_refusal *refusal)
{
    const struct stdio_app *stdio = stdio_apps_find(&bridge->child.stdio_apps, name);
    struct bridge_app *app;
    struct bridge_link *link = NULL;

    if (stdio == NULL || !slice_equal(stdio->revision, revision))
        return app_refuse(
            refusal, 503, BRIDGE_INTERNAL_ERROR, BRIDGE_RETRY_AFTER,
            "this app's command is not in force yet: it takes effect when the gateway "
            "is reloaded");
    app = app_find(bridge, stdio);
    if (app == NULL || owner.size > BRIDGE_OWNER_SIZE)
        return app_refuse(refusal, 503, BRIDGE_INTERNAL_ERROR, BRIDGE_RETRY_AFTER,
                          "the bridge is out of memory");
    app_revise(app, stdio);
    if (modern && app->era == BRIDGE_ERA_LEGACY)
        return app_refuse(refusal, 400, BRIDGE_NOT_INITIALIZED, 0, BRIDGE_NOT_MODERN);
    if (stdio->scope == STDIO_SHARED)
        owner = slice_make("", 0);
    if (modern || stdio->scope != STDIO_SESSION)
        link = app_shared(bridge, app, owner, modern);
    return link != NULL ? link : app_start(app, stdio, owner, modern, refusal);
}

const char *bridge_app_name(const struct bridge_app *app)
{
    return app == NULL ? "?" : app->name;
}

bool bridge_app_is_modern(const struct bridge_app *app)
{
    return app != NULL && app->era == BRIDGE_ERA_MODERN;
}

void bridge_app_judged(struct bridge_app *app, bool modern)
{
    if (app != NULL)
        app->era = modern ? BRIDGE_ERA_MODERN : BRIDGE_ERA_LEGACY;
}

static void app_tell_servers(const struct bridge_app *app)
{
    if (app->entry != NULL)
        atomic_store_explicit(&app->entry->servers, app->servers, memory_order_relaxed);
}

void bridge_app_server_begins(struct bridge_app *app)
{
    app->servers++;
    app->bridge->server_count++;
    app_tell_servers(app);
    if (app->entry != NULL)
        server_board_count(&app->entry->starts);
}

void bridge_app_server_ends(struct bridge_app *app)
{
    app->servers--;
    app->bridge->server_count--;
    app_tell_servers(app);
}

/* Milliseconds to wait after so many early deaths in a row. */
static int64_t app_backoff(unsigned early)
{
    int64_t backoff = APP_BACKOFF;

    if (early <= APP_EARLY_FREE)
        return 0;
    while (--early > APP_EARLY_FREE && backoff < APP_BACKOFF_MAX)
        backoff *= 2;
    return backoff < APP_BACKOFF_MAX ? backoff : APP_BACKOFF_MAX;
}

static bool app_is_young(const struct bridge_link *link)
{
    return (ev_now(link->bridge->loop) - link->began) * 1000. < APP_EARLY;
}

void bridge_app_died(const struct bridge_link *link)
{
    struct bridge_app *app = link->app;
    int64_t backoff;

    if (app->entry != NULL && link->began > 0)
        server_board_count(&app->entry->deaths);
    if (link->retired || (link->answered && !(link->shared && app_is_young(link))))
        return;
    if (app->entry != NULL)
        server_board_count(&app->entry->failures);
    if (app->early < UINT_MAX)
        app->early++;
    backoff = app_backoff(app->early);
    app->retry = clock_monotonic_milliseconds() + backoff;
    if (backoff > 0)
        log_warning("server_keeps_failing",
                    "app %s: %u servers in a row died early; the next may start in %lld s",
                    app->name, app->early, (long long)backoff / 1000);
}

void bridge_app_served(struct bridge_link *link)
{
    struct bridge_app *app = link->app;

    link->answered = true;
    if (app == NULL || link->retired || (link->shared && app_is_young(link)))
        return;
    app->early = 0;
    app->retry = 0;
}

void bridge_app_garbage(struct bridge_app *app, size_t size, const char *reason)
{
    int64_t now = clock_monotonic_milliseconds();

    if (app == NULL)
        return;
    app->garbage++;
    if (app->garbage_told != 0 && now - app->garbage_told < APP_GARBAGE_EVERY)
        return;
    log_warning("server_garbage",
                "app %s: %llu lines on its standard output were no messages; the last, of %zu "
                "bytes: %s",
                app->name, (unsigned long long)app->garbage, size, reason);
    app->garbage = 0;
    app->garbage_told = now;
}
