#include "conf/stdio_keeping.h"

#include "conf/text_file.h"

static const struct document *source_find(const struct stdio_source *source, struct slice name)
{
    for (size_t i = 0; i < source->count; i++)
        if (source->documents[i].kind == DOCUMENT_APP &&
            slice_equal(source->documents[i].name, name))
            return &source->documents[i];
    return NULL;
}

/* Where the document after this one begins, in lines; every line is before it when there is none.
 */
static unsigned document_end(const struct stdio_source *source, const struct document *document)
{
    unsigned end = UINT32_MAX;

    for (size_t i = 0; i < source->count; i++) {
        unsigned line = source->documents[i].place.line;

        if (line > document->place.line && line < end)
            end = line;
    }
    return end;
}

/* The first error of a document; of the source when it is NULL, and then one that is no document's
 * own: one without a key is of YAML itself, and more may follow that could not be read. */
static const struct diagnostic *source_error(const struct stdio_source *source,
                                             const struct document *document)
{
    unsigned begin = document == NULL ? 0 : document->place.line;
    unsigned end = document == NULL ? UINT32_MAX : document_end(source, document);

    for (size_t i = 0; i < source->diagnostics->count; i++) {
        const struct diagnostic *diagnostic = &source->diagnostics->entries[i];

        if (diagnostic->severity == DIAGNOSTIC_ERROR &&
            (document != NULL || diagnostic->key.size == 0) && diagnostic->place.line >= begin &&
            diagnostic->place.line < end)
            return diagnostic;
    }
    return NULL;
}

/* A document that may have been any: whose kind or name could not be read. */
static const struct document *source_nameless(const struct stdio_source *source)
{
    for (size_t i = 0; i < source->count; i++)
        if (source->documents[i].state == DOCUMENT_REFUSED &&
            (source->documents[i].kind == DOCUMENT_UNKNOWN || source->documents[i].name.size == 0))
            return &source->documents[i];
    return NULL;
}

static void fault_take(struct stdio_fault *fault, const struct diagnostic *diagnostic)
{
    if (diagnostic != NULL)
        *fault = (struct stdio_fault){diagnostic->place, diagnostic->key, diagnostic->reason};
}

/* No document of the name is seen. */
static bool source_may_hold(const struct stdio_source *source, struct stdio_fault *fault)
{
    const struct diagnostic *damage = source_error(source, NULL);
    const struct document *nameless = source_nameless(source);

    if (nameless != NULL)
        fault->place = nameless->place;
    if (damage == NULL && nameless != NULL)
        damage = source_error(source, nameless);
    fault_take(fault, damage);
    return damage != NULL || nameless != NULL;
}

bool stdio_keeps(const struct stdio_source *source, struct slice name, struct stdio_fault *fault)
{
    const struct document *document;

    *fault = (struct stdio_fault){.place = {.file = source->path}};
    if (source->error != 0) {
        fault->reason = slice_from(text_file_reason(source->error));
        return true;
    }
    document = source_find(source, name);
    if (document == NULL)
        return source_may_hold(source, fault);
    fault->place = document->place;
    if (document->state == DOCUMENT_REFUSED)
        fault_take(fault, source_error(source, document));
    return document->state == DOCUMENT_REFUSED || document->app.stdio != NULL;
}
