#include "worker/line_bucket.h"

enum { SECOND = 1000 };

bool line_bucket_admits(struct line_bucket *bucket, uint64_t rate, int64_t now)
{
    if (now - bucket->begun >= SECOND) {
        bucket->begun = now;
        bucket->lines = 0;
    }
    if (rate == 0 || bucket->lines < rate) {
        bucket->lines++;
        return true;
    }
    bucket->withheld++;
    return false;
}

uint64_t line_bucket_take(struct line_bucket *bucket, int64_t now)
{
    uint64_t withheld = bucket->withheld;

    if (withheld == 0 || now - bucket->begun < SECOND)
        return 0;
    bucket->withheld = 0;
    return withheld;
}
