#include "worker/refusal_log.h"

#include "shared/clock.h"

#include <stdarg.h>
#include <stdio.h>

enum {
    REFUSALS_A_SECOND = 20, /* of one worker: enough to see what goes on */
    REFUSAL_MAX = 1024,     /* bytes of a sentence */
};

void refusal_log(struct line_bucket *bucket, enum log_level level, const char *event,
                 const char *format, ...)
{
    char message[REFUSAL_MAX];
    va_list arguments;

    if (!log_enabled(level) ||
        !line_bucket_admits(bucket, REFUSALS_A_SECOND, clock_monotonic_milliseconds()))
        return;
    va_start(arguments, format);
    if (vsnprintf(message, sizeof(message), format, arguments) < 0)
        message[0] = '\0';
    va_end(arguments);
    log_write(level, event, "%s", message);
}

void refusal_log_tick(struct line_bucket *bucket)
{
    uint64_t withheld = line_bucket_take(bucket, clock_monotonic_milliseconds());

    if (withheld > 0)
        log_info("refusals_withheld", "%llu more refusals are not shown",
                 (unsigned long long)withheld);
}
