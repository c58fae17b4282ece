/* lending.h: which worker accepts for a slot that has none. Pure.
 *
 * Every slot has sockets of its own, which outlive its worker: what the kernel queued on them must
 * be accepted by somebody. A slot without a READY worker for LENDING_PATIENCE is lent to another
 * worker, in turn, and given back when its own is READY. A slot beyond the number of workers (the
 * number shrank) stays lent. Called by generation.c, which sends the descriptors.
 */
#ifndef GATEHOUSE_MASTER_LENDING_H
#define GATEHOUSE_MASTER_LENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LENDING_PATIENCE = 200 }; /* milliseconds */

struct lending_slot {
    bool ready;         /* its own worker is READY */
    int64_t down_since; /* monotonic milliseconds, while not ready */
    int borrower;       /* the slot whose worker accepts for it; -1: none */
};

enum lending_action { LENDING_NONE, LENDING_LEND, LENDING_RETURN };

enum lending_action lending_decide(const struct lending_slot *slot, int64_t now);

/* The next READY slot after *cursor (which it moves on), or -1. */
int lending_choose(const struct lending_slot *slots, size_t count, size_t *cursor);

/* The worker of `slot` is READY, or died at `now`: what it had borrowed is nobody's. */
void lending_ready(struct lending_slot *slots, size_t slot);
void lending_death(struct lending_slot *slots, size_t count, size_t slot, int64_t now);

#endif
