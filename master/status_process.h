/* status_process.h: the part of `gatehouse status` that shows a running gateway: processes, the
 * users they run as, counters. Reads the board that running.h maps; changes nothing.
 */
#ifndef GATEHOUSE_MASTER_STATUS_PROCESS_H
#define GATEHOUSE_MASTER_STATUS_PROCESS_H

#include "master/inspection.h"
#include "master/running.h"

/* 0, -ENOMEM or -EIO. */
int status_process_print(const struct inspection *inspection, const struct running *running);
/* Members of the object at hand. */
void status_process_json(struct json_writer *json, const struct running *running);

#endif
