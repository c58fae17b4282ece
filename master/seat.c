#include "master/seat.h"

#include "master/bridging.h"
#include "master/configuration.h"
#include "master/environment.h"
#include "master/relay.h"
#include "master/roster.h"
#include "master/supervisor.h"
#include "shared/log.h"

/* The launcher stays who master is: it makes processes of other users. */
static const struct settings_user *seat_user(const struct seat *seat,
                                             const struct settings *settings)
{
    static const struct settings_user unchanged = {.name = {"", 0}};

    switch (seat->role) {
    case ROLE_WATCHER:
        return &settings->watcher_user;
    case ROLE_BRIDGE:
        return &settings->bridge_user;
    case ROLE_LAUNCHER:
        return &unchanged;
    default:
        return &settings->worker_user;
    }
}

/* Workers and janitor wait for the watcher's first READY: it makes what they look for. Later its
 * death is no reason to wait. */
static bool seat_is_allowed(const struct supervisor *supervisor, const struct seat *seat)
{
    if (supervisor->phase != PHASE_STARTING && supervisor->phase != PHASE_SERVING)
        return false;
    if ((seat->role == ROLE_WORKER || seat->role == ROLE_JANITOR) &&
        !supervisor->watcher.backoff.proven)
        return false;
    return environment_allows(supervisor, seat->role);
}

static bool seat_equip(struct supervisor *supervisor, struct seat *seat,
                       const struct configuration *configuration)
{
    struct generation *generation;

    if (!relay_order(seat->process, MESSAGE_SETTINGS, buffer_slice(&configuration->message), NULL,
                     0))
        return false;
    if (seat->role == ROLE_BRIDGE || seat->role == ROLE_LAUNCHER)
        return bridging_equip(supervisor, seat->process, configuration);
    if (seat->role != ROLE_WORKER)
        return true;
    generation = supervisor_generation(supervisor, seat->generation);
    return generation != NULL && generation_equip(supervisor, generation, seat->process);
}

void seat_turn(struct supervisor *supervisor, struct seat *seat,
               const struct configuration *configuration, int64_t now)
{
    const struct settings *settings = &configuration->settings;
    struct process_plan plan = {.role = seat->role,
                                .slot = seat->slot,
                                .settings_fd = -1,
                                .user = seat_user(seat, settings)};

    if (seat->process != NULL || seat->closed || now < seat->fill_at ||
        !seat_is_allowed(supervisor, seat))
        return;
    seat->process = roster_spawn(supervisor, &plan);
    if (seat->process == NULL) {
        seat->fill_at = now + BACKOFF_FIRST;
        return;
    }
    seat->process->generation = seat->generation;
    if (seat->backoff.death_count > 0)
        scoreboard_count(&supervisor->work->totals, COUNT_RESPAWNS);
    (void)seat_equip(supervisor, seat, configuration);
}

int64_t seat_due(const struct seat *seat, int64_t now)
{
    if (seat->process != NULL || seat->closed)
        return INT64_MAX;
    return seat->fill_at > now ? seat->fill_at : now;
}

void seat_drain(struct process *process, int64_t deadline)
{
    (void)relay_order(process, MESSAGE_DRAIN, slice_make(NULL, 0), NULL, 0);
    process->state = PROCESS_DRAINING;
    process->deadline = deadline;
}

static void seat_log_death(const struct seat *seat, const char *death, int64_t wait)
{
    char name[32];
    int pid = (int)seat->process->pid;

    process_name(seat->process, name, sizeof(name));
    if (seat->process->state == PROCESS_DRAINING)
        log_info("process_ended", "%s (pid %d) ended: %s", name, pid, death);
    else if (wait == BACKOFF_NEVER)
        log_error("process_refused", "%s (pid %d) ended: %s; no other is started before a reload",
                  name, pid, death);
    else
        log_error("process_died", "%s (pid %d) died: %s; the next starts %s", name, pid, death,
                  wait == BACKOFF_NOW ? "now" : "later");
    if (wait > 0)
        log_warning("process_backoff", "the next %s starts in %lld ms", name, (long long)wait);
}

void seat_death(struct seat *seat, int status, int64_t now)
{
    bool drained = seat->process->state == PROCESS_DRAINING;
    int64_t wait = drained ? BACKOFF_NOW : backoff_death(&seat->backoff, status, now);
    char death[96];

    process_death(status, death, sizeof(death));
    seat_log_death(seat, death, wait);
    seat->closed = wait == BACKOFF_NEVER;
    seat->fill_at = now + wait;
    seat->process = NULL;
}
