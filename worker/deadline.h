/* deadline.h: a time by which something must have happened, cheap to move.
 *
 * Moving a deadline further away only writes a number: the timer that runs finds out when it fires,
 * and waits for the rest. So a busy connection costs no timer work. Used by clients, upstreams and
 * exchanges.
 */
#ifndef GATEHOUSE_WORKER_DEADLINE_H
#define GATEHOUSE_WORKER_DEADLINE_H

#include <ev.h>
#include <stdint.h>

struct deadline {
    struct ev_timer timer; /* private; its data is the loop */
    ev_tstamp at;          /* 0: none */
    void (*passed)(struct deadline *deadline);
    void *owner;
};

/* `passed` is called once for each deadline that was set and not moved or cleared in time. */
void deadline_open(struct deadline *deadline, struct ev_loop *loop,
                   void (*passed)(struct deadline *deadline), void *owner);
/* In so many milliseconds from now (the loop's now). */
void deadline_set(struct deadline *deadline, uint64_t milliseconds);
void deadline_clear(struct deadline *deadline);
/* Stops the timer: before the owner's memory goes. */
void deadline_close(struct deadline *deadline);

#endif
