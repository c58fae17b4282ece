/* candidate.h: a version of a document that may follow the one in force.
 *
 * Called by the publisher: first to stage what a document says, then, when the judgement left it
 * standing, to write it. What differs by kind is in app_candidate.h, auth_config_candidate.h,
 * role_candidate.h and lock_candidate.h.
 */
#ifndef GATEHOUSE_CONF_CANDIDATE_H
#define GATEHOUSE_CONF_CANDIDATE_H

#include "conf/registry.h"

/* What is known of a host's addresses now: their count; borrowed until the next call. */
typedef size_t (*candidate_addresses)(void *context, struct slice host, struct slice *out,
                                      size_t max);

struct candidate_context {
    candidate_addresses addresses; /* may be NULL: nothing is known */
    void *addresses_context;
    struct slice public_addr; /* of the gate: fills {{app.resource}} */
};

/* Compares a good document with the version in force; when it says something else, gives the slot
 * its next version, or refuses it. 0 or -ENOMEM. */
int candidate_stage(struct registry_slot *slot, const struct document *document,
                    const struct candidate_context *context);
/* The same, for a version that was put together: sets slot->next, or refuses what is too large. */
int candidate_set(struct registry_slot *slot, const void *record, struct document_record *origin,
                  const struct document *document);

/* Writes the records of a changed slot: its next version, or nothing. */
int candidate_write(struct registry_slot *slot, struct store *store,
                    struct publication *publication);

#endif
