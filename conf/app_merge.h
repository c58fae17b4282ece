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

#endif
