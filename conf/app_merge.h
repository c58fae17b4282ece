/* app_merge.h: documents of one app, as several servers of it register it, put together.
 *
 * Called by staging.c and document_check.c. Each document adds its endpoints; all else they say
 * must be the same, so that it does not depend on which of them is read first.
 */
#ifndef GATEHOUSE_CONF_APP_MERGE_H
#define GATEHOUSE_CONF_APP_MERGE_H

#include "conf/document.h"

/* Both are good documents of one app. NULL, with *out (which may be `first`) filled; or why not: a
 * literal, and *out is untouched. What *out holds is borrowed from both, and from the arena. */
const char *app_merge(const struct document *first, const struct document *later,
                      struct arena *arena, struct document *out);

/* How many documents in that file a document was put together from. */
size_t app_merge_parts(const struct document *document, struct slice file);

/* The same with a part of the version in force instead of a document, which cannot be read: its
 * endpoints, from `first` on, join those of `seen` that it does not name itself. */
const char *app_merge_kept(const struct document *seen, const struct app_record *good,
                           const struct app_part *part, size_t first, struct arena *arena,
                           struct document *out);

#endif
