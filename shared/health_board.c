#include "shared/health_board.h"

bool health_board_set(struct health_board *board, uint64_t id, bool dead)
{
    struct health_bucket *bucket = &board->buckets[id % HEALTH_BUCKETS];
    _Atomic uint64_t *free_slot = 0;

    for (int i = 0; i < HEALTH_BUCKET_SLOTS; i++) {
        uint64_t there = atomic_load_explicit(&bucket->dead[i], memory_order_relaxed);

        if (there == id) {
            if (!dead)
                atomic_store_explicit(&bucket->dead[i], 0, memory_order_relaxed);
            return true;
        }
        if (there == 0 && free_slot == 0)
            free_slot = &bucket->dead[i];
    }
    if (dead && free_slot != 0)
        atomic_store_explicit(free_slot, id, memory_order_relaxed);
    return !dead || free_slot != 0;
}

void health_board_sweep(struct health_board *board, bool (*keep)(void *context, uint64_t id),
                        void *context)
{
    for (int i = 0; i < HEALTH_BUCKETS; i++)
        for (int j = 0; j < HEALTH_BUCKET_SLOTS; j++) {
            _Atomic uint64_t *slot = &board->buckets[i].dead[j];
            uint64_t id = atomic_load_explicit(slot, memory_order_relaxed);

            if (id != 0 && !keep(context, id))
                atomic_store_explicit(slot, 0, memory_order_relaxed);
        }
}
