#include "worker/deadline.h"

static void deadline_fire(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    struct deadline *deadline = (struct deadline *)timer; /* its first member */
    ev_tstamp left;

    (void)events;
    if (deadline->at == 0)
        return;
    left = deadline->at - ev_now(loop);
    if (left > 0) {
        ev_timer_set(timer, left, 0.);
        ev_timer_start(loop, timer);
        return;
    }
    deadline->at = 0;
    deadline->passed(deadline);
}

void deadline_open(struct deadline *deadline, struct ev_loop *loop,
                   void (*passed)(struct deadline *deadline), void *owner)
{
    deadline->at = 0;
    deadline->passed = passed;
    deadline->owner = owner;
    ev_timer_init(&deadline->timer, deadline_fire, 0., 0.);
    deadline->timer.data = loop;
}

void deadline_set(struct deadline *deadline, uint64_t milliseconds)
{
    struct ev_loop *loop = deadline->timer.data;
    ev_tstamp wait = (ev_tstamp)milliseconds / 1000.;

    deadline->at = ev_now(loop) + wait;
    if (ev_is_active(&deadline->timer)) {
        /* One that fires sooner finds the new time by itself. */
        if (ev_timer_remaining(loop, &deadline->timer) <= wait)
            return;
        ev_timer_stop(loop, &deadline->timer);
    }
    ev_timer_set(&deadline->timer, wait, 0.);
    ev_timer_start(loop, &deadline->timer);
}

void deadline_clear(struct deadline *deadline)
{
    deadline->at = 0;
}

void deadline_close(struct deadline *deadline)
{
    deadline->at = 0;
    ev_timer_stop(deadline->timer.data, &deadline->timer);
}
