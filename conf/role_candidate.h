/* role_candidate.h: a role's next version, and its records in `policies`. Called by candidate.c.
 */
#ifndef GATEHOUSE_CONF_ROLE_CANDIDATE_H
#define GATEHOUSE_CONF_ROLE_CANDIDATE_H

#include "conf/candidate.h"

int role_candidate_stage(struct registry_slot *slot, const struct document *document);
int role_candidate_write(const struct registry_slot *slot, struct publication *publication);

#endif
