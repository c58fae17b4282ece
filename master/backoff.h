/* backoff.h: when a process that died is started again. Pure: a table of event and time.
 *
 * Called by the supervisor, one for each seat. A seat that proved itself (READY) is filled again at
 * once, so that a client who can crash his worker cannot buy an outage with it. What dies before
 * READY twice in a row, or more than ten times within a second, waits 2 s, doubling to 60 s. Exit
 * status 78 means that the configuration is wrong: only a reload helps.
 */
#ifndef GATEHOUSE_MASTER_BACKOFF_H
#define GATEHOUSE_MASTER_BACKOFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BACKOFF_NOW = 0,
    BACKOFF_NEVER = -1,
    BACKOFF_FIRST = 2 * 1000, /* milliseconds */
    BACKOFF_LAST = 60 * 1000, /* milliseconds */
    BACKOFF_CALM = 60 * 1000, /* READY for so long: the next wait is the first again */
    BACKOFF_DEATHS_MAX = 10,  /* in BACKOFF_WINDOW */
    BACKOFF_WINDOW = 1000,    /* milliseconds */
};

/* A zeroed one is that of a seat that was never filled. Times are monotonic milliseconds. */
struct backoff {
    bool proven;                            /* was READY in this generation */
    bool ready;                             /* is READY */
    bool early;                             /* the last death came before READY */
    int64_t ready_since;                    /* while ready */
    int64_t wait;                           /* the last wait; 0: none yet */
    int64_t deaths[BACKOFF_DEATHS_MAX + 1]; /* times of the last ones, a ring */
    size_t death_count;                     /* ever */
};

void backoff_ready(struct backoff *backoff, int64_t now);

/* The process is dead; `status` as waitpid gave it. Milliseconds to wait, BACKOFF_NOW or
 * BACKOFF_NEVER. */
int64_t backoff_death(struct backoff *backoff, int status, int64_t now);

#endif
