/* line_bucket.h: how many lines a second strangers may cause. Pure.
 *
 * For lines of the log and of the audit trail about callers who proved nothing: a flood of bad
 * tokens must not fill a disk. What is held back is counted, to be told in one line. A zeroed
 * bucket is ready.
 */
#ifndef GATEHOUSE_WORKER_LINE_BUCKET_H
#define GATEHOUSE_WORKER_LINE_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct line_bucket {
    int64_t begun;     /* private: monotonic milliseconds; the second that runs */
    uint64_t lines;    /* private: let through in it */
    uint64_t withheld; /* since line_bucket_take */
};

/* Whether one more line may be written; `rate` a second, 0: any. `now`: monotonic milliseconds. */
bool line_bucket_admits(struct line_bucket *bucket, uint64_t rate, int64_t now);
/* How many were held back, once a second at most and for one line: 0 when none were, or the second
 * still runs. */
uint64_t line_bucket_take(struct line_bucket *bucket, int64_t now);

#endif
