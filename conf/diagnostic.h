/* diagnostic.h: what is wrong with a document, and where: `file:line:column: key: reason; hint`.
 *
 * Collected, never printed, by readers of documents; printed by `check`, the reader and the
 * watcher. All errors of a run are kept (at most DIAGNOSTICS_MAX; then one line says so).
 */
#ifndef GATEHOUSE_CONF_DIAGNOSTIC_H
#define GATEHOUSE_CONF_DIAGNOSTIC_H

#include "shared/arena.h"
#include "shared/slice.h"

enum { DIAGNOSTICS_MAX = 1000 };

enum diagnostic_severity { DIAGNOSTIC_WARNING, DIAGNOSTIC_ERROR };

/* Where something stands. Line and column count from 1; 0 is "the file as a whole". */
struct place {
    struct slice file; /* as the user would name it */
    unsigned line;
    unsigned column;
};

static inline bool place_equal(const struct place *a, const struct place *b)
{
    return slice_equal(a->file, b->file) && a->line == b->line && a->column == b->column;
}

struct diagnostic {
    enum diagnostic_severity severity;
    struct place place;
    struct slice key; /* "spec.jwt.issuer"; may be empty */
    struct slice reason;
    struct slice hint; /* may be empty */
};

struct diagnostics {
    struct arena arena; /* owns the texts */
    struct diagnostic *entries;
    size_t count;
    size_t capacity;
    size_t errors; /* all that were added, also when the entry could not be kept */
};

/* Copies all texts. `key` and `hint` may be NULL. */

void diagnostics_add(struct diagnostics *diagnostics, enum diagnostic_severity severity,
                     struct place place, const char *key, const char *hint, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
/* By file, line and column; what belongs to no file comes last. */
void diagnostics_sort(struct diagnostics *diagnostics);
/* One line without a newline: "file:3:5: spec.jwt.issuer: reason; hint"; a warning says so after
 * the place. Control characters become '?'. Cut when `room` (at least 1) is too small. */
void diagnostic_format(const struct diagnostic *diagnostic, char *out, size_t room);
void diagnostics_free(struct diagnostics *diagnostics);

#endif
