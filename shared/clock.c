#include "shared/clock.h"

#include <time.h>

static int64_t clock_read(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The kernel's last tick, at most 10 ms ago, is near enough for seconds, and a third of the price.
 */
int64_t clock_wall_seconds(void)
{
    return clock_read(CLOCK_REALTIME_COARSE) / 1000;
}

int64_t clock_wall_milliseconds(void)
{
    return clock_read(CLOCK_REALTIME);
}

int64_t clock_monotonic_milliseconds(void)
{
    return clock_read(CLOCK_MONOTONIC);
}
