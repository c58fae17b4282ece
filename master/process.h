/* process.h: one child process: forked, re-executed with its role, reaped.
 *
 * Called by the supervisor. Every child is the very binary that master runs (execveat on a
 * descriptor: an upgraded file on disk is not picked up by an old master), with an address space
 * of its own, a small environment, and no descriptor but those that shared/child.h names.
 */
#ifndef GATEHOUSE_MASTER_PROCESS_H
#define GATEHOUSE_MASTER_PROCESS_H

#include "shared/child.h"

#include <stdbool.h>
#include <sys/types.h>

struct process_plan {
    enum child_role role;
    int slot;  /* -1: none */
    int block; /* in the work board; -1: none */
    int executable;
    int public_fd, work_fd; /* the boards; -1: none */
    int settings_fd;        /* gatehouse.yaml, for the reader; else -1 */
    const char *path;       /* its path, for messages; else NULL */
    const struct settings_user *user;
};

enum process_state {
    PROCESS_FREE, /* no process */
    PROCESS_STARTING,
    PROCESS_READY,
    PROCESS_DRAINING, /* was told to end */
};

struct process {
    enum process_state state;
    enum child_role role;
    int slot;
    unsigned generation; /* of a worker */
    pid_t pid;
    int channel;      /* owned; -1 after its end of file */
    int64_t started;  /* monotonic milliseconds */
    int64_t deadline; /* killed when still alive then; 0: none */
    bool killed;      /* SIGKILL was sent */
    bool silent;      /* by the watchdog */
};

/* Fills *out. 0 or -errno. What fails after the fork is logged by the child, which exits 71. */
int process_spawn(const struct process_plan *plan, struct process *out);

/* SIGKILL. */
void process_kill(struct process *process);

/* Whether the process is dead: *status as waitpid gives it. */
bool process_reap(const struct process *process, int *status);

/* Closes the channel: the place is free again. */
void process_release(struct process *process);

/* "exit status 70 (the store cannot be used)", "signal 9 (Killed)". */
void process_death(int status, char *out, size_t room);

/* "worker 3", "watcher", "checker of sessions". */
void process_name(const struct process *process, char *out, size_t room);

#endif
