/* staging.h: what a reading says, put before the registry as changes that are still to be judged.
 *
 * Called by the publisher. A document that says what is in force is no change; a refused one is a
 * refusal with its reason; what no file says any more is a removal. Never writes a record.
 */
#ifndef GATEHOUSE_CONF_STAGING_H
#define GATEHOUSE_CONF_STAGING_H

#include "conf/candidate.h"
#include "conf/reading.h"

/* 0; 1: an app has another document now than those of a file that was not read, which then has to
 * be (it is not remembered any more): until then the app stays as it is; or -ENOMEM. */
int staging_run(struct registry *registry, const struct reading *reading,
                const struct candidate_context *context);

/* Once what was judged is published, and before registry_settle: remembers the files of which every
 * document is in force, so that they are read again only when they change. */
void staging_settle(struct registry *registry, struct reading *reading);

#endif
