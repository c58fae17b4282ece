/* host.h: which app a public address opens: the database `hosts`, kept beside `apps`.
 *
 * Called by the publisher. One address opens one app: the change that would give it to a second is
 * refused.
 */
#ifndef GATEHOUSE_CONF_HOST_H
#define GATEHOUSE_CONF_HOST_H

#include "conf/registry.h"

/* Refuses changed apps whose public address another app has. Adds to *refused. 0 or an error. */
int host_judge(struct registry *registry, size_t *refused);

/* Makes `hosts` follow the judged changes. */
int host_write(struct registry *registry, struct publication *publication);

#endif
