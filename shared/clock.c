#include "shared/clock.h"

#include <time.h>

static int64_t clock_read(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t clock_read_microseconds(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_wall_seconds(void)
{
    return clock_read(CLOCK_REALTIME) / 1000;
}

int64_t clock_wall_milliseconds(void)
{
    return clock_read(CLOCK_REALTIME);
}

int64_t clock_wall_microseconds(void)
{
    return clock_read_microseconds(CLOCK_REALTIME);
}

int64_t clock_monotonic_microseconds(void)
{
    return clock_read_microseconds(CLOCK_MONOTONIC);
}

int64_t clock_monotonic_milliseconds(void)
{
    return clock_read(CLOCK_MONOTONIC);
}
