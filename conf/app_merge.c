#include "conf/app_merge.h"

#include "conf/document_hash.h"

/* What must be the same, as bytes. */
static int common_encode(const struct app_document *app, struct buffer *out)
{
    struct app_record record = app->record;

    record.endpoint_count = 0;
    if (!app->health_said)
        record.health = (struct app_health){0};
    return app_record_encode(&record, out);
}

/* NULL when the documents say the same. */
static const char *common_differs(const struct app_document *first,
                                  const struct app_document *later)
{
    struct buffer bytes[2] = {{0}, {0}};
    const char *reason = NULL;

    if (common_encode(first, &bytes[0]) != 0 || common_encode(later, &bytes[1]) != 0)
        reason = "there is no memory to compare the documents";
    else if (first->health_said != later->health_said ||
             !slice_equal(first->ca_file, later->ca_file) ||
             !slice_equal(buffer_slice(&bytes[0]), buffer_slice(&bytes[1])))
        reason = "documents of one app must agree in all but their endpoints";
    buffer_free(&bytes[0]);
    buffer_free(&bytes[1]);
    return reason;
}

static bool endpoint_is_named(const struct app_record *record, uint64_t id)
{
    for (size_t i = 0; i < record->endpoint_count; i++)
        if (record->endpoints[i].id == id)
            return true;
    return false;
}

/* Appends a document's endpoints. NULL, or why not. */
static const char *endpoints_append(struct app_document *app, struct slice file,
                                    const struct app_endpoint *endpoints, size_t count)
{
    struct app_record *record = &app->record;

    if (record->endpoint_count + count > APP_ENDPOINTS_MAX || app->part_count == APP_ENDPOINTS_MAX)
        return "the app has more than 16 endpoints";
    app->parts[app->part_count++] = (struct app_part){.file = file, .endpoints = count};
    for (size_t i = 0; i < count; i++) {
        if (endpoint_is_named(record, endpoints[i].id))
            return "documents of one app must name different endpoints";
        record->endpoints[record->endpoint_count++] = endpoints[i];
    }
    return NULL;
}

/* What becomes a part of several. */
static struct document merge_begin(const struct document *first)
{
    struct document merged = *first;

    if (merged.app.part_count == 0)
        merged.app.parts[merged.app.part_count++] = (struct app_part){
            .file = first->place.file, .endpoints = first->app.record.endpoint_count};
    return merged;
}

static const char *merge_end(struct document *merged, struct arena *arena, struct document *out)
{
    if (merged->app.record.endpoint_count > 1)
        merged->app.record.health = merged->app.health;
    document_hash(merged, arena);
    if (merged->hash.size == 0)
        return "there is no memory to put the documents together";
    *out = *merged;
    return NULL;
}

const char *app_merge(const struct document *first, const struct document *later,
                      struct arena *arena, struct document *out)
{
    struct document merged = merge_begin(first);
    const struct app_record *record = &later->app.record;
    const char *reason = common_differs(&first->app, &later->app);

    if (first->app.stdio != NULL || later->app.stdio != NULL)
        return "a stdio server has no endpoints to put together";
    if (reason == NULL)
        reason = endpoints_append(&merged.app, later->place.file, record->endpoints,
                                  record->endpoint_count);
    return reason != NULL ? reason : merge_end(&merged, arena, out);
}

size_t app_merge_parts(const struct document *document, struct slice file)
{
    size_t count = 0;

    if (document->app.part_count == 0)
        return slice_equal(document->place.file, file);
    for (size_t i = 0; i < document->app.part_count; i++)
        count += slice_equal(document->app.parts[i].file, file);
    return count;
}

/* Of the version in force, what documents say alone: neither what the watcher found out, nor the
 * health check of a single endpoint, which need not have said it. */
static bool common_stands(const struct document *seen, const struct app_record *good)
{
    struct app_document now = seen->app;
    struct app_document then = {.record = *good, .health_said = now.health_said};

    if ((now.ca_file.size > 0) != (good->ca_pem.size > 0))
        return false;
    now.record.name = good->name;
    now.record.birth = good->birth;
    now.record.ca_pem = good->ca_pem;
    now.record.health = now.health;
    then.ca_file = now.ca_file;
    if (good->endpoint_count < 2 && !now.health_said)
        then.record.health = now.health;
    now.health_said = then.health_said = true; /* compare it */
    return common_differs(&now, &then) == NULL;
}

const char *app_merge_kept(const struct document *seen, const struct app_record *good,
                           const struct app_part *part, size_t first, struct arena *arena,
                           struct document *out)
{
    struct document merged = merge_begin(seen);
    struct app_endpoint kept[APP_ENDPOINTS_MAX];
    const char *reason;
    size_t count = 0;

    for (size_t i = first; i < first + part->endpoints && i < good->endpoint_count; i++) {
        kept[count] = good->endpoints[i];
        kept[count].address_count = 0;
        kept[count].draining &= APP_DRAIN_DOCUMENT;
        count += !endpoint_is_named(&seen->app.record, kept[count].id);
    }
    if (count == 0) {
        *out = *seen;
        return NULL;
    }
    if (!common_stands(seen, good))
        return "documents of one app must agree in all but their endpoints";
    reason = endpoints_append(&merged.app, part->file, kept, count);
    return reason != NULL ? reason : merge_end(&merged, arena, out);
}
