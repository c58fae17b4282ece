/* role_notice.h: tells the log of roles that claims_to_roles gives and no document makes: they
 * grant nothing. Called by the publisher for a judged change; `check` says the same and more
 * (role_check.h).
 */
#ifndef GATEHOUSE_CONF_ROLE_NOTICE_H
#define GATEHOUSE_CONF_ROLE_NOTICE_H

#include "conf/registry.h"

/* Looks at the configs that change, and at all when a role comes or goes. */
void role_notice(struct registry *registry);

#endif
