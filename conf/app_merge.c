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

/* Appends the endpoints. NULL, or why not. */
static const char *endpoints_append(struct app_record *record, const struct app_record *later)
{
    for (size_t i = 0; i < later->endpoint_count; i++) {
        for (size_t j = 0; j < record->endpoint_count; j++)
            if (record->endpoints[j].id == later->endpoints[i].id)
                return "documents of one app must name different endpoints";
        if (record->endpoint_count == APP_ENDPOINTS_MAX)
            return "the app has more than 16 endpoints";
        record->endpoints[record->endpoint_count++] = later->endpoints[i];
    }
    return NULL;
}

const char *app_merge(const struct document *first, const struct document *later,
                      struct arena *arena, struct document *out)
{
    struct document merged = *first;
    const char *reason = common_differs(&first->app, &later->app);

    if (first->app.stdio != NULL || later->app.stdio != NULL)
        return "a stdio server has no endpoints to put together";
    if (reason == NULL)
        reason = endpoints_append(&merged.app.record, &later->app.record);
    if (reason != NULL)
        return reason;
    if (merged.app.record.endpoint_count > 1)
        merged.app.record.health = merged.app.health;
    document_hash(&merged, arena);
    if (merged.hash.size == 0)
        return "there is no memory to put the documents together";
    *out = merged;
    return NULL;
}
