#include "conf/registry.h"

#include "shared/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static int record_encode(enum document_kind kind, const void *record, struct buffer *out)
{
    if (kind == DOCUMENT_APP)
        return app_record_encode(record, out);
    if (kind == DOCUMENT_AUTH_CONFIG)
        return auth_config_record_encode(record, out);
    if (kind == DOCUMENT_ROLE)
        return role_sides_encode(record, out);
    if (kind == DOCUMENT_LOCK && record != NULL)
        return revocation_record_encode(record, out);
    return 0;
}

/* Decodes from the entry's own memory. */
static int entry_decode(struct registry_entry *entry, enum document_kind kind, size_t record_size,
                        size_t size)
{
    struct slice record = slice_make(entry->memory, record_size);
    struct slice origin = slice_make(entry->memory + record_size, size - record_size);
    int status = 0;

    if (kind == DOCUMENT_APP)
        status = app_record_decode(record, &entry->app);
    else if (kind == DOCUMENT_AUTH_CONFIG)
        status = auth_config_record_decode(record, &entry->config);
    else if (kind == DOCUMENT_ROLE)
        status = role_sides_decode(record, &entry->role, entry->sides);
    else if (kind == DOCUMENT_LOCK && record_size > 0)
        status = revocation_record_decode(record, &entry->lock);
    if (status == 0)
        status = document_record_decode(origin, &entry->origin, &entry->selectors);
    return status;
}

/* Copies the buffer's bytes: a record, then its origin. */
static int entry_from(const struct buffer *bytes, enum document_kind kind, size_t record_size,
                      struct registry_entry **out)
{
    struct registry_entry *entry = calloc(1, sizeof(*entry));
    size_t size = buffer_size(bytes);
    int status = -ENOMEM;

    if (entry == NULL)
        return -ENOMEM;
    entry->memory = malloc(size + 1);
    if (entry->memory != NULL) {
        memcpy(entry->memory, buffer_data(bytes), size);
        status = entry_decode(entry, kind, record_size, size);
    }
    if (status < 0)
        registry_entry_free(entry);
    else
        *out = entry;
    return status;
}

/* A refusal is written into the same record later, and must fit with its place. */
enum { ORIGIN_MAX = STORE_RECORD_MAX - REGISTRY_REASON_MAX - 5000 };

/* A role's sides are a record each. */
static size_t record_max(enum document_kind kind)
{
    return kind == DOCUMENT_ROLE ? (size_t)2 * STORE_RECORD_MAX : STORE_RECORD_MAX;
}

int registry_entry_make(enum document_kind kind, const void *record,
                        const struct document_record *origin, struct registry_entry **out)
{
    struct buffer bytes = {0};
    int status = record_encode(kind, record, &bytes);

    if (status == 0) {
        size_t record_size = buffer_size(&bytes);

        status = document_record_encode(origin, &bytes);
        if (status == 0 &&
            (record_size > record_max(kind) || buffer_size(&bytes) - record_size > ORIGIN_MAX))
            status = -EMSGSIZE;
        if (status == 0)
            status = entry_from(&bytes, kind, record_size, out);
    }
    buffer_free(&bytes);
    return status;
}

void registry_entry_free(struct registry_entry *entry)
{
    if (entry == NULL)
        return;
    free(entry->memory);
    free(entry->selectors);
    free(entry->sides[0]);
    free(entry->sides[1]);
    free(entry);
}

static void slot_free(struct registry_slot *slot)
{
    registry_entry_free(slot->good);
    registry_entry_free(slot->next);
    free(slot->reason);
    free(slot->warning);
    key_set_free(&slot->keys);
    free(slot);
}

/* Where the name stands, or would stand. */
static size_t list_position(const struct registry_list *list, struct slice name)
{
    size_t low = 0;
    size_t high = list->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (slice_compare(list->slots[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct registry_slot *slot_make(enum document_kind kind, struct slice name)
{
    struct registry_slot *slot = calloc(1, sizeof(*slot) + name.size + 1);
    char *text;

    if (slot == NULL)
        return NULL;
    text = (char *)(slot + 1);
    if (name.size > 0)
        memcpy(text, name.data, name.size);
    slot->kind = kind;
    slot->name = slice_make(text, name.size);
    return slot;
}

static bool list_room(struct registry_list *list)
{
    size_t capacity = list->capacity == 0 ? 64 : list->capacity * 2;
    struct registry_slot **grown;

    if (list->count < list->capacity)
        return true;
    grown = realloc(list->slots, capacity * sizeof(struct registry_slot *));
    if (grown == NULL)
        return false;
    list->slots = grown;
    list->capacity = capacity;
    return true;
}

struct registry_slot *registry_find(struct registry *registry, enum document_kind kind,
                                    struct slice name, bool make)
{
    struct registry_list *list = &registry->lists[kind];
    size_t position = list_position(list, name);
    struct registry_slot *slot;

    if (position < list->count && slice_equal(list->slots[position]->name, name))
        return list->slots[position];
    if (!make || !list_room(list))
        return NULL;
    slot = slot_make(kind, name);
    if (slot == NULL)
        return NULL;
    memmove(list->slots + position + 1, list->slots + position,
            (list->count - position) * sizeof(struct registry_slot *));
    list->slots[position] = slot;
    list->count++;
    return slot;
}

const struct registry_entry *registry_version_effective(const struct registry_slot *slot)
{
    return registry_effective(slot);
}

const struct registry_entry *registry_version_next(const struct registry_slot *slot)
{
    return registry_changed(slot) ? registry_effective(slot) : NULL;
}

const struct registry_entry *registry_version_good(const struct registry_slot *slot)
{
    return slot->good;
}

void registry_refuse(struct registry_slot *slot, const char *format, ...)
{
    char reason[REGISTRY_REASON_MAX];
    va_list arguments;

    if (slot->change == REGISTRY_REFUSED)
        return;
    slot->change = REGISTRY_REFUSED;
    va_start(arguments, format);
    vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    free(slot->reason);
    slot->reason = strdup(reason);
}

struct place registry_place(const struct registry_slot *slot)
{
    if (slot->place.file.size > 0 || slot->good == NULL)
        return slot->place;
    return slot->good->origin.good_place;
}

static void slot_settle(struct registry_slot *slot)
{
    if (registry_changed(slot)) {
        registry_entry_free(slot->good);
        slot->good = slot->change == REGISTRY_REPLACED ? slot->next : NULL;
    } else {
        registry_entry_free(slot->next);
    }
    slot->next = NULL;
    slot->change = REGISTRY_KEPT;
    slot->place = (struct place){0}; /* borrowed from a reading that ends */
    free(slot->reason);
    free(slot->warning);
    slot->reason = slot->warning = NULL;
    key_set_free(&slot->keys);
}

void registry_settle(struct registry *registry)
{
    for (size_t kind = 0; kind <= DOCUMENT_LOCK; kind++) {
        struct registry_list *list = &registry->lists[kind];
        size_t kept = 0;

        for (size_t i = 0; i < list->count; i++) {
            struct registry_slot *slot = list->slots[i];

            slot_settle(slot);
            if (slot->good != NULL || slot->seen)
                list->slots[kept++] = slot;
            else
                slot_free(slot);
        }
        list->count = kept;
    }
}

void registry_free(struct registry *registry)
{
    for (size_t kind = 0; kind <= DOCUMENT_LOCK; kind++) {
        for (size_t i = 0; i < registry->lists[kind].count; i++)
            slot_free(registry->lists[kind].slots[i]);
        free(registry->lists[kind].slots);
    }
    memset(registry, 0, sizeof(*registry));
}

static enum document_kind kind_of_key(struct slice key)
{
    for (int kind = DOCUMENT_APP; kind <= DOCUMENT_LOCK; kind++) {
        struct slice name = slice_from(document_kind_name((enum document_kind)kind));

        if (slice_has_prefix(key, name) && key.size > name.size && key.data[name.size] == '/')
            return (enum document_kind)kind;
    }
    return DOCUMENT_UNKNOWN;
}

static int visit_status(void *context, struct slice key, struct slice value)
{
    enum document_kind kind = kind_of_key(key);
    struct document_record record;
    struct registry_slot *slot = NULL;
    void *selectors;
    int status;

    if (kind == DOCUMENT_UNKNOWN)
        return 0;
    status = document_record_decode(value, &record, &selectors);
    if (status == 0) {
        slot = registry_find(context, kind, record.name, true);
        status = slot == NULL ? -ENOMEM : 0;
    }
    free(selectors);
    if (status != -EBADMSG)
        return status;
    log_error("status_unreadable", "record %.*s of status cannot be read: taken as unknown",
              (int)key.size, key.data);
    return 0;
}

/* A side without a record is one that the role does not have. */
static int role_fetch(const struct registry_slot *slot, struct publication *publication,
                      struct buffer *bytes)
{
    struct role_sides sides = {0};
    void *owned[2] = {NULL, NULL};
    int status = 0;

    for (int deny = 0; deny < 2 && status == 0; deny++) {
        struct store_key key;
        struct slice value;

        policy_record_key(&key, slot->name, deny);
        status = publication_get(publication, STORE_POLICIES, &key, &value);
        if (status == 0)
            status = policy_record_decode(value, &sides.records[deny], &owned[deny]);
        sides.has[deny] = status == 0;
        if (status == -ENOENT)
            status = 0;
    }
    if (status == 0)
        status = role_sides_encode(&sides, bytes);
    free(owned[0]);
    free(owned[1]);
    return status;
}

/* The record of a kind that has one: 0 with `bytes` filled, -ENOENT when there is none. */
static int slot_fetch(const struct registry_slot *slot, struct publication *publication,
                      struct buffer *bytes)
{
    struct store_key key;
    struct slice value;
    int status;

    if (slot->kind == DOCUMENT_ROLE)
        return role_fetch(slot, publication, bytes);
    if (slot->kind != DOCUMENT_APP && slot->kind != DOCUMENT_AUTH_CONFIG)
        return 0;
    store_key_of(&key, slot->name);
    status = publication_get(publication,
                             slot->kind == DOCUMENT_APP ? STORE_APPS : STORE_APP_AUTH_CONFIGS, &key,
                             &value);
    return status < 0 ? status : buffer_append_slice(bytes, value);
}

static int slot_load(struct registry_slot *slot, struct publication *publication)
{
    struct buffer bytes = {0};
    struct store_key key;
    struct slice value;
    size_t record_size;
    int status = slot_fetch(slot, publication, &bytes);

    record_size = buffer_size(&bytes);
    document_record_key(&key, slot->kind, slot->name);
    if (status == 0)
        status = publication_get(publication, STORE_STATUS, &key, &value);
    if (status == 0)
        status = buffer_append_slice(&bytes, value);
    if (status == 0)
        status = entry_from(&bytes, slot->kind, record_size, &slot->good);
    if (status == 0 && slot->good->origin.good_hash.size == 0) {
        registry_entry_free(slot->good);
        slot->good = NULL;
    }
    if (status == 0 && slot->good != NULL)
        slot->accepted = !slot->good->origin.refused;
    buffer_free(&bytes);
    return status == -ENOENT || status == -EBADMSG ? 0 : status;
}

int registry_load(struct registry *registry, struct store *store, struct publication *publication)
{
    int status =
        store_scan(store, STORE_STATUS, slice_from(""), slice_from(""), visit_status, registry);

    for (size_t kind = DOCUMENT_APP; kind <= DOCUMENT_LOCK && status == 0; kind++) {
        struct registry_list *list = &registry->lists[kind];

        for (size_t i = 0; i < list->count && status == 0; i++)
            status = slot_load(list->slots[i], publication);
    }
    return status;
}
