#include "conf/staging.h"

#include <errno.h>
#include <stdlib.h>

enum { REASON_MAX = 1024, WARNING_MAX = 512 }; /* bytes */

/* One run. */
struct staging {
    struct registry *registry;
    const struct reading *reading;
    const struct candidate_context *context;
};

static void refuse_twice(struct registry_slot *slot, const struct place *other)
{
    struct place first = slot->place;

    if (slot->change == REGISTRY_REFUSED && slot->next == NULL)
        return;
    registry_refuse(slot, "metadata.name: defined twice: at %.*s:%u:%u and at %.*s:%u:%u",
                    (int)first.file.size, first.file.data, first.line, first.column,
                    (int)other->file.size, other->file.data, other->line, other->column);
}

static int stage_document(struct staging *staging, const struct document *document)
{
    struct registry_slot *slot;
    char reason[REASON_MAX];
    struct place place;

    if (document->kind == DOCUMENT_UNKNOWN || document->name.size == 0)
        return 0;
    slot = registry_find(staging->registry, document->kind, document->name, true);
    if (slot == NULL)
        return -ENOMEM;
    if (slot->seen) {
        refuse_twice(slot, &document->place);
        return 0;
    }
    slot->seen = true;
    slot->place = document->place;
    if (document->state == DOCUMENT_GOOD &&
        reading_warning(staging->reading, document, reason, WARNING_MAX)) {
        free(slot->warning);
        slot->warning = strdup(reason);
    }
    if (document->state == DOCUMENT_GOOD)
        return slot->change == REGISTRY_REFUSED ? 0
                                                : candidate_stage(slot, document, staging->context);
    reading_reason(staging->reading, document, reason, sizeof(reason), &place);
    slot->place = place;
    registry_refuse(slot, "%s", reason);
    return 0;
}

static int stage_list(struct staging *staging, const struct document_list *list)
{
    int status = 0;

    for (size_t i = 0; i < list->count && status == 0; i++)
        status = stage_document(staging, &list->documents[i]);
    return status;
}

static void stage_begin(struct registry *registry)
{
    for (size_t kind = 0; kind <= DOCUMENT_LOCK; kind++)
        for (size_t i = 0; i < registry->lists[kind].count; i++)
            registry->lists[kind].slots[i]->seen = false;
}

/* What no file says any more goes, unless its file could not be read. */
static void stage_vanished(struct staging *staging)
{
    for (size_t kind = 0; kind <= DOCUMENT_LOCK; kind++) {
        struct registry_list *list = &staging->registry->lists[kind];

        for (size_t i = 0; i < list->count; i++) {
            struct registry_slot *slot = list->slots[i];

            if (!slot->seen && slot->good != NULL &&
                !reading_damaged(staging->reading, slot->good->origin.good_place.file))
                slot->change = REGISTRY_REMOVED;
        }
    }
}

/* The documents of a file that did not change: they are in force. */
static void stage_settled(const struct cached_file *file)
{
    for (size_t i = 0; i < file->count; i++) {
        const struct cached_document *document = &file->documents[i];
        struct place place = {
            .file = file->path, .line = document->line, .column = document->column};

        if (document->slot->seen) {
            refuse_twice(document->slot, &place);
            continue;
        }
        document->slot->seen = true;
        document->slot->place = place;
    }
}

int staging_run(struct registry *registry, const struct reading *reading,
                const struct candidate_context *context)
{
    struct staging staging = {.registry = registry, .reading = reading, .context = context};
    const struct document_cache *cache = &reading->cache;
    int status = 0;

    stage_begin(registry);
    for (size_t i = 0; i < cache->count && reading->resources.error == 0; i++)
        if (cache->files[i]->state == CACHED_FILE_SETTLED)
            stage_settled(cache->files[i]);
    if (reading->settings.error == 0)
        status = stage_list(&staging, &reading->settings.list);
    if (status == 0)
        status = stage_list(&staging, &reading->resources.list);
    if (status == 0)
        stage_vanished(&staging);
    return status;
}

/* The slot in which this very document is in force, or NULL. What a file says beside the document
 * may change without it: such a document is judged each time. */
static struct registry_slot *document_in_force(struct registry *registry,
                                               const struct document *document)
{
    struct registry_slot *slot = NULL;

    if (document->state == DOCUMENT_GOOD && document->name.size > 0 &&
        !(document->kind == DOCUMENT_APP && document->app.ca_file.size > 0))
        slot = registry_find(registry, document->kind, document->name, false);
    if (slot == NULL || slot->change == REGISTRY_REFUSED || registry_effective(slot) == NULL)
        return NULL;
    return place_equal(&slot->place, &document->place) ? slot : NULL;
}

/* What the file said, when all of it is in force. NULL: not so, or no memory. */
static struct cached_document *file_in_force(struct registry *registry,
                                             const struct document *documents, size_t count)
{
    struct cached_document *cached = calloc(count + 1, sizeof(*cached));

    for (size_t i = 0; i < count && cached != NULL; i++) {
        cached[i].slot = document_in_force(registry, &documents[i]);
        cached[i].line = documents[i].place.line;
        cached[i].column = documents[i].place.column;
        if (cached[i].slot == NULL) {
            free(cached);
            cached = NULL;
        }
    }
    return cached;
}

static bool file_stands(const struct cached_file *file)
{
    for (size_t i = 0; i < file->count; i++)
        if (file->documents[i].slot->change == REGISTRY_REFUSED)
            return false;
    return true;
}

/* Files were read in the order in which the cache has them. */
void staging_settle(struct registry *registry, struct reading *reading)
{
    const struct document_list *list = &reading->resources.list;
    size_t at = 0;

    for (size_t i = 0; i < reading->cache.count && reading->resources.error == 0; i++) {
        struct cached_file *file = reading->cache.files[i];
        struct cached_document *documents = NULL;
        size_t first = at;

        if (file->state == CACHED_FILE_SETTLED) {
            if (!file_stands(file))
                document_cache_settle(file, NULL, 0);
            continue;
        }
        while (at < list->count && slice_equal(list->documents[at].place.file, file->path))
            at++;
        if (!reading_damaged(reading, file->path))
            documents = file_in_force(registry, list->documents + first, at - first);
        document_cache_settle(file, documents, at - first);
    }
}
