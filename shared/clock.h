/* clock.h: the two times that Gatehouse knows.
 *
 * Wall time judges tokens and dates records; monotonic time drives timers, heartbeats and limits,
 * and is the same in all processes of one boot. Never slept on, never cached here.
 */
#ifndef GATEHOUSE_SHARED_CLOCK_H
#define GATEHOUSE_SHARED_CLOCK_H

#include <stdint.h>

/* Seconds since 1970-01-01 UTC. */
int64_t clock_wall_seconds(void);

/* Milliseconds since 1970-01-01 UTC. */
int64_t clock_wall_milliseconds(void);

/* Microseconds since 1970-01-01 UTC. */
int64_t clock_wall_microseconds(void);

/* Microseconds of CLOCK_MONOTONIC. */
int64_t clock_monotonic_microseconds(void);

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t clock_monotonic_milliseconds(void);

#endif
