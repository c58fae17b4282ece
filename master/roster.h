/* roster.h: the table of all living children: places, blocks of the work board, deaths, silence.
 *
 * Called by the supervisor and by what starts processes. Knows nothing of why a process runs.
 */
#ifndef GATEHOUSE_MASTER_ROSTER_H
#define GATEHOUSE_MASTER_ROSTER_H

#include "master/process.h"

#include <stddef.h>

struct supervisor;

/* Starts a process in a free place. The plan's executable, boards and block are filled in here.
 * NULL when that fails (logged). */
struct process *roster_spawn(struct supervisor *supervisor, struct process_plan *plan);

/* The next dead process, after reading its last words; NULL when there is none. The caller acts
 * on the death and calls roster_release. */
struct process *roster_next_dead(struct supervisor *supervisor, int *status);
void roster_release(struct supervisor *supervisor, struct process *process);

/* Kills what is past its deadline, or silent for longer than the watchdog allows. */
void roster_watch(struct supervisor *supervisor, int64_t now);

/* How many live: of one role, or with ROLES of all. */
size_t roster_count(const struct supervisor *supervisor, enum child_role role);
/* SIGKILL, the same way. */
void roster_kill(struct supervisor *supervisor, enum child_role role);

/* The earliest deadline, or INT64_MAX. */
int64_t roster_deadline(const struct supervisor *supervisor);

#endif
