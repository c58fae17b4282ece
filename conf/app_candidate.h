/* app_candidate.h: an app's next version: its CA bundle read, its endpoints' addresses filled in.
 *
 * Called by candidate.c and the publisher.
 */
#ifndef GATEHOUSE_CONF_APP_CANDIDATE_H
#define GATEHOUSE_CONF_APP_CANDIDATE_H

#include "conf/candidate.h"

int app_candidate_stage(struct registry_slot *slot, const struct document *document,
                        const struct candidate_context *context);
int app_candidate_write(const struct registry_slot *slot, struct publication *publication);

/* Takes new addresses into the version in force, and into `apps`. A host of which nothing is known
 * keeps the addresses it had. */
int app_candidate_readdress(struct registry_slot *slot, const struct candidate_context *context,
                            struct publication *publication);

/* Lets an endpoint of the version in force drain, or serve again as its document says. */
int app_candidate_drain(struct registry_slot *slot, size_t endpoint, bool drain,
                        struct publication *publication);

#endif
