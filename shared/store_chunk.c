#include "shared/store_chunk.h"

#include <errno.h>

size_t store_chunk_count(size_t size)
{
    size_t count = size / STORE_CHUNK_SIZE + 1;

    return count < STORE_CHUNKS_MAX ? count : STORE_CHUNKS_MAX;
}

struct slice store_chunk_slice(struct slice record, size_t index)
{
    struct slice rest = slice_skip(record, index * STORE_CHUNK_SIZE);

    if (rest.size > STORE_CHUNK_SIZE)
        rest.size = STORE_CHUNK_SIZE;
    return rest;
}

int store_chunk_join(const struct slice *parts, size_t count, struct arena *arena,
                     struct slice *record)
{
    size_t total = 0;
    char *memory;

    for (size_t i = 0; i < count; i++)
        total += parts[i].size;
    memory = arena_allocate(arena, total);
    if (memory == NULL)
        return -ENOMEM;
    *record = slice_make(memory, total);
    for (size_t i = 0; i < count; memory += parts[i++].size)
        if (parts[i].size > 0)
            memcpy(memory, parts[i].data, parts[i].size);
    return 0;
}

void store_chunk_key(struct store_key *out, struct slice key, size_t index)
{
    char text[] = {'/', (char)('0' + index / 10), (char)('0' + index % 10)};
    size_t size = index == 0 ? 0 : index < 10 ? 2 : 3;

    if (index < 10)
        text[1] = text[2];
    store_key_begin(out);
    if (key.size + size > STORE_KEY_MAX) {
        out->impossible = true;
        return;
    }
    memcpy(out->text, key.data, key.size);
    memcpy(out->text + key.size, text, size);
    out->size = key.size + size;
    out->text[out->size] = '\0';
}

bool store_chunk_parent(struct slice key, struct slice *parent)
{
    size_t digits = 0;
    unsigned index = 0, unit = 1;

    while (digits < 2 && digits < key.size) {
        unsigned digit = (unsigned)(unsigned char)key.data[key.size - 1 - digits] - '0';

        if (digit > 9)
            break;
        index += digit * unit;
        unit *= 10;
        digits++;
    }
    /* No leading zero: one continuation has one key. */
    if (index < 1 || index >= STORE_CHUNKS_MAX || (digits == 2 && index < 10) ||
        key.size < digits + 2 || key.data[key.size - 1 - digits] != '/')
        return false;
    *parent = slice_make(key.data, key.size - 1 - digits);
    return true;
}
