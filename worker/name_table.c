#include "worker/name_table.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

enum { NAME_TABLE_FIRST = 16 }; /* places of a table's first allocation */

struct name_table_entry {
    char *name; /* owned; NULL: a free place */
    size_t size;
    uint64_t hash;
    void *value;
};

/* As FNV-1a, but eight bytes at a time, whose upper ones are then brought down. Names come from our
 * own documents, so no flood of collisions is to be feared. */
static uint64_t name_table_hash(struct slice name)
{
    uint64_t hash = 14695981039346656037u ^ name.size;
    uint64_t word;

    for (; name.size >= sizeof(word); name = slice_skip(name, sizeof(word))) {
        memcpy(&word, name.data, sizeof(word));
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    for (size_t i = 0; i < name.size; i++)
        hash = (hash ^ (uint8_t)name.data[i]) * 1099511628211u;
    return hash ^ hash >> 32;
}

/* The place of that name, or the free one where it belongs. There is always a free one. */
static struct name_table_entry *name_table_place(const struct name_table *table, struct slice name,
                                                 uint64_t hash)
{
    size_t mask = table->capacity - 1;

    for (size_t i = (size_t)hash & mask;; i = (i + 1) & mask) {
        struct name_table_entry *entry = &table->entries[i];

        if (entry->name == NULL)
            return entry;
        if (entry->hash == hash && slice_equal(slice_make(entry->name, entry->size), name))
            return entry;
    }
}

/* Keeps at least a quarter of the places free. */
static int name_table_grow(struct name_table *table)
{
    struct name_table wider = {.count = table->count};

    if (table->capacity != 0 && table->count < table->capacity / 4 * 3)
        return 0;
    wider.capacity = table->capacity == 0 ? NAME_TABLE_FIRST : table->capacity * 2;
    wider.entries = calloc(wider.capacity, sizeof(*wider.entries));
    if (wider.entries == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < table->capacity; i++) {
        struct name_table_entry *entry = &table->entries[i];

        if (entry->name != NULL)
            *name_table_place(&wider, slice_make(entry->name, entry->size), entry->hash) = *entry;
    }
    free(table->entries);
    *table = wider;
    return 0;
}

void *name_table_find(const struct name_table *table, struct slice name)
{
    if (table->capacity == 0)
        return NULL;
    return name_table_place(table, name, name_table_hash(name))->value;
}

int name_table_put(struct name_table *table, struct slice name, void *value)
{
    uint64_t hash = name_table_hash(name);
    struct name_table_entry *entry;
    int error = name_table_grow(table);
    char *copy;

    if (error != 0)
        return error;
    copy = malloc(name.size + 1);
    if (copy == NULL)
        return -ENOMEM;
    if (name.size > 0)
        memcpy(copy, name.data, name.size);
    copy[name.size] = '\0';
    entry = name_table_place(table, name, hash);
    *entry = (struct name_table_entry){copy, name.size, hash, value};
    table->count++;
    return 0;
}

void name_table_clear(struct name_table *table, void (*release)(void *value))
{
    for (size_t i = 0; i < table->capacity; i++) {
        struct name_table_entry *entry = &table->entries[i];

        if (entry->name == NULL)
            continue;
        if (release != NULL)
            release(entry->value);
        free(entry->name);
    }
    free(table->entries);
    *table = (struct name_table){0};
}
