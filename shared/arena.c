#include "shared/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

enum { ARENA_BLOCK = 16 * 1024 }; /* bytes a block: a usual file of documents fits in one */

struct arena_block {
    struct arena_block *next;
    size_t size; /* bytes of memory that follow */
    size_t used;
    alignas(max_align_t) char memory[];
};

static struct arena_block *arena_grow(struct arena *arena, size_t size)
{
    size_t wanted = size > ARENA_BLOCK ? size : ARENA_BLOCK;
    struct arena_block *block = calloc(1, sizeof(*block) + wanted);

    if (block == NULL)
        return NULL;
    block->size = wanted;
    block->next = arena->blocks;
    arena->blocks = block;
    return block;
}

void *arena_allocate(struct arena *arena, size_t size)
{
    size_t align = alignof(max_align_t);
    struct arena_block *block = arena->blocks;
    char *memory;

    if (size > SIZE_MAX / 2)
        return NULL;
    size = (size + align - 1) & ~(align - 1);
    if (block == NULL || block->size - block->used < size)
        block = arena_grow(arena, size);
    if (block == NULL)
        return NULL;
    memory = block->memory + block->used;
    block->used += size;
    return memory;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    return arena_allocate(arena, count * size);
}

struct slice arena_copy(struct arena *arena, struct slice text)
{
    char *copy = arena_allocate(arena, text.size + 1);

    if (copy == NULL)
        return slice_make(NULL, 0);
    if (text.size > 0)
        memcpy(copy, text.data, text.size);
    return slice_make(copy, text.size);
}

void arena_free(struct arena *arena)
{
    while (arena->blocks != NULL) {
        struct arena_block *next = arena->blocks->next;

        free(arena->blocks);
        arena->blocks = next;
    }
}
