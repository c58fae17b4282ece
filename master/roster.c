#include "master/roster.h"

#include "master/relay.h"
#include "master/supervisor.h"
#include "shared/log.h"

#include <errno.h>
#include <sys/epoll.h>

enum {
    START_TIMEOUT = 60 * 1000, /* milliseconds to READY, for a process whose heartbeat stopped */
    LATE = 3 * 1000,           /* milliseconds between two looks: master itself was stopped */
};

static bool is_role(const struct process *process, enum child_role role)
{
    return process->state != PROCESS_FREE && (role == ROLES || process->role == role);
}

static void block_begin(struct scoreboard_block *block, const struct process *process)
{
    for (int i = 0; i < COUNTERS; i++)
        atomic_store(&block->counters[i], 0);
    for (int i = 0; i < GAUGES; i++)
        atomic_store(&block->gauges[i], 0);
    atomic_store(&block->ready, 0);
    atomic_store(&block->role, (int32_t)process->role);
    atomic_store(&block->slot, process->slot);
    atomic_store(&block->heartbeat, process->started);
    atomic_store(&block->pid, (int32_t)process->pid);
}

static void block_fold(struct scoreboard_work *work, struct scoreboard_block *block)
{
    for (int i = 0; i < COUNTERS; i++)
        atomic_fetch_add(&work->totals.counters[i], atomic_exchange(&block->counters[i], 0));
    for (int i = 0; i < GAUGES; i++)
        atomic_store(&block->gauges[i], 0);
    atomic_store(&block->ready, 0);
    atomic_store(&block->pid, 0);
}

static struct process *roster_free_place(struct supervisor *supervisor)
{
    for (size_t i = 0; i < SCOREBOARD_BLOCKS; i++)
        if (supervisor->processes[i].state == PROCESS_FREE)
            return &supervisor->processes[i];
    return NULL;
}

static void roster_plan(const struct supervisor *supervisor, struct process_plan *plan, int place)
{
    bool service = child_role_is_service(plan->role);

    plan->executable = supervisor->executable;
    plan->block = service ? place : -1;
    plan->work_fd = service ? supervisor->work_fd : -1;
    plan->public_fd = -1;
    if (service)
        plan->public_fd =
            plan->role == ROLE_WATCHER ? supervisor->public_fd : supervisor->public_read_fd;
}

struct process *roster_spawn(struct supervisor *supervisor, struct process_plan *plan)
{
    struct process *process = roster_free_place(supervisor);
    struct epoll_event event = {.events = EPOLLIN};
    int error = -EAGAIN;

    if (process != NULL) {
        event.data.u32 = (uint32_t)(process - supervisor->processes);
        roster_plan(supervisor, plan, (int)event.data.u32);
        error = process_spawn(plan, process);
    }
    if (error < 0) {
        log_error("spawn_failed", "%s: %s", child_role_name(plan->role), strerror(-error));
        return NULL;
    }
    if (plan->block >= 0)
        block_begin(&supervisor->work->blocks[plan->block], process);
    if (epoll_ctl(supervisor->epoll, EPOLL_CTL_ADD, process->channel, &event) < 0) {
        log_error("spawn_failed", "%s: epoll: %s", child_role_name(plan->role), strerror(errno));
        process_kill(process);
    }
    return process;
}

struct process *roster_next_dead(struct supervisor *supervisor, int *status)
{
    for (size_t i = 0; i < SCOREBOARD_BLOCKS; i++) {
        struct process *process = &supervisor->processes[i];

        if (process->state == PROCESS_FREE || !process_reap(process, status))
            continue;
        relay_read(supervisor, process);
        return process;
    }
    return NULL;
}

void roster_release(struct supervisor *supervisor, struct process *process)
{
    if (child_role_is_service(process->role))
        block_fold(supervisor->work, &supervisor->work->blocks[process - supervisor->processes]);
    process_release(process);
}

/* Milliseconds without a heartbeat. When master itself was stopped (a frozen container, a
 * debugger), its children were too: their silence counts from when it woke. */
static int64_t roster_silence(const struct supervisor *supervisor, const struct process *process,
                              int64_t now)
{
    size_t block = (size_t)(process - supervisor->processes);
    int64_t heard = atomic_load(&supervisor->work->blocks[block].heartbeat);

    if (heard < process->started)
        heard = process->started;
    if (heard < supervisor->watching_from)
        heard = supervisor->watching_from;
    return heard > now ? 0 : now - heard;
}

static void roster_watch_one(struct supervisor *supervisor, struct process *process,
                             int64_t watchdog, int64_t now)
{
    int64_t silence =
        child_role_is_service(process->role) ? roster_silence(supervisor, process, now) : 0;
    char name[32];

    process_name(process, name, sizeof(name));
    if (process->deadline != 0 && now >= process->deadline) {
        log_warning("process_killed", "%s (pid %d) is past its deadline; it is killed", name,
                    (int)process->pid);
        process_kill(process);
    } else if (silence > watchdog &&
               (process->state != PROCESS_STARTING || now - process->started > START_TIMEOUT)) {
        log_error("watchdog", "%s (pid %d) was silent for %lld ms; it is killed", name,
                  (int)process->pid, (long long)silence);
        scoreboard_count(&supervisor->work->totals, COUNT_PROCESSES_KILLED);
        process->silent = true;
        process_kill(process);
    }
}

void roster_watch(struct supervisor *supervisor, int64_t now)
{
    const struct configuration *configuration = supervisor_configuration(supervisor);
    int64_t watchdog =
        configuration == NULL ? INT64_MAX : (int64_t)configuration->settings.limits.watchdog;

    if (now - supervisor->last_turn > LATE)
        supervisor->watching_from = now;
    supervisor->last_turn = now;
    for (size_t i = 0; i < SCOREBOARD_BLOCKS; i++)
        if (supervisor->processes[i].state != PROCESS_FREE && !supervisor->processes[i].killed)
            roster_watch_one(supervisor, &supervisor->processes[i], watchdog, now);
}

size_t roster_count(const struct supervisor *supervisor, enum child_role role)
{
    size_t count = 0;

    for (size_t i = 0; i < SCOREBOARD_BLOCKS; i++)
        count += is_role(&supervisor->processes[i], role);
    return count;
}

void roster_kill(struct supervisor *supervisor, enum child_role role)
{
    for (size_t i = 0; i < SCOREBOARD_BLOCKS; i++)
        if (is_role(&supervisor->processes[i], role)) {
            process_kill(&supervisor->processes[i]);
            supervisor->processes[i].state = PROCESS_DRAINING; /* no other takes its place */
        }
}

int64_t roster_deadline(const struct supervisor *supervisor)
{
    int64_t earliest = INT64_MAX;

    for (size_t i = 0; i < SCOREBOARD_BLOCKS; i++) {
        const struct process *process = &supervisor->processes[i];

        if (process->state != PROCESS_FREE && !process->killed && process->deadline != 0 &&
            process->deadline < earliest)
            earliest = process->deadline;
    }
    return earliest;
}
