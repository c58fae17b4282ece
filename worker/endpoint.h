/* endpoint.h: which of an app's servers a request goes to, and what this worker has seen of them.
 *
 * For apps of more than one endpoint; others cost nothing here. An endpoint is known by its id, so
 * that what was seen outlives a generation of the configuration. What cannot be remembered (the
 * table is full of endpoints that are in use) is just not known. Never connects, never waits.
 *
 * The choice: the less busy of two live endpoints, picked at random. Live: the probes have not
 * found it dead, and this worker has not marked it. After a failure an endpoint is marked for
 * ENDPOINT_MARK, twice as long after each further one; then one request tries it, and its success
 * clears the mark.
 *
 * When nothing is live, a request would be refused anyway, and so one endpoint of doubtful death is
 * tried once for it. First one that took connections and yet failed a request: that may have been
 * the request's fault (a slow call, one that the server chokes on), and whoever sends such requests
 * must not close the app to all others. Else one that the probes alone call dead: they may ask for
 * what the server never offered. What could not be connected to, or is dead by both, is not tried.
 */
#ifndef GATEHOUSE_WORKER_ENDPOINT_H
#define GATEHOUSE_WORKER_ENDPOINT_H

#include "shared/app_record.h"
#include "shared/health_board.h"

enum {
    ENDPOINT_MARK = 1000,      /* milliseconds: a restart, or a burst of refusals, is over then */
    ENDPOINT_MARK_MAX = 30000, /* milliseconds: one request in 30 s is what a dead server costs */
};

/* Why an endpoint failed. */
enum endpoint_failure {
    ENDPOINT_UNREACHABLE, /* no connection, or no TLS */
    ENDPOINT_MISBEHAVED,  /* no answer in time, none at all, or one that is not HTTP */
};

/* What a request knows of the endpoints that it has tried. */
struct endpoint_trials {
    uint32_t passed; /* bits of endpoints that are not to be tried again */
    bool desperate;  /* one that is not live was tried */
};

struct endpoint_memory;
struct endpoint_seen;

int endpoint_memory_open(struct endpoint_memory **out);
void endpoint_memory_close(struct endpoint_memory *memory); /* NULL is ignored */

/* The index of an endpoint that was not tried, or -1. `now`: loop time, seconds. */
int endpoint_choose(struct endpoint_memory *memory, const struct health_board *board,
                    const struct app_record *app, struct endpoint_trials *trials, double now);

/* A request is on its way to the endpoint; NULL: it cannot be remembered (the others take NULL). */
struct endpoint_seen *endpoint_begin(struct endpoint_memory *memory, uint64_t id);
void endpoint_end(struct endpoint_seen *seen);
void endpoint_succeeded(struct endpoint_seen *seen);
void endpoint_failed(struct endpoint_seen *seen, const struct app_health *health,
                     enum endpoint_failure failure, double now);

#endif
