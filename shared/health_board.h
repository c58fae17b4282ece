/* health_board.h: which endpoints the watcher's probes found dead, as workers see it.
 *
 * A part of the public scoreboard, written by the watcher alone, read by anyone with one cache line
 * of atomic loads. It holds the dead ones only: what is not there is alive, or not probed. An entry
 * is an endpoint's id (app_endpoint_id), so that it means the same in every generation of the
 * configuration. A bucket that is full leaves an endpoint out: workers' own experience stands.
 */
#ifndef GATEHOUSE_SHARED_HEALTH_BOARD_H
#define GATEHOUSE_SHARED_HEALTH_BOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { HEALTH_BUCKETS = 1024, HEALTH_BUCKET_SLOTS = 8 }; /* 64 KiB: for some 4 000 dead ones */

struct health_bucket {
    _Atomic uint64_t dead[HEALTH_BUCKET_SLOTS]; /* ids; 0: free */
} __attribute__((aligned(64)));

struct health_board {
    struct health_bucket buckets[HEALTH_BUCKETS];
};

static inline bool health_board_is_dead(const struct health_board *board, uint64_t id)
{
    const struct health_bucket *bucket = &board->buckets[id % HEALTH_BUCKETS];

    for (int i = 0; i < HEALTH_BUCKET_SLOTS; i++)
        if (atomic_load_explicit(&bucket->dead[i], memory_order_relaxed) == id)
            return true;
    return false;
}

/* false: there is no room to say that it is dead. */
bool health_board_set(struct health_board *board, uint64_t id, bool dead);
/* Forgets the dead that `keep` does not know. */
void health_board_sweep(struct health_board *board, bool (*keep)(void *context, uint64_t id),
                        void *context);

#endif
