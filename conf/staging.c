#include "conf/staging.h"

#include "conf/app_merge.h"

#include <errno.h>
#include <stdlib.h>

enum { REASON_MAX = 1024, WARNING_MAX = 512 }; /* bytes */

/* One run. */
struct staging {
    struct registry *registry;
    const struct reading *reading;
    const struct candidate_context *context;
    struct arena arena; /* of documents that were put together */
    bool again;         /* see staging_run */
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

/* What several documents say, instead of what some of them say. */
static int stage_whole(struct staging *staging, struct registry_slot *slot,
                       const struct document *whole)
{
    registry_entry_free(slot->next);
    slot->next = NULL;
    slot->change = REGISTRY_KEPT;
    slot->document = whole;
    return candidate_stage(slot, whole, staging->context);
}

/* Another document of an app that was seen. */
static int stage_part(struct staging *staging, struct registry_slot *slot,
                      const struct document *document)
{
    struct place first = slot->place;
    const char *reason;
    struct document *merged;

    slot->shared = true;
    if (slot->change == REGISTRY_REFUSED)
        return 0;
    if (slot->document == NULL) {
        staging->again = true;
        return 0;
    }
    merged = arena_allocate(&staging->arena, sizeof(*merged));
    if (merged == NULL)
        return -ENOMEM;
    reason = app_merge(slot->document, document, &staging->arena, merged);
    if (reason != NULL) {
        registry_refuse(slot, "metadata.name: defined twice: at %.*s:%u:%u and at %.*s:%u:%u: %s",
                        (int)first.file.size, first.file.data, first.line, first.column,
                        (int)document->place.file.size, document->place.file.data,
                        document->place.line, document->place.column, reason);
        return 0;
    }
    return stage_whole(staging, slot, merged);
}

static int stage_refused(struct staging *staging, struct registry_slot *slot,
                         const struct document *document)
{
    char reason[REASON_MAX];
    struct place place;

    reading_reason(staging->reading, document, reason, sizeof(reason), &place);
    slot->place = place;
    registry_refuse(slot, "%s", reason);
    return 0;
}

/* A document of a name that was seen in this reading. */
static int stage_another(struct staging *staging, struct registry_slot *slot,
                         const struct document *document)
{
    if (document->kind != DOCUMENT_APP) {
        refuse_twice(slot, &document->place);
        return 0;
    }
    if (document->state == DOCUMENT_GOOD)
        return stage_part(staging, slot, document);
    slot->shared = true;
    return stage_refused(staging, slot, document);
}

static int stage_document(struct staging *staging, const struct document *document)
{
    struct registry_slot *slot;
    char warning[WARNING_MAX];

    if (document->kind == DOCUMENT_UNKNOWN || document->name.size == 0)
        return 0;
    slot = registry_find(staging->registry, document->kind, document->name, true);
    if (slot == NULL)
        return -ENOMEM;
    if (slot->seen)
        return stage_another(staging, slot, document);
    slot->seen = true;
    slot->place = document->place;
    if (document->state != DOCUMENT_GOOD)
        return stage_refused(staging, slot, document);
    if (reading_warning(staging->reading, document, warning, sizeof(warning))) {
        free(slot->warning);
        slot->warning = strdup(warning);
    }
    slot->document = document;
    return slot->change == REGISTRY_REFUSED ? 0 : candidate_stage(slot, document, staging->context);
}

static int stage_list(struct staging *staging, const struct document_list *list)
{
    int status = 0;

    for (size_t i = 0; i < list->count && status == 0; i++)
        status = stage_document(staging, &list->documents[i]);
    return status;
}

static void stage_forget(struct registry_slot *slot)
{
    slot->seen = slot->shared = false;
    slot->document = NULL;
}

static void stage_begin(struct registry *registry)
{
    for (size_t kind = 0; kind <= DOCUMENT_LOCK; kind++)
        for (size_t i = 0; i < registry->lists[kind].count; i++)
            stage_forget(registry->lists[kind].slots[i]);
}

/* What a part of the version in force said is lost: no document of its file was seen in its place.
 * `nth`: of the parts of that file. */
static bool part_is_lost(const struct staging *staging, const struct document *seen,
                         struct slice file, size_t nth)
{
    return reading_damaged(staging->reading, file) && app_merge_parts(seen, file) <= nth;
}

/* Documents of the app were seen, others may stand in files that cannot be read: what those said
 * before stays. */
static int stage_kept(struct staging *staging, struct registry_slot *slot)
{
    const struct registry_entry *good = slot->good;
    struct app_part alone = {good->origin.good_place.file, good->app.endpoint_count};
    const struct app_part *parts = good->origin.part_count > 0 ? good->origin.parts : &alone;
    size_t count = good->origin.part_count > 0 ? good->origin.part_count : 1;
    struct document *whole = arena_allocate(&staging->arena, sizeof(*whole));
    const char *reason = NULL;
    size_t first = 0;

    if (whole == NULL)
        return -ENOMEM;
    *whole = *slot->document;
    for (size_t i = 0; i < count && reason == NULL; first += parts[i++].endpoints) {
        size_t nth = 0;

        for (size_t j = 0; j < i; j++)
            nth += slice_equal(parts[j].file, parts[i].file);
        if (!part_is_lost(staging, slot->document, parts[i].file, nth))
            continue;
        slot->shared = true;
        reason = app_merge_kept(whole, &good->app, &parts[i], first, &staging->arena, whole);
        if (reason != NULL)
            registry_refuse(slot,
                            "metadata.name: another document of the app, in %.*s, cannot be "
                            "read: %s",
                            (int)parts[i].file.size, parts[i].file.data, reason);
    }
    if (reason != NULL ||
        whole->app.record.endpoint_count == slot->document->app.record.endpoint_count)
        return 0;
    return stage_whole(staging, slot, whole);
}

static int stage_kept_all(struct staging *staging)
{
    struct registry_list *list = &staging->registry->lists[DOCUMENT_APP];
    int status = 0;

    for (size_t i = 0; i < list->count && status == 0; i++) {
        struct registry_slot *slot = list->slots[i];

        if (slot->seen && slot->good != NULL && slot->document != NULL &&
            slot->change != REGISTRY_REFUSED)
            status = stage_kept(staging, slot);
    }
    return status;
}

/* Whether any file that it stood in cannot be read. Of an app of which no document is seen, all
 * stays. */
static bool entry_is_damaged(const struct staging *staging, const struct registry_entry *entry)
{
    const struct document_record *origin = &entry->origin;

    for (size_t i = 0; i < origin->part_count; i++)
        if (reading_damaged(staging->reading, origin->parts[i].file))
            return true;
    return reading_damaged(staging->reading, origin->good_place.file);
}

/* What no file says any more goes, unless its file could not be read. */
static void stage_vanished(struct staging *staging)
{
    for (size_t kind = 0; kind <= DOCUMENT_LOCK; kind++) {
        struct registry_list *list = &staging->registry->lists[kind];

        for (size_t i = 0; i < list->count; i++) {
            struct registry_slot *slot = list->slots[i];

            if (!slot->seen && slot->good != NULL && !entry_is_damaged(staging, slot->good))
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
        status = stage_kept_all(&staging);
    if (status == 0)
        stage_vanished(&staging);
    arena_free(&staging.arena);
    return status == 0 && staging.again ? 1 : status;
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
    if (slot == NULL || slot->shared || slot->change == REGISTRY_REFUSED ||
        registry_effective(slot) == NULL)
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
        if (file->documents[i].slot->change == REGISTRY_REFUSED || file->documents[i].slot->shared)
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
