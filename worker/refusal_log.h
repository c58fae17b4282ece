/* refusal_log.h: lines of the log about callers who were refused, not more than so many a second.
 *
 * Whoever can reach the gate can cause them: a flood of bad tokens must not flood the log. What is
 * held back is told in one line (event refusals_withheld). Metrics and the audit trail count on.
 */
#ifndef GATEHOUSE_WORKER_REFUSAL_LOG_H
#define GATEHOUSE_WORKER_REFUSAL_LOG_H

#include "shared/log.h"
#include "worker/line_bucket.h"

void refusal_log(struct line_bucket *bucket, enum log_level level, const char *event,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Now and then: tells what was held back. */
void refusal_log_tick(struct line_bucket *bucket);

#endif
