/* auth_config_candidate.h: an app auth config's next version, and what becomes of its keys.
 *
 * Called by candidate.c and the publisher. The revision that sessions remember is made here: it
 * follows from what a judgement uses, and from an epoch that moves when a key left the set.
 */
#ifndef GATEHOUSE_CONF_AUTH_CONFIG_CANDIDATE_H
#define GATEHOUSE_CONF_AUTH_CONFIG_CANDIDATE_H

#include "conf/candidate.h"

int auth_config_candidate_stage(struct registry_slot *slot, const struct document *document,
                                const struct candidate_context *context);
int auth_config_candidate_write(struct registry_slot *slot, struct store *store,
                                struct publication *publication);

/* The version in force with its audiences filled by another public_addr. */
int auth_config_candidate_refill(struct registry_slot *slot, struct slice public_addr,
                                 struct publication *publication);

/* Takes the outcome of a fetch into the version in force, and into the store. */
int auth_config_candidate_fetched(struct registry_slot *slot, const struct key_set_outcome *outcome,
                                  struct store *store, struct publication *publication);

#endif
