/* role_sides.h: the two sides of a role, allow and deny, as a document says them.
 *
 * What the reader of role documents makes, the registry keeps, and the watcher writes into
 * `policies` side by side. Pure.
 */
#ifndef GATEHOUSE_CONF_ROLE_SIDES_H
#define GATEHOUSE_CONF_ROLE_SIDES_H

#include "shared/policy_record.h"

struct role_sides {
    struct policy_record records[2]; /* [deny] */
    bool has[2];
};

/* Both in one record, in memory only. 0, -EINVAL or -ENOMEM. */
int role_sides_encode(const struct role_sides *sides, struct buffer *out);
/* owned[0..1] are the caller's to free, also after an error. Borrowed from `bytes` and from them.
 * 0, -EBADMSG or -ENOMEM. */
int role_sides_decode(struct slice bytes, struct role_sides *out, void *owned[2]);

/* Whether both choose the same apps for the same sides: matches then stand. */
bool role_sides_choose_alike(const struct role_sides *a, const struct role_sides *b);

/* The selectors of a side, as label_matches takes them: a deny side without any chooses every app.
 */
const struct label_selector *role_side_selectors(const struct policy_record *record, size_t *count);

#endif
