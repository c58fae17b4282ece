/* key_refresh.h: when, and from where, the key set of each app auth config is fetched.
 *
 * Called by the watcher. One fetch at a time for a config: at once when it is new, then at its
 * refresh time, after a failure with back-off, and when workers met an unknown kid, throttled. A
 * config without a URL has its issuer asked for it first (discovery.h), again after a failure and
 * once a day. A set that did not change is not sent again. Each end is an outcome for the
 * publisher; keys of before are the publisher's to keep.
 */
#ifndef GATEHOUSE_CONF_KEY_REFRESH_H
#define GATEHOUSE_CONF_KEY_REFRESH_H

#include "conf/key_set.h"
#include "conf/registry.h"
#include "shared/scoreboard.h"

/* Seconds. */
enum {
    KEY_REFRESH_MIN = 60, /* bounds of Cache-Control's max-age */
    KEY_REFRESH_MAX = 24 * 60 * 60,
    KEY_REFRESH_DEFAULT = 10 * 60,
    KEY_REFRESH_THROTTLE = 60, /* after an unknown kid asked with success, before one may again */
    KEY_REFRESH_RETRY_MAX = 60 /* back-off doubles from 1 to this */
};

struct ev_loop;
struct key_refresher;

struct key_refresher_options {
    struct ev_loop *loop;           /* borrowed */
    struct scoreboard_block *block; /* borrowed */
    struct registry *registry;      /* borrowed: how the sets that are held are marked */
    uint64_t timeout;               /* milliseconds of one fetch */
    uint64_t size_max;              /* bytes of a key set */
    int64_t max_stale;              /* seconds after which keys are given up */
    void (*ended)(void *context);   /* outcomes wait to be taken */
    void *context;
};

int key_refresher_open(struct key_refresher **out, const struct key_refresher_options *options);
void key_refresher_close(struct key_refresher *refresher); /* NULL is ignored */

/* New limits, for fetches that begin from now on. */
void key_refresher_limit(struct key_refresher *refresher, uint64_t timeout, uint64_t size_max,
                         int64_t max_stale);

/* Follows exactly the good versions of these configs whose keys are not static. What is needed of
 * them is copied. 0 or -ENOMEM. */
int key_refresher_follow(struct key_refresher *refresher, const struct registry_list *configs);

/* An unknown kid was met. Names that are not followed are passed over: workers may be wrong. */
void key_refresher_want(struct key_refresher *refresher, struct slice config);

/* The outcomes that wait; their count, at most `max`. Borrowed until key_refresher_taken, which
 * must follow before the loop runs on. */
size_t key_refresher_take(struct key_refresher *refresher, struct key_set_outcome *out, size_t max);
void key_refresher_taken(struct key_refresher *refresher);

/* Whether the first fetch of every followed config ended. */
bool key_refresher_settled(const struct key_refresher *refresher);

/* Seconds to the next regular fetch after one that said max_age (-1: nothing), without jitter; at
 * most half of max_stale, so that an outage has the other half. */
int64_t key_refresh_period(int64_t max_age, int64_t max_stale);
/* Seconds to the next try after so many failures in a row (at least 1). */
int64_t key_refresh_retry(unsigned failures);

#endif
