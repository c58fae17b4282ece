/* worker_fixture.h: a worker with nothing but a loop and a pool. For tests of upstreams. */
#ifndef GATEHOUSE_TESTS_UNIT_WORKER_WORKER_FIXTURE_H
#define GATEHOUSE_TESTS_UNIT_WORKER_WORKER_FIXTURE_H

#include "worker/upstream.h"

#include <stdlib.h>

/* Counts in the block, which is borrowed. */
static inline struct worker *worker_fixture_make(struct scoreboard_block *block)
{
    struct worker *worker = calloc(1, sizeof(*worker));

    assert_non_null(worker);
    worker->loop = ev_loop_new(EVFLAG_AUTO);
    worker->child.block = block;
    assert_int_equal(upstream_pool_open(&worker->upstreams), 0);
    return worker;
}

static inline void worker_fixture_free(struct worker *worker)
{
    upstream_pool_close(worker->upstreams);
    while (worker->remains != NULL) {
        struct remains *next = worker->remains->next;

        free(worker->remains);
        worker->remains = next;
    }
    ev_loop_destroy(worker->loop);
    free(worker);
}

#endif
