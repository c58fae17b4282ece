/* arena.h: memory that is freed all at once.
 *
 * For what lives and dies together: the documents of one reading, a decoded settings message.
 * What it gives is zeroed, aligned for any object, and owned by the arena until arena_free.
 * Called by the configuration side and by decoders; never on a worker's request path.
 */
#ifndef GATEHOUSE_SHARED_ARENA_H
#define GATEHOUSE_SHARED_ARENA_H

#include "shared/slice.h"

#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *blocks; /* owned; a zeroed arena is empty and usable */
};

/* `size` zeroed bytes, or NULL when there is no memory. */
void *arena_allocate(struct arena *arena, size_t size);

/* `count` objects of `size` bytes; NULL when there is no memory or the product overflows. */
void *arena_array(struct arena *arena, size_t count, size_t size);

/* A copy, followed by a NUL that the slice does not count. Data is NULL when there is no memory. */
struct slice arena_copy(struct arena *arena, struct slice text);

void arena_free(struct arena *arena);

#endif
