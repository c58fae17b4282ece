/* running.h: the gateway that runs from a state directory, as another process sees it.
 *
 * Used by `gatehouse status` and `apps`: finds master by the pid file's lock and maps its boards,
 * read only, through /proc/PID/fd; only root and master's own user may. Sends nothing to anybody.
 */
#ifndef GATEHOUSE_MASTER_RUNNING_H
#define GATEHOUSE_MASTER_RUNNING_H

#include "shared/scoreboard.h"

#include <stdbool.h>
#include <sys/types.h>

struct running {
    pid_t pid; /* of master; 0: none runs; -errno: it cannot be told */
    /* Both mapped until the process ends; NULL: not to be had. */
    const struct scoreboard_work *work;
    const struct health_board *health;
};

void running_find(const char *state_dir, struct running *out);

/* The user that a process runs as, by /proc. 0 or -errno. */
int running_user(pid_t pid, uid_t *uid);

/* "gatehouse", or "uid 1234" when the user has no name. */
void running_user_name(uid_t uid, char *out, size_t room);

#endif
