/* drainer.h: endpoints that drain by command: their MCP sessions go on, nothing new is sent there.
 *
 * Called by the watcher. It is kept in the app's record, so that it outlives the watcher and every
 * change of the app that leaves it the endpoint; it is undone by command alone.
 */
#ifndef GATEHOUSE_CONF_DRAINER_H
#define GATEHOUSE_CONF_DRAINER_H

#include "conf/publisher.h"
#include "shared/control_message.h"

/* 1: committed and synced; 0: it was so already, or there is no such endpoint; *answer says which;
 * or a negative errno, *answer says so too, and nothing was written. */
int drainer_set(struct publisher *publisher, const struct control_drain *drain, uid_t uid,
                struct control_answer *answer);

#endif
