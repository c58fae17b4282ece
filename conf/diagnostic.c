#include "conf/diagnostic.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { REASON_MAX = 1024 }; /* bytes of one reason: a sentence and a quoted value */

static struct diagnostic *diagnostics_push(struct diagnostics *diagnostics)
{
    if (diagnostics->count == diagnostics->capacity) {
        size_t capacity = diagnostics->capacity == 0 ? 16 : diagnostics->capacity * 2;
        struct diagnostic *entries =
            realloc(diagnostics->entries, capacity * sizeof(*diagnostics->entries));

        if (entries == NULL)
            return NULL;
        diagnostics->entries = entries;
        diagnostics->capacity = capacity;
    }
    return &diagnostics->entries[diagnostics->count++];
}

static void diagnostics_keep(struct diagnostics *diagnostics, enum diagnostic_severity severity,
                             struct place place, const char *key, const char *hint,
                             const char *reason)
{
    struct diagnostic *entry = diagnostics_push(diagnostics);

    if (entry == NULL)
        return;
    place.file = arena_copy(&diagnostics->arena, place.file);
    *entry = (struct diagnostic){
        .severity = severity,
        .place = place,
        .key = arena_copy(&diagnostics->arena, slice_from(key)),
        .reason = arena_copy(&diagnostics->arena, slice_from(reason)),
        .hint = arena_copy(&diagnostics->arena, slice_from(hint)),
    };
}

void diagnostics_add(struct diagnostics *diagnostics, enum diagnostic_severity severity,
                     struct place place, const char *key, const char *hint, const char *format, ...)
{
    char reason[REASON_MAX];
    va_list arguments;

    if (severity == DIAGNOSTIC_ERROR)
        diagnostics->errors++;
    if (diagnostics->count > DIAGNOSTICS_MAX)
        return;
    if (diagnostics->count == DIAGNOSTICS_MAX) {
        snprintf(reason, sizeof(reason), "more than %d problems; the rest is not shown",
                 DIAGNOSTICS_MAX);
        diagnostics_keep(diagnostics, severity, (struct place){0}, NULL, NULL, reason);
        return;
    }
    va_start(arguments, format);
    vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    diagnostics_keep(diagnostics, severity, place, key, hint, reason);
}

static int diagnostic_compare(const void *left, const void *right)
{
    const struct diagnostic *a = left;
    const struct diagnostic *b = right;
    int order;

    if ((a->place.file.size == 0) != (b->place.file.size == 0))
        return a->place.file.size == 0 ? 1 : -1;
    order = slice_compare(a->place.file, b->place.file);
    if (order != 0)
        return order;
    if (a->place.line != b->place.line)
        return a->place.line < b->place.line ? -1 : 1;
    if (a->place.column != b->place.column)
        return a->place.column < b->place.column ? -1 : 1;
    return slice_compare(a->key, b->key);
}

void diagnostics_sort(struct diagnostics *diagnostics)
{
    if (diagnostics->count > 1)
        qsort(diagnostics->entries, diagnostics->count, sizeof(*diagnostics->entries),
              diagnostic_compare);
}

/* What is being written by diagnostic_format: always NUL-terminated. */
struct line {
    char *text;
    size_t room;
    size_t size;
};

static void line_append(struct line *line, struct slice text)
{
    for (size_t i = 0; i < text.size && line->size + 1 < line->room; i++) {
        unsigned char byte = (unsigned char)text.data[i];

        line->text[line->size++] = byte < ' ' || byte == 0x7f ? '?' : text.data[i];
    }
    line->text[line->size] = '\0';
}

static void line_place(struct line *line, const struct place *place)
{
    char numbers[32];

    if (place->file.size == 0)
        return;
    line_append(line, place->file);
    if (place->line > 0) {
        snprintf(numbers, sizeof(numbers), ":%u:%u", place->line, place->column);
        line_append(line, slice_from(numbers));
    }
    line_append(line, slice_from(": "));
}

void diagnostic_format(const struct diagnostic *diagnostic, char *out, size_t room)
{
    struct line line = {.text = out, .room = room};

    out[0] = '\0';
    line_place(&line, &diagnostic->place);
    if (diagnostic->severity == DIAGNOSTIC_WARNING)
        line_append(&line, slice_from("warning: "));
    if (diagnostic->key.size > 0) {
        line_append(&line, diagnostic->key);
        line_append(&line, slice_from(": "));
    }
    line_append(&line, diagnostic->reason);
    if (diagnostic->hint.size > 0) {
        line_append(&line, slice_from("; "));
        line_append(&line, diagnostic->hint);
    }
}

void diagnostics_free(struct diagnostics *diagnostics)
{
    free(diagnostics->entries);
    arena_free(&diagnostics->arena);
    *diagnostics = (struct diagnostics){0};
}
