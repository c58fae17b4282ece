/* seat.h: a place that must always have its process: watcher, janitor, bridge, launcher, each
 * worker's slot.
 *
 * The supervisor asks every turn: an empty seat is filled when its back-off has passed and what it
 * stands on is there. A seat never holds two processes.
 */
#ifndef GATEHOUSE_MASTER_SEAT_H
#define GATEHOUSE_MASTER_SEAT_H

#include "master/backoff.h"
#include "shared/child.h"

struct supervisor;
struct process;

struct seat {
    enum child_role role;
    int slot;                /* of a worker; -1 */
    unsigned generation;     /* of a worker; 0 */
    struct process *process; /* borrowed from the supervisor's table; NULL: empty */
    struct backoff backoff;
    int64_t fill_at; /* monotonic milliseconds */
    bool closed;     /* its process exited 78: wait for a reload */
};

/* Fills the seat when it is due. `configuration` is what the process gets. */
struct configuration;
void seat_turn(struct supervisor *supervisor, struct seat *seat,
               const struct configuration *configuration, int64_t now);

/* When an empty seat is to be filled: monotonic milliseconds; INT64_MAX: not by itself. */
int64_t seat_due(const struct seat *seat, int64_t now);

/* Tells a process to end, and has it killed at `deadline`. */
void seat_drain(struct process *process, int64_t deadline);

/* Its process is dead; the caller releases it. */
void seat_death(struct seat *seat, int status, int64_t now);

#endif
