/* worker_turn.h: one turn of a worker's loop: what comes after the poll, and before the next.
 *
 * First, the stores' newest state is what is read; last, what was judged is committed, and then
 * answered, and what was buried is freed. Called by worker.c; what happens between is the parts'.
 */
#ifndef GATEHOUSE_WORKER_WORKER_TURN_H
#define GATEHOUSE_WORKER_WORKER_TURN_H

#include "worker/worker.h"

struct worker_turn {
    struct worker *worker;
    struct ev_check begin;
    struct ev_prepare end;
    struct ev_idle again; /* keeps the loop from blocking while the turn left work */
    struct ev_timer key_poll;
};

/* From now on; `turn` and worker live as long as the loop runs. */
void worker_turn_watch(struct worker_turn *turn, struct worker *worker);

/* What worker_bury was given, at the end of all turns. */
void worker_free_remains(struct worker *worker);

#endif
