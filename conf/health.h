/* health.h: from good and failed probes of an endpoint to whether it is alive. Pure.
 *
 * Called by prober.c. An endpoint that was never probed counts as alive: requests find out sooner
 * than probes that have not come.
 */
#ifndef GATEHOUSE_CONF_HEALTH_H
#define GATEHOUSE_CONF_HEALTH_H

#include "shared/app_record.h"

struct health {
    bool dead;
    uint32_t against; /* probes in a row that say the contrary */
};

/* Takes the outcome of a probe; true when the endpoint died, or came back. */
bool health_judge(struct health *health, const struct app_health *check, bool good);

#endif
