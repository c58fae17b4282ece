#include "worker/worker_turn.h"

#include "shared/log.h"

#include <errno.h>
#include <stdlib.h>

enum { TURN_ROUNDS = 16 }; /* of commits and writes in a turn: pipelined requests */

static const double turn_key_poll = 0.05; /* seconds, while requests wait for a key */

void worker_bury(struct worker *worker, struct remains *remains)
{
    remains->next = worker->remains;
    worker->remains = remains;
}

void worker_free_remains(struct worker *worker)
{
    while (worker->remains != NULL) {
        struct remains *next = worker->remains->next;

        free(worker->remains);
        worker->remains = next;
    }
}

static void turn_key_polled(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    const struct worker_turn *turn = timer->data;
    struct authenticator *authenticator = turn->worker->authenticator;

    (void)events;
    authenticator_retry(authenticator);
    if (!authenticator_waiting(authenticator))
        ev_timer_stop(loop, timer);
}

/* The poll returned: what is read from the stores from here on is as new as it gets. */
static void turn_begin(struct ev_loop *loop, struct ev_check *check, int events)
{
    const struct worker_turn *turn = check->data;
    struct worker *worker = turn->worker;
    int error = 0;

    (void)loop;
    (void)events;
    store_turn_begin(worker->config);
    store_turn_begin(worker->sessions);
    worker->mcp_sessions.idle = worker_limits(worker)->mcp_session_idle;
    worker->mcp_sessions.task_ttl = worker_limits(worker)->mcp_task_ttl;
    if (catalog_turn(worker->catalog, &error))
        authenticator_retry(worker->authenticator);
    if (error != 0) {
        log_error("store_refused", "the config store cannot be trusted: %s", strerror(-error));
        worker_stop(worker, EXIT_STORE);
    }
}

/* Commits what this turn's answers depend on, then writes them. A written answer may let the next
 * of pipelined requests through, which needs a commit of its own: what goes on beyond these rounds
 * waits for the next turn, a tick at most. -EUCLEAN: the store is damaged. */
static int turn_answer(struct worker *worker)
{
    int error = 0;

    for (int i = 0; i < TURN_ROUNDS && error == 0; i++) {
        error = mcp_sessions_commit(&worker->mcp_sessions);
        if (error == 0)
            error = authenticator_commit(worker->authenticator);
        if (worker->writes.first == NULL)
            break;
        write_queue_run(&worker->writes);
    }
    return error;
}

/* Before the poll. */
static void turn_end(struct ev_loop *loop, struct ev_prepare *prepare, int events)
{
    struct worker_turn *turn = prepare->data;
    struct worker *worker = turn->worker;

    (void)events;
    if (turn_answer(worker) == -EUCLEAN) {
        log_error("store_corrupt", "the session store is damaged");
        worker_stop(worker, EXIT_STORE);
    }
    store_turn_end(worker->config);
    store_turn_end(worker->sessions);
    worker_free_remains(worker);
    audit_flush(&worker->audit);
    if (authenticator_waiting(worker->authenticator) && !ev_is_active(&turn->key_poll))
        ev_timer_again(loop, &turn->key_poll);
    /* What an answer set off now must not wait for an event: its batch is committed next turn. */
    if (ev_pending_count(loop) > 0 || worker->writes.first != NULL)
        ev_idle_start(loop, &turn->again);
    else
        ev_idle_stop(loop, &turn->again);
}

static void turn_nothing(struct ev_loop *loop, struct ev_idle *idle, int events)
{
    (void)loop;
    (void)idle;
    (void)events;
}

void worker_turn_watch(struct worker_turn *turn, struct worker *worker)
{
    turn->worker = worker;
    ev_timer_init(&turn->key_poll, turn_key_polled, 0., turn_key_poll);
    turn->key_poll.data = turn;
    ev_check_init(&turn->begin, turn_begin);
    turn->begin.data = turn;
    ev_set_priority(&turn->begin, EV_MAXPRI);
    ev_check_start(worker->loop, &turn->begin);
    ev_prepare_init(&turn->end, turn_end);
    turn->end.data = turn;
    ev_set_priority(&turn->end, EV_MINPRI);
    ev_prepare_start(worker->loop, &turn->end);
    ev_idle_init(&turn->again, turn_nothing);
    ev_set_priority(&turn->again, EV_MAXPRI);
}
