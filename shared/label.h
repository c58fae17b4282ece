/* label.h: labels of apps, and the selectors that choose apps by them.
 *
 * Matching happens in the watcher alone, when a document changes: no request ever matches.
 * Rules: every label of the selector must match; a label matches when the app bears its name with
 * one of its values; `*` as a value matches any value, and as the name (then with value `*` only)
 * any app; an empty selector matches no app.
 */
#ifndef GATEHOUSE_SHARED_LABEL_H
#define GATEHOUSE_SHARED_LABEL_H

#include "shared/slice.h"

enum { LABELS_MAX = 64 }; /* labels an app or a selector may have */

/* Every app whose URI begins `mcp+` bears these, with the value "mcp". */
#define LABEL_SUB_KIND "gatehouse/app-sub-kind"
#define LABEL_SUB_KIND_TELEPORT "teleport.internal/app-sub-kind"

struct label {
    struct slice name;
    struct slice value;
};

struct label_selector {
    struct slice name;
    const struct slice *values;
    size_t value_count; /* at least 1 */
};

bool label_matches(const struct label_selector *selectors, size_t selector_count,
                   const struct label *labels, size_t label_count);

#endif
