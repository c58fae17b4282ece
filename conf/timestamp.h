/* timestamp.h: RFC 3339 date and time, as documents write it. Pure; called by lock_document.c. */
#ifndef GATEHOUSE_CONF_TIMESTAMP_H
#define GATEHOUSE_CONF_TIMESTAMP_H

#include "shared/slice.h"

#include <stdint.h>

/* "2027-01-31T18:00:00Z", "...T18:00:00.5+01:00" as wall seconds, a fraction cut off. False when
 * the text is something else, or before 1970. A leap second is the second after it. */
bool timestamp_read(struct slice text, int64_t *seconds);

#endif
