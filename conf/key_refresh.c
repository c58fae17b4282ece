#include "conf/key_refresh.h"

#include "conf/discovery.h"
#include "conf/key_fetch.h"
#include "shared/clock.h"
#include "shared/log.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>

enum refresh_step { STEP_OPENID, STEP_OAUTH, STEP_KEYS };

struct key_refresh {
    struct key_refresher *refresher;
    struct slice name; /* owned, as are url and issuer: they follow the struct */
    struct slice url;  /* empty: the issuer is asked */
    struct slice issuer;
    bool insecure;
    struct discovery found;  /* by asking */
    int64_t found_until;     /* monotonic milliseconds */
    enum refresh_step step;  /* of the fetch that runs */
    struct key_fetch *fetch; /* NULL: none runs */
    ev_timer timer;          /* to the next fetch */
    bool wanted;             /* an unknown kid asked for the fetch that runs */
    int64_t throttled;       /* monotonic milliseconds until which nobody may ask for one */
    unsigned failures;       /* in a row */
    bool ended;              /* the first fetch did */
    bool waiting;            /* an outcome waits to be taken */
    bool handed;             /* and was handed out */
    bool good, unchanged;
    struct key_set keys; /* of the outcome */
    struct buffer marks; /* of the outcome: URL, ETag and Last-Modified, one after the other */
    size_t etag_size, modified_size;
    int64_t time; /* of the outcome */
    int64_t next_refresh;
};

struct key_refresher {
    struct key_refresher_options options;
    struct key_fetcher *fetcher;
    struct key_refresh **items; /* sorted by name */
    size_t count;
};

int64_t key_refresh_period(int64_t max_age, int64_t max_stale)
{
    int64_t period = max_age < 0 ? KEY_REFRESH_DEFAULT : max_age;

    if (period > KEY_REFRESH_MAX)
        period = KEY_REFRESH_MAX;
    if (period > max_stale / 2)
        period = max_stale / 2;
    return period < KEY_REFRESH_MIN ? KEY_REFRESH_MIN : period;
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
    double next = (double)key_refresh_period(max_age, refresher->options.max_stale);

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

static struct slice refresh_url(const struct key_refresh *refresh)
{
    return refresh->url.size > 0 ? refresh->url : refresh->found.jwks_uri;
}

static void refresh_failed(struct key_refresh *refresh, const char *reason)
{
    bool keys = refresh->step == STEP_KEYS;
    struct slice place = keys ? refresh_url(refresh) : refresh->issuer;

    log_warning("key_fetch_failed", "config %.*s: %s%.*s: %s; next try in %lld s",
                (int)refresh->name.size, refresh->name.data, keys ? "" : "metadata of ",
                (int)place.size, place.data, reason,
                (long long)key_refresh_retry(refresh->failures + 1));
    discovery_free(&refresh->found);
    key_set_free(&refresh->keys);
    refresh->unchanged = false;
    refresh_end(refresh, false, -1);
}

/* Keeps how the set is marked for the outcome; without memory it is not marked. */
static void refresh_mark(struct key_refresh *refresh, const struct key_fetch_validators *validators)
{
    buffer_clear(&refresh->marks);
    refresh->etag_size = validators->etag.size;
    refresh->modified_size = validators->modified.size;
    if (buffer_append_slice(&refresh->marks, refresh_url(refresh)) == 0 &&
        buffer_append_slice(&refresh->marks, validators->etag) == 0 &&
        buffer_append_slice(&refresh->marks, validators->modified) == 0)
        return;
    buffer_clear(&refresh->marks);
    refresh->etag_size = refresh->modified_size = 0;
}

static void keys_fetched(struct key_refresh *refresh, const struct key_fetch_result *result)
{
    const char *reason = result->failed;
    int status;

    if (reason == NULL && !result->unchanged) {
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
        log_info("keys_fetched", "config %.*s: %zu keys%s", (int)refresh->name.size,
                 refresh->name.data, refresh->keys.count,
                 result->unchanged ? "; unchanged since before" : "");
    refresh->unchanged = result->unchanged;
    refresh_mark(refresh, &result->validators);
    refresh_end(refresh, true, result->max_age);
}

static void refresh_fetch(struct key_refresh *refresh, enum refresh_step step);

/* RFC 8414's place is asked when OpenID Connect's has nothing: an answer, but not of status 200. */
static void metadata_fetched(struct key_refresh *refresh, const struct key_fetch_result *result)
{
    const char *reason = result->failed;

    if (reason != NULL && refresh->step == STEP_OPENID && result->status != 0 &&
        result->status != 200) {
        refresh_fetch(refresh, STEP_OAUTH);
        return;
    }
    if (reason == NULL &&
        discovery_read(result->body, refresh->issuer, &refresh->found, &reason) == 0) {
        refresh->found_until = clock_monotonic_milliseconds() + KEY_REFRESH_MAX * INT64_C(1000);
        refresh_fetch(refresh, STEP_KEYS);
        return;
    }
    refresh_failed(refresh, reason);
}

static void on_fetched(void *context, const struct key_fetch_result *result)
{
    struct key_refresh *refresh = context;

    refresh->fetch = NULL;
    key_set_free(&refresh->keys);
    if (refresh->step == STEP_KEYS)
        keys_fetched(refresh, result);
    else
        metadata_fetched(refresh, result);
}

/* How the set that is held is marked, when it came from the place that is asked now. */
static struct key_fetch_validators refresh_validators(const struct key_refresh *refresh)
{
    const struct registry_slot *slot = registry_find(refresh->refresher->options.registry,
                                                     DOCUMENT_AUTH_CONFIG, refresh->name, false);
    struct key_fetch_validators none = {0};

    if (slot == NULL || slot->good == NULL || slot->good->config.keys_fetched == 0 ||
        !slice_equal(slot->good->origin.keys_url, refresh_url(refresh)))
        return none;
    return (struct key_fetch_validators){.etag = slot->good->origin.keys_etag,
                                         .modified = slot->good->origin.keys_modified};
}

static void refresh_fetch(struct key_refresh *refresh, enum refresh_step step)
{
    const struct key_refresher_options *options = &refresh->refresher->options;
    struct key_fetch_request request = {
        .insecure = refresh->insecure, .timeout = options->timeout, .size_max = options->size_max};
    struct buffer url = {0};
    int status = 0;

    refresh->step = step;
    if (step == STEP_KEYS) {
        request.url = refresh_url(refresh);
        request.validators = refresh_validators(refresh);
        if (refresh->url.size == 0) {
            /* `insecure` is said of the issuer; a place that it names is https, or loopback. */
            request.insecure = false;
            request.public_only = refresh->found.other_host;
        }
    } else {
        status = discovery_url(refresh->issuer,
                               step == STEP_OPENID ? DISCOVERY_OPENID : DISCOVERY_OAUTH, &url);
        request.url = buffer_slice(&url);
    }
    if (status == 0)
        status = key_fetch_start(refresh->refresher->fetcher, &request, on_fetched, refresh,
                                 &refresh->fetch);
    buffer_free(&url);
    if (status < 0)
        refresh_failed(refresh, status == -EINVAL ? "this URL may not be fetched" : "no memory");
}

static void refresh_start(struct key_refresh *refresh)
{
    const struct key_refresher_options *options = &refresh->refresher->options;

    if (refresh->fetch != NULL)
        return;
    ev_timer_stop(options->loop, &refresh->timer);
    scoreboard_count(options->block, COUNT_KEY_FETCHES);
    if (refresh->url.size > 0 || (refresh->found.jwks_uri.size > 0 &&
                                  clock_monotonic_milliseconds() < refresh->found_until)) {
        refresh_fetch(refresh, STEP_KEYS);
        return;
    }
    discovery_free(&refresh->found);
    refresh_fetch(refresh, STEP_OPENID);
}

static void on_time(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    refresh_start(timer->data);
}

static struct slice text_take(char **text, struct slice from)
{
    struct slice copy = slice_make(*text, from.size);

    if (from.size > 0)
        memcpy(*text, from.data, from.size);
    *text += from.size;
    return copy;
}

static struct key_refresh *refresh_make(struct key_refresher *refresher,
                                        const struct registry_entry *entry)
{
    struct slice name = entry->config.name;
    struct slice url = entry->origin.jwks_url;
    struct slice issuer = entry->config.issuer;
    struct key_refresh *refresh = calloc(1, sizeof(*refresh) + name.size + url.size + issuer.size);
    char *text;

    if (refresh == NULL)
        return NULL;
    text = (char *)(refresh + 1);
    refresh->refresher = refresher;
    refresh->name = text_take(&text, name);
    refresh->url = text_take(&text, url);
    refresh->issuer = text_take(&text, issuer);
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
    discovery_free(&refresh->found);
    buffer_free(&refresh->marks);
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

/* The refresh of before goes on when name and place are the same; without a URL, the issuer is the
 * place. */
static struct key_refresh *refresher_adopt(struct key_refresher *refresher,
                                           const struct registry_entry *entry)
{
    struct key_refresh *old = refresher_find(refresher, entry->config.name);

    if (old != NULL && slice_equal(old->url, entry->origin.jwks_url) &&
        old->insecure == entry->origin.jwks_insecure &&
        (old->url.size > 0 || slice_equal(old->issuer, entry->config.issuer)))
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

        if (entry == NULL || entry->config.keys_static)
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

static struct key_set_outcome refresh_outcome(const struct key_refresh *refresh)
{
    struct key_set_outcome outcome = {.config = refresh->name,
                                      .unchanged = refresh->good && refresh->unchanged,
                                      .ended = refresh->time,
                                      .max_stale = refresh->refresher->options.max_stale,
                                      .next_refresh = refresh->next_refresh};
    struct slice marks = buffer_slice(&refresh->marks);
    size_t url_size = marks.size - refresh->etag_size - refresh->modified_size;

    if (!refresh->good || outcome.unchanged)
        return outcome;
    outcome.keys = &refresh->keys;
    outcome.url = slice_make(marks.data, url_size);
    outcome.etag = slice_make(marks.data + url_size, refresh->etag_size);
    outcome.modified = slice_make(outcome.etag.data + refresh->etag_size, refresh->modified_size);
    return outcome;
}

size_t key_refresher_take(struct key_refresher *refresher, struct key_set_outcome *out, size_t max)
{
    size_t count = 0;

    for (size_t i = 0; i < refresher->count && count < max; i++) {
        struct key_refresh *refresh = refresher->items[i];

        if (!refresh->waiting)
            continue;
        refresh->handed = true;
        out[count++] = refresh_outcome(refresh);
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

void key_refresher_limit(struct key_refresher *refresher, uint64_t timeout, uint64_t size_max,
                         int64_t max_stale)
{
    refresher->options.timeout = timeout;
    refresher->options.size_max = size_max;
    refresher->options.max_stale = max_stale;
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
