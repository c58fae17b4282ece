#include "worker/endpoint.h"

#include <errno.h>
#include <stdlib.h>

enum {
    ENDPOINT_BUCKETS = 512,
    ENDPOINT_WAYS = 8,
    ENDPOINT_DOUBLINGS = 5, /* of ENDPOINT_MARK, before ENDPOINT_MARK_MAX is reached */
};

struct endpoint_seen {
    uint64_t id;       /* 0: free */
    double until;      /* loop time before which it is not chosen; 0: no such time */
    unsigned busy;     /* requests and streams of this worker that it serves */
    unsigned failures; /* in a row */
    bool trial;        /* its mark ended, and one request was let through */
    bool connected;    /* when it failed last: so it may do for other requests */
};

struct endpoint_memory {
    struct endpoint_seen seen[ENDPOINT_BUCKETS][ENDPOINT_WAYS];
};

int endpoint_memory_open(struct endpoint_memory **out)
{
    *out = calloc(1, sizeof(**out));
    return *out == NULL ? -ENOMEM : 0;
}

void endpoint_memory_close(struct endpoint_memory *memory)
{
    free(memory);
}

static struct endpoint_seen *endpoint_find(struct endpoint_memory *memory, uint64_t id)
{
    struct endpoint_seen *bucket = memory->seen[id % ENDPOINT_BUCKETS];

    for (int i = 0; i < ENDPOINT_WAYS; i++)
        if (bucket[i].id == id)
            return &bucket[i];
    return NULL;
}

static bool endpoint_is_marked(const struct endpoint_seen *seen, double now)
{
    return seen != NULL && seen->until > now;
}

/* What is known of an endpoint; in the order in which a request tries them. */
enum endpoint_state {
    ENDPOINT_LIVE,
    ENDPOINT_DOUBTED,     /* marked, though it took a connection */
    ENDPOINT_PROBED_DEAD, /* by the probes alone */
    ENDPOINT_DEAD,
};

static enum endpoint_state endpoint_state(const struct endpoint_seen *seen, bool dead, double now)
{
    if (!endpoint_is_marked(seen, now))
        return dead ? ENDPOINT_PROBED_DEAD : ENDPOINT_LIVE;
    return seen->connected && !dead ? ENDPOINT_DOUBTED : ENDPOINT_DEAD;
}

/* Endpoints in this state that the request has not tried, as indices into the app's. */
static size_t endpoint_candidates(struct endpoint_memory *memory, const struct health_board *board,
                                  const struct app_record *app,
                                  const struct endpoint_trials *trials, double now,
                                  enum endpoint_state wanted, uint8_t *out)
{
    size_t count = 0;

    for (size_t i = 0; i < app->endpoint_count; i++) {
        const struct app_endpoint *endpoint = &app->endpoints[i];

        if ((trials->passed & 1u << i) != 0 || endpoint->draining || endpoint->address_count == 0 ||
            endpoint_state(endpoint_find(memory, endpoint->id),
                           health_board_is_dead(board, endpoint->id), now) != wanted)
            continue;
        out[count++] = (uint8_t)i;
    }
    return count;
}

static unsigned endpoint_busy(struct endpoint_memory *memory, const struct app_record *app,
                              unsigned index)
{
    const struct endpoint_seen *seen = endpoint_find(memory, app->endpoints[index].id);

    return seen == NULL ? 0 : seen->busy;
}

/* The less busy of two, picked at random; both are near the least busy of all, and workers that
 * know nothing of each other do not run to the same one. */
static unsigned endpoint_less_busy(struct endpoint_memory *memory, const struct app_record *app,
                                   const uint8_t *candidates, size_t count)
{
    size_t first = (size_t)rand() % count;
    size_t second;

    if (count == 1)
        return candidates[0];
    second = (first + 1 + (size_t)rand() % (count - 1)) % count;
    if (endpoint_busy(memory, app, candidates[second]) <
        endpoint_busy(memory, app, candidates[first]))
        first = second;
    return candidates[first];
}

/* milliseconds */
static double endpoint_mark(const struct endpoint_seen *seen)
{
    unsigned doublings = seen->failures > 1 ? seen->failures - 1 : 0;

    return doublings >= ENDPOINT_DOUBLINGS ? ENDPOINT_MARK_MAX : ENDPOINT_MARK << doublings;
}

int endpoint_choose(struct endpoint_memory *memory, const struct health_board *board,
                    const struct app_record *app, struct endpoint_trials *trials, double now)
{
    uint8_t candidates[APP_ENDPOINTS_MAX];
    size_t count = 0;
    struct endpoint_seen *seen;
    unsigned chosen;

    for (enum endpoint_state state = ENDPOINT_LIVE; count == 0 && state < ENDPOINT_DEAD; state++) {
        if (state != ENDPOINT_LIVE && trials->desperate)
            break;
        count = endpoint_candidates(memory, board, app, trials, now, state, candidates);
        trials->desperate |= count > 0 && state != ENDPOINT_LIVE;
    }
    if (count == 0)
        return -1;
    chosen = endpoint_less_busy(memory, app, candidates, count);
    trials->passed |= 1u << chosen;
    seen = endpoint_find(memory, app->endpoints[chosen].id);
    /* Its mark ended: this request tries it, others wait for what comes of that. */
    if (seen != NULL && seen->failures > 0 && seen->until <= now) {
        seen->until = now + endpoint_mark(seen) / 1000;
        seen->trial = true;
    }
    return (int)chosen;
}

struct endpoint_seen *endpoint_begin(struct endpoint_memory *memory, uint64_t id)
{
    struct endpoint_seen *seen = endpoint_find(memory, id);
    struct endpoint_seen *bucket = memory->seen[id % ENDPOINT_BUCKETS];

    for (int i = 0; seen == NULL && i < ENDPOINT_WAYS; i++)
        if (bucket[i].id == 0 || (bucket[i].busy == 0 && bucket[i].failures == 0)) {
            seen = &bucket[i];
            *seen = (struct endpoint_seen){.id = id};
        }
    /* A failure of one that nobody asks for any more is the first to be forgotten. */
    for (int i = 0; seen == NULL && i < ENDPOINT_WAYS; i++)
        if (bucket[i].busy == 0) {
            seen = &bucket[i];
            *seen = (struct endpoint_seen){.id = id};
        }
    if (seen != NULL)
        seen->busy++;
    return seen;
}

void endpoint_end(struct endpoint_seen *seen)
{
    if (seen != NULL)
        seen->busy--;
}

void endpoint_succeeded(struct endpoint_seen *seen)
{
    if (seen == NULL)
        return;
    seen->failures = 0;
    seen->until = 0;
    seen->trial = false;
}

/* Whether the probes would see what the request saw: then they say when it is over, and the mark
 * only bridges the time to the next of them. */
static bool endpoint_probe_sees(const struct app_health *health, enum endpoint_failure failure)
{
    return health->probe > APP_PROBE_TCP ||
           (health->probe == APP_PROBE_TCP && failure == ENDPOINT_UNREACHABLE);
}

void endpoint_failed(struct endpoint_seen *seen, const struct app_health *health,
                     enum endpoint_failure failure, double now)
{
    double mark;

    if (seen == NULL)
        return;
    if (seen->until <= now || seen->trial)
        seen->failures++; /* requests that were under way together fail as one */
    seen->trial = false;
    seen->connected = failure == ENDPOINT_MISBEHAVED;
    mark = endpoint_mark(seen);
    if (endpoint_probe_sees(health, failure) && mark > health->interval)
        mark = health->interval;
    seen->until = now + mark / 1000;
}
