#include "conf/key_refresh.h"

#include "conf/key_fetch.h"
#include "shared/clock.h"
#include "shared/log.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>

struct key_refresh {
    struct key_refresher *refresher;
    struct slice name; /* owned, as is url: both follow the struct */
    struct slice url;
    bool insecure;
    struct key_fetch *fetch; /* NULL: none runs */
    ev_timer timer;          /* to the next fetch */
    bool wanted;             /* an unknown kid asked for the fetch that runs */
    int64_t throttled;       /* monotonic milliseconds until which nobody may ask for one */
    unsigned failures;       /* in a row */
    bool ended;              /* the first fetch did */
    bool waiting;            /* an outcome waits to be taken */
    bool handed;             /* and was handed out */
    bool good;
    struct key_set keys; /* of the outcome */
    int64_t time;        /* of the outcome */
    int64_t next_refresh;
};

struct key_refresher {
    struct key_refresher_options options;
    struct key_fetcher *fetcher;
    struct key_refresh **items; /* sorted by name */
    size_t count;
};

int64_t key_refresh_period(int64_t max_age)
{
    if (max_age < 0)
        return KEY_REFRESH_DEFAULT;
    if (max_age < KEY_REFRESH_MIN)
        return KEY_REFRESH_MIN;
    return max_age > KEY_REFRESH_MAX ? KEY_REFRESH_MAX : max_age;
}

int64_t key_refresh_retry(unsigned failures)
{
    if (failures > 6)
        return KEY_REFRESH_RETRY_MAX;
    return 1 << (failures - 1) > KEY_REFRESH_RETRY_MAX ? KEY_REFRESH_RETRY_MAX
                                                       : 1 << (failures - 1);
}

static void refresh_schedule(struct key_refresh *refresh, double seconds)
{
    struct ev_loop *loop = refresh->refresher->options.loop;

    ev_timer_stop(loop, &refresh->timer);
    ev_timer_set(&refresh->timer, seconds, 0);
    ev_timer_start(loop, &refresh->timer);
}

/* Remembers the outcome and says when the next fetch is. */
static void refresh_end(struct key_refresh *refresh, bool good, int64_t max_age)
{
    struct key_refresher *refresher = refresh->refresher;
    int64_t pause = refresh->wanted ? KEY_REFRESH_THROTTLE : 0;
    double next = (double)key_refresh_period(max_age);

    refresh->failures = good ? 0 : refresh->failures + 1;
    if (good) {
        /* Up to a tenth earlier, so that many configs do not fetch at one time. */
        next -= next / 10 * arc4random_uniform(1000) / 1000;
    } else {
        pause = key_refresh_retry(refresh->failures);
        next = (double)pause;
        scoreboard_count(refresher->options.block, COUNT_KEY_FETCHES_FAILED);
    }
    refresh->time = clock_wall_seconds();
    /* A fetch that nobody asked for leaves the throttle alone: the first unknown kid after it is
     * looked for at once. */
    if (pause > 0) {
        refresh->throttled = clock_monotonic_milliseconds() + pause * 1000;
        refresh->next_refresh = refresh->time + pause;
    }
    refresh->wanted = false;
    refresh->good = good;
    refresh->ended = true;
    refresh->waiting = true;
    refresh->handed = false;
    refresh_schedule(refresh, next);
    refresher->options.ended(refresher->options.context);
}

static void refresh_failed(struct key_refresh *refresh, const char *reason)
{
    log_warning("key_fetch_failed", "config %.*s: %.*s: %s; next try in %lld s",
                (int)refresh->name.size, refresh->name.data, (int)refresh->url.size,
                refresh->url.data, reason, (long long)key_refresh_retry(refresh->failures + 1));
    key_set_free(&refresh->keys);
    refresh_end(refresh, false, -1);
}

static void on_fetched(void *context, const struct key_fetch_result *result)
{
    struct key_refresh *refresh = context;
    const char *reason = result->failed;
    int status;

    refresh->fetch = NULL;
    key_set_free(&refresh->keys);
    if (reason == NULL) {
        status = key_set_read(result->body, refresh->name, &refresh->keys, &reason);
        if (status == -ENOMEM)
            reason = "no memory";
        else if (status == 0)
            reason = NULL;
    }
    if (reason != NULL) {
        refresh_failed(refresh, reason);
        return;
    }
    if (refresh->failures > 0 || !refresh->ended)
        log_info("keys_fetched", "config %.*s: %zu keys", (int)refresh->name.size,
                 refresh->name.data, refresh->keys.count);
    refresh_end(refresh, true, result->max_age);
}

static void refresh_start(struct key_refresh *refresh)
{
    const struct key_refresher_options *options = &refresh->refresher->options;
    struct key_fetch_request request = {.url = refresh->url,
                                        .insecure = refresh->insecure,
                                        .timeout = options->timeout,
                                        .size_max = options->size_max};
    int status;

    if (refresh->fetch != NULL)
        return;
    ev_timer_stop(options->loop, &refresh->timer);
    scoreboard_count(options->block, COUNT_KEY_FETCHES);
    status = key_fetch_start(refresh->refresher->fetcher, &request, on_fetched, refresh,
                             &refresh->fetch);
    if (status < 0)
        refresh_failed(refresh, status == -EINVAL ? "this URL may not be fetched" : "no memory");
}

static void on_time(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    refresh_start(timer->data);
}

static struct key_refresh *refresh_make(struct key_refresher *refresher,
                                        const struct registry_entry *entry)
{
    struct slice name = entry->config.name;
    struct slice url = entry->origin.jwks_url;
    struct key_refresh *refresh = calloc(1, sizeof(*refresh) + name.size + url.size);
    char *text;

    if (refresh == NULL)
        return NULL;
    text = (char *)(refresh + 1);
    memcpy(text, name.data, name.size);
    memcpy(text + name.size, url.data, url.size);
    refresh->refresher = refresher;
    refresh->name = slice_make(text, name.size);
    refresh->url = slice_make(text + name.size, url.size);
    refresh->insecure = entry->origin.jwks_insecure;
    ev_timer_init(&refresh->timer, on_time, 0, 0);
    refresh->timer.data = refresh;
    return refresh;
}

static void refresh_free(struct key_refresh *refresh)
{
    key_fetch_cancel(refresh->fetch);
    ev_timer_stop(refresh->refresher->options.loop, &refresh->timer);
    key_set_free(&refresh->keys);
    free(refresh);
}

static struct key_refresh *refresher_find(const struct key_refresher *refresher, struct slice name)
{
    size_t low = 0;
    size_t high = refresher->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = slice_compare(refresher->items[middle]->name, name);

        if (order == 0)
            return refresher->items[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* The refresh of before goes on when name and place are the same. */
static struct key_refresh *refresher_adopt(struct key_refresher *refresher,
                                           const struct registry_entry *entry)
{
    struct key_refresh *old = refresher_find(refresher, entry->config.name);

    if (old != NULL && slice_equal(old->url, entry->origin.jwks_url) &&
        old->insecure == entry->origin.jwks_insecure)
        return old;
    return refresh_make(refresher, entry);
}

static void refresher_replace(struct key_refresher *refresher, struct key_refresh **items,
                              size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < refresher->count; i++) {
        while (kept < count && slice_compare(items[kept]->name, refresher->items[i]->name) < 0)
            kept++;
        if (kept == count || items[kept] != refresher->items[i])
            refresh_free(refresher->items[i]);
    }
    free(refresher->items);
    refresher->items = items;
    refresher->count = count;
}

int key_refresher_follow(struct key_refresher *refresher, const struct registry_list *configs)
{
    struct key_refresh **items = calloc(configs->count + 1, sizeof(*items));
    size_t count = 0;

    if (items == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < configs->count; i++) {
        const struct registry_entry *entry = configs->slots[i]->good;

        if (entry == NULL || entry->config.keys_static || entry->origin.jwks_url.size == 0)
            continue;
        items[count] = refresher_adopt(refresher, entry);
        if (items[count] == NULL) {
            free(items); /* what was made here is lost; the caller ends the process */
            return -ENOMEM;
        }
        count++;
    }
    refresher_replace(refresher, items, count);
    for (size_t i = 0; i < count; i++)
        if (!items[i]->ended && !ev_is_active(&items[i]->timer))
            refresh_start(items[i]);
    return 0;
}

void key_refresher_want(struct key_refresher *refresher, struct slice config)
{
    struct key_refresh *refresh = refresher_find(refresher, config);

    if (refresh == NULL || clock_monotonic_milliseconds() < refresh->throttled)
        return;
    refresh->wanted = true;
    refresh_start(refresh);
}

size_t key_refresher_take(struct key_refresher *refresher, struct key_set_outcome *out, size_t max)
{
    size_t count = 0;

    for (size_t i = 0; i < refresher->count && count < max; i++) {
        struct key_refresh *refresh = refresher->items[i];

        if (!refresh->waiting)
            continue;
        refresh->handed = true;
        out[count++] = (struct key_set_outcome){.config = refresh->name,
                                                .keys = refresh->good ? &refresh->keys : NULL,
                                                .ended = refresh->time,
                                                .next_refresh = refresh->next_refresh};
    }
    return count;
}

void key_refresher_taken(struct key_refresher *refresher)
{
    for (size_t i = 0; i < refresher->count; i++) {
        struct key_refresh *refresh = refresher->items[i];

        if (!refresh->handed)
            continue;
        refresh->waiting = refresh->handed = false;
        key_set_free(&refresh->keys);
    }
}

bool key_refresher_settled(const struct key_refresher *refresher)
{
    for (size_t i = 0; i < refresher->count; i++)
        if (!refresher->items[i]->ended)
            return false;
    return true;
}

void key_refresher_limit(struct key_refresher *refresher, uint64_t timeout, uint64_t size_max)
{
    refresher->options.timeout = timeout;
    refresher->options.size_max = size_max;
}

int key_refresher_open(struct key_refresher **out, const struct key_refresher_options *options)
{
    struct key_refresher *refresher = calloc(1, sizeof(*refresher));
    int status;

    if (refresher == NULL)
        return -ENOMEM;
    refresher->options = *options;
    status = key_fetcher_open(&refresher->fetcher, options->loop);
    if (status < 0) {
        free(refresher);
        return status;
    }
    *out = refresher;
    return 0;
}

void key_refresher_close(struct key_refresher *refresher)
{
    if (refresher == NULL)
        return;
    refresher_replace(refresher, NULL, 0);
    key_fetcher_close(refresher->fetcher);
    free(refresher);
}
