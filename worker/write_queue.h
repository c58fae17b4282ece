/* write_queue.h: who writes at the turn's end, in the order of asking.
 *
 * A turn reads from many connections. Were each answered at once, a peer that sleeps would be woken
 * for every one of them, and what the processor has in its caches for reading would give way to
 * what it needs for writing, and back. Used by clients (answers) and exchanges (requests); run by
 * worker.c. Owns nothing.
 */
#ifndef GATEHOUSE_WORKER_WRITE_QUEUE_H
#define GATEHOUSE_WORKER_WRITE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

/* Part of what writes. A zeroed one is in no queue. */
struct write_entry {
    struct write_entry *next, **link; /* private */
    void (*write)(struct write_entry *entry);
    void *owner;
};

/* A zeroed one is empty. */
struct write_queue {
    struct write_entry *first, **last; /* private */
};

/* Borrows the entry until it has its turn, or write_queue_remove; again: it keeps its place. */
void write_queue_add(struct write_queue *queue, struct write_entry *entry);
/* Safe for an entry that is in no queue. Before the entry's memory goes. */
void write_queue_remove(struct write_queue *queue, struct write_entry *entry);
/* Calls `write` of each, until none is left: also of those that are added on the way. */
void write_queue_run(struct write_queue *queue);

static inline bool write_entry_waits(const struct write_entry *entry)
{
    return entry->link != NULL;
}

#endif
