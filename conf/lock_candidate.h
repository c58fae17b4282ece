/* lock_candidate.h: a lock's next version. Called by candidate.c. */
#ifndef GATEHOUSE_CONF_LOCK_CANDIDATE_H
#define GATEHOUSE_CONF_LOCK_CANDIDATE_H

#include "conf/candidate.h"

int lock_candidate_stage(struct registry_slot *slot, const struct document *document);
/* A lock whose time has come is not written, one that is replaced or removed is deleted. */
int lock_candidate_write(const struct registry_slot *slot, struct publication *publication);

#endif
