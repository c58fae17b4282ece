/* prober.h: asks the endpoints of apps whether they are alive, each in its own time.
 *
 * Called by the watcher. Says on the public scoreboard which are dead, in the log when that
 * changes, and counts. One probe, and so one connection, an endpoint at a time; at most
 * PROBER_RUNNING_MAX in all, the others wait their turn, so that ten thousand apps make the
 * watcher's probes late, and nothing else. The dates of endpoints are spread over their interval.
 */
#ifndef GATEHOUSE_CONF_PROBER_H
#define GATEHOUSE_CONF_PROBER_H

#include "conf/registry.h"
#include "shared/scoreboard.h"

enum {
    PROBER_RUNNING_MAX = 128, /* descriptors are not endless, and bursts serve nobody */
    PROBER_PATIENCE = 500,    /* milliseconds: master waits for the watcher's end */
};

struct ev_loop;
struct prober;

/* All are borrowed. What the board says of endpoints stands until the first probes. */
int prober_open(struct prober **out, struct ev_loop *loop, struct health_board *board,
                struct scoreboard_block *block);
/* Begins no more probes, and lets those that run end what they began at their servers. `ended` is
 * called once, maybe at once, at the latest after PROBER_PATIENCE. */
typedef void (*prober_ended)(void *context);
void prober_stop(struct prober *prober, prober_ended ended, void *context);
/* Cancels what runs. NULL is ignored. */
void prober_close(struct prober *prober);

/* Probes exactly the endpoints of these apps from now on, those that have a health check. What is
 * known of an endpoint, and a probe that runs, go on with it. 0 or -ENOMEM. */
int prober_follow(struct prober *prober, const struct registry_list *apps);

#endif
