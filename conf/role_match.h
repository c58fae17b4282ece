/* role_match.h: which sides of which roles count at which app, found beforehand: policy_match.
 *
 * The only place where roles' labels are matched: when a role's app_labels or an app changed, and
 * only for the pairs that the change touches. Called by the publisher; never for a request.
 */
#ifndef GATEHOUSE_CONF_ROLE_MATCH_H
#define GATEHOUSE_CONF_ROLE_MATCH_H

#include "conf/registry.h"
#include "shared/scoreboard.h"

/* Replaces the matches of what changed. Looks at no other. Counts in `block`. 0, -ENOMEM or the
 * store's error. */
int role_match_write(struct registry *registry, struct store *store,
                     struct publication *publication, struct scoreboard_block *block);

/* Once, before the first role_match_write: drops what is of no app and role in force. */
int role_match_reconcile(struct registry *registry, struct store *store,
                         struct publication *publication);

#endif
