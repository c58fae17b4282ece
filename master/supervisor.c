#include "master/supervisor.h"

#include "master/log_file.h"
#include "master/notify.h"
#include "master/pid_file.h"
#include "master/privilege.h"
#include "master/reader.h"
#include "master/relay.h"
#include "master/reload.h"
#include "master/roster.h"
#include "master/signal.h"
#include "master/state_directory.h"
#include "master/ticket.h"
#include "shared/clock.h"
#include "shared/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    END_TIMEOUT = 5 * 1000, /* milliseconds for watcher and janitor to end */
    TURN_IDLE = 1000,       /* milliseconds between turns when nothing is due */
    TURN_BUSY = 20,         /* milliseconds between turns while something is */
    EVENTS = 64,
    SIGNALS = SCOREBOARD_BLOCKS, /* the signalfd in epoll's data; below: a process's place */
};

const struct configuration *supervisor_configuration(const struct supervisor *supervisor)
{
    return supervisor->current->configuration;
}

const struct settings *supervisor_settings(const struct supervisor *supervisor)
{
    return &supervisor->current->configuration->settings;
}

struct generation *supervisor_generation(struct supervisor *supervisor, unsigned number)
{
    for (int i = 0; i < 2; i++)
        if (supervisor->generations[i].state != GENERATION_NONE &&
            supervisor->generations[i].number == number)
            return &supervisor->generations[i];
    return NULL;
}

struct seat *supervisor_seat(struct supervisor *supervisor, const struct process *process)
{
    struct generation *generation = supervisor_generation(supervisor, process->generation);

    switch (process->role) {
    case ROLE_WATCHER:
        return &supervisor->watcher;
    case ROLE_JANITOR:
        return &supervisor->janitor;
    case ROLE_BRIDGE:
        return &supervisor->bridging.bridge;
    case ROLE_LAUNCHER:
        return &supervisor->bridging.launcher;
    case ROLE_WORKER:
        return generation == NULL ? NULL : &generation->seats[process->slot];
    default:
        return NULL;
    }
}

void supervisor_fail(struct supervisor *supervisor, int status, const char *reason)
{
    if (supervisor->phase == PHASE_FORCED)
        return;
    log_error("start_failed", "%s", reason);
    supervisor->phase = PHASE_FORCED;
    supervisor->exit_status = status;
    roster_kill(supervisor, ROLES);
}

static int supervisor_open_log(struct supervisor *supervisor, const struct settings *settings)
{
    int fd = log_file_open(settings->log_output, supervisor->original_log);

    if (fd < 0) {
        log_error("log_failed", "%.*s: %s", (int)settings->log_output.size,
                  settings->log_output.data, strerror(-fd));
        return fd;
    }
    for (size_t i = 0; i < SCOREBOARD_BLOCKS; i++) {
        struct process *process = &supervisor->processes[i];

        if (process->state != PROCESS_FREE && child_role_is_service(process->role))
            (void)relay_order(process, MESSAGE_LOG, slice_make(NULL, 0), &fd, 1);
    }
    log_configure(settings->log_level, settings->log_format);
    return log_reopen(fd);
}

void supervisor_reopen_logs(struct supervisor *supervisor)
{
    (void)supervisor_open_log(supervisor, supervisor_settings(supervisor));
    for (int i = 0; i < 2; i++)
        generation_reopen_audit(&supervisor->generations[i], supervisor->original_log);
}

static int supervisor_open_boards(struct supervisor *supervisor, const struct settings *settings)
{
    int error = scoreboard_create(privilege_uid(&settings->watcher_user), &supervisor->public_fd,
                                  &supervisor->work_fd);

    if (error < 0)
        return error;
    supervisor->public_read_fd = scoreboard_reopen_read_only(supervisor->public_fd);
    if (supervisor->public_read_fd < 0)
        return supervisor->public_read_fd;
    error = scoreboard_map_work(supervisor->work_fd, &supervisor->work);
    if (error < 0)
        return error;
    atomic_store(&supervisor->work->totals.role, ROLE_MASTER);
    atomic_store(&supervisor->work->totals.slot, -1);
    atomic_store(&supervisor->work->totals.pid, (int32_t)getpid());
    return 0;
}

/* Everything that needs the settings and may refuse them. */
static int supervisor_prepare(struct supervisor *supervisor, struct configuration *configuration,
                              char reason[CONFIGURATION_REASON])
{
    const struct settings *settings = &configuration->settings;
    const char *what = "log";
    int error = supervisor_open_log(supervisor, settings);

    if (error == 0) {
        what = "scoreboards";
        error = supervisor_open_boards(supervisor, settings);
    }
    if (error == 0) {
        what = "random numbers";
        error = ticket_renew(&supervisor->ticket_keys);
    }
    if (error == 0)
        error = state_directory_prepare(settings, &what);
    if (error == 0)
        error = bridging_open(&supervisor->bridging, settings, &what);
    if (error < 0) {
        snprintf(reason, CONFIGURATION_REASON, "%s: %s", what, strerror(-error));
        return error;
    }
    return generation_open(supervisor->current, ++supervisor->generation_number, configuration,
                           NULL, reason);
}

void supervisor_begin(struct supervisor *supervisor, struct configuration *configuration)
{
    char reason[CONFIGURATION_REASON];

    if (supervisor_prepare(supervisor, configuration, reason) < 0) {
        configuration_free(configuration);
        supervisor_fail(supervisor, EX_UNAVAILABLE, reason);
        return;
    }
    privilege_report(supervisor_settings(supervisor));
    for (size_t i = 0; i < supervisor->current->listeners.count; i++) {
        const struct listener *listener = &supervisor->current->listeners.listeners[i];
        char address[80];

        listener_text(listener, address, sizeof(address));
        log_info("listening", "%s%s", address, listener->admin ? " (admin)" : "");
    }
    supervisor->tickets_until = clock_monotonic_milliseconds() + TICKET_LIFE;
    supervisor->phase = PHASE_STARTING;
}

/* While the service starts, a watcher that does not come up, or anybody who refuses the
 * configuration, ends it: nothing was served yet, and whoever started it is looking. */
static void supervisor_judge_start(struct supervisor *supervisor, const struct process *process,
                                   const struct seat *seat, int status)
{
    bool early_watcher = process->role == ROLE_WATCHER && !seat->backoff.proven;
    bool store = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_STORE;
    char reason[96], name[32];

    if (supervisor->phase != PHASE_STARTING)
        return;
    if (!seat->closed && (!early_watcher || (store && seat->backoff.death_count == 1)))
        return;
    process_name(process, name, sizeof(name));
    snprintf(reason, sizeof(reason), "the %s did not come up", name);
    supervisor_fail(supervisor, WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE, reason);
}

static void supervisor_service_death(struct supervisor *supervisor, struct process *process,
                                     int status, int64_t now)
{
    struct generation *generation = supervisor_generation(supervisor, process->generation);
    bool crash;
    struct seat *seat = supervisor_seat(supervisor, process);

    /* Who hangs may wait for a mutex in a lock file, which a worker can hold for ever. */
    if (environment_is_accused(status, &crash) || process->silent)
        environment_suspect(supervisor, process->role, crash || process->silent, now);
    if (process->role == ROLE_WORKER)
        generation_worker_death(generation, process->slot, status, now);
    else
        seat_death(seat, status, now);
    bridging_death(supervisor, process->role);
    supervisor_judge_start(supervisor, process, seat, status);
    /* A dead reader of LMDB would keep its snapshot's pages from being used again. */
    relay_hint(supervisor->watcher.process, MESSAGE_READER_CHECK, slice_make(NULL, 0));
    relay_hint(supervisor->janitor.process, MESSAGE_READER_CHECK, slice_make(NULL, 0));
}

static void supervisor_reap(struct supervisor *supervisor, int64_t now)
{
    struct process *process;
    int status;

    while ((process = roster_next_dead(supervisor, &status)) != NULL) {
        if (process->role == ROLE_READER || process->role == ROLE_COLLECTOR)
            reader_exit(supervisor, process->role, status, now);
        else if (process->role == ROLE_CREATOR || process->role == ROLE_CHECKER)
            environment_exit(supervisor, &supervisor->environments[process->slot], status, now);
        else
            supervisor_service_death(supervisor, process, status, now);
        roster_release(supervisor, process);
    }
}

static void supervisor_drain(struct supervisor *supervisor, int64_t now)
{
    int64_t deadline = now + (int64_t)supervisor_settings(supervisor)->limits.drain_timeout;

    log_info("draining", "stopping: %zu workers have %lld ms for what runs",
             roster_count(supervisor, ROLE_WORKER), (long long)(deadline - now));
    notify_send("STOPPING=1");
    supervisor->phase = PHASE_DRAINING;
    roster_kill(supervisor, ROLE_READER);
    roster_kill(supervisor, ROLE_COLLECTOR);
    roster_kill(supervisor, ROLE_CREATOR);
    roster_kill(supervisor, ROLE_CHECKER);
    for (int i = 0; i < 2; i++)
        if (supervisor->generations[i].state == GENERATION_STARTING ||
            supervisor->generations[i].state == GENERATION_SERVING)
            generation_drain(&supervisor->generations[i], deadline);
}

static void supervisor_stop(struct supervisor *supervisor, int64_t now)
{
    if (supervisor->phase == PHASE_SERVING) {
        supervisor_drain(supervisor, now);
        return;
    }
    if (supervisor->phase != PHASE_FORCED)
        log_warning("forced", "stopping at once");
    supervisor->phase = PHASE_FORCED;
    roster_kill(supervisor, ROLES);
}

static void supervisor_signals(struct supervisor *supervisor, int64_t now)
{
    int number;

    while ((number = signal_next(supervisor->signals)) != 0) {
        if (number == SIGTERM || number == SIGINT)
            supervisor_stop(supervisor, now);
        else if (number == SIGHUP)
            reload_want(supervisor);
        else if (number == SIGUSR1 && supervisor->phase == PHASE_SERVING)
            supervisor_reopen_logs(supervisor);
    }
}

static void supervisor_renew_tickets(struct supervisor *supervisor, int64_t now)
{
    struct slice keys =
        slice_make((const char *)&supervisor->ticket_keys, sizeof(supervisor->ticket_keys));

    if (now < supervisor->tickets_until)
        return;
    supervisor->tickets_until = now + TICKET_LIFE;
    if (ticket_renew(&supervisor->ticket_keys) < 0)
        return;
    for (size_t i = 0; i < SCOREBOARD_BLOCKS; i++)
        if (supervisor->processes[i].role == ROLE_WORKER)
            (void)relay_order(&supervisor->processes[i], MESSAGE_TICKET_KEYS, keys, NULL, 0);
}

static void supervisor_announce(struct supervisor *supervisor)
{
    const struct settings *settings = supervisor_settings(supervisor);

    supervisor->phase = PHASE_SERVING;
    supervisor->current->state = GENERATION_SERVING;
    log_info("ready", "READY: serving %.*s with %zu worker%s", (int)settings->public_addr.size,
             settings->public_addr.data, settings->workers, settings->workers == 1 ? "" : "s");
    notify_send("READY=1");
}

static void supervisor_serve(struct supervisor *supervisor, int64_t now)
{
    for (int i = 0; i < 2; i++)
        environment_turn(supervisor, &supervisor->environments[i], now);
    if (supervisor->phase == PHASE_FORCED)
        return;
    seat_turn(supervisor, &supervisor->watcher, supervisor_configuration(supervisor), now);
    seat_turn(supervisor, &supervisor->janitor, supervisor_configuration(supervisor), now);
    bridging_turn(supervisor, now);
    for (int i = 0; i < 2; i++)
        generation_turn(supervisor, &supervisor->generations[i], now);
    supervisor_renew_tickets(supervisor, now);
    if (supervisor->phase == PHASE_SERVING)
        reload_turn(supervisor, now);
    else if (supervisor->watcher.backoff.ready && supervisor->janitor.backoff.ready &&
             generation_is_ready(supervisor->current) && bridging_is_ready(supervisor))
        supervisor_announce(supervisor);
}

/* The bridge before the launcher, which ends what the bridge let go of; the janitor last: it syncs
 * what the workers wrote. */
static void supervisor_end(struct supervisor *supervisor, int64_t now)
{
    struct process *last[] = {supervisor->bridging.bridge.process,
                              supervisor->bridging.launcher.process, supervisor->watcher.process,
                              supervisor->janitor.process};

    for (size_t i = 0; i < sizeof(last) / sizeof(last[0]); i++) {
        if (last[i] == NULL)
            continue;
        if (last[i]->state != PROCESS_DRAINING)
            seat_drain(last[i], now + END_TIMEOUT + bridging_patience(supervisor, last[i]));
        return;
    }
    if (roster_count(supervisor, ROLES) == 0)
        supervisor->phase = PHASE_OVER;
}

static void supervisor_turn(struct supervisor *supervisor, int64_t now)
{
    supervisor_reap(supervisor, now);
    roster_watch(supervisor, now);
    switch (supervisor->phase) {
    case PHASE_STARTING:
    case PHASE_SERVING:
        supervisor_serve(supervisor, now);
        break;
    case PHASE_DRAINING:
        if (roster_count(supervisor, ROLE_WORKER) == 0)
            supervisor->phase = PHASE_ENDING;
        break;
    case PHASE_ENDING:
        supervisor_end(supervisor, now);
        break;
    case PHASE_FORCED:
        if (roster_count(supervisor, ROLES) == 0)
            supervisor->phase = PHASE_OVER;
        break;
    case PHASE_READING:
    case PHASE_OVER:
        break;
    }
}

/* Milliseconds until something may be due that no event announces. */
static int supervisor_wait(const struct supervisor *supervisor, int64_t now)
{
    int64_t due = roster_deadline(supervisor);

    if (supervisor->phase != PHASE_SERVING || supervisor->reload_wanted)
        return TURN_BUSY;
    for (int i = 0; i < 2; i++) {
        int64_t generation = generation_due(&supervisor->generations[i], now);

        if (supervisor->environments[i].state != ENVIRONMENT_SOUND)
            return TURN_BUSY;
        due = generation < due ? generation : due;
    }
    if (seat_due(&supervisor->watcher, now) < due)
        due = seat_due(&supervisor->watcher, now);
    if (seat_due(&supervisor->janitor, now) < due)
        due = seat_due(&supervisor->janitor, now);
    if (bridging_due(supervisor, now) < due)
        due = bridging_due(supervisor, now);
    if (due - now > TURN_IDLE)
        return TURN_IDLE;
    return due - now < TURN_BUSY ? TURN_BUSY : (int)(due - now);
}

static void supervisor_loop(struct supervisor *supervisor)
{
    struct epoll_event events[EVENTS];

    while (supervisor->phase != PHASE_OVER) {
        int count = epoll_wait(supervisor->epoll, events, EVENTS,
                               supervisor_wait(supervisor, clock_monotonic_milliseconds()));
        int64_t now = clock_monotonic_milliseconds();

        for (int i = 0; i < count; i++) {
            uint32_t place = events[i].data.u32;

            if (place == SIGNALS)
                supervisor_signals(supervisor, now);
            else if (supervisor->processes[place].state != PROCESS_FREE)
                relay_read(supervisor, &supervisor->processes[place]);
        }
        supervisor_turn(supervisor, now);
    }
}

/* Workers inherit the limit, and descriptors in flight to them count against it (unix(7)). */
static void supervisor_raise_limits(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int supervisor_open(struct supervisor *supervisor)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = SIGNALS};

    supervisor_raise_limits();
    umask(027);
    supervisor->original_log = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    supervisor->executable = open("/proc/self/exe", O_PATH | O_CLOEXEC);
    supervisor->signals = signal_open();
    supervisor->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (supervisor->original_log < 0 || supervisor->executable < 0 || supervisor->signals < 0 ||
        supervisor->epoll < 0 ||
        epoll_ctl(supervisor->epoll, EPOLL_CTL_ADD, supervisor->signals, &event) < 0)
        return -errno;
    return 0;
}

static void supervisor_init(struct supervisor *supervisor, const char *path)
{
    *supervisor = (struct supervisor){.phase = PHASE_READING, .path = path, .settings_file = -1};
    supervisor->last_turn = clock_monotonic_milliseconds();
    supervisor->current = &supervisor->generations[0];
    supervisor->other = &supervisor->generations[1];
    supervisor->watcher = (struct seat){.role = ROLE_WATCHER, .slot = -1};
    supervisor->janitor = (struct seat){.role = ROLE_JANITOR, .slot = -1};
    bridging_init(&supervisor->bridging);
    environment_init(&supervisor->environments[0], STORE_CONFIG);
    environment_init(&supervisor->environments[1], STORE_SESSIONS);
    for (size_t i = 0; i < SCOREBOARD_BLOCKS; i++)
        supervisor->processes[i].channel = -1;
}

int supervisor_run(const char *path)
{
    static struct supervisor supervisor; /* large, and one a process */
    int status;

    log_identify(child_role_name(ROLE_MASTER), -1);
    supervisor_init(&supervisor, path);
    if (supervisor_open(&supervisor) < 0) {
        log_error("start_failed", "%s", strerror(errno));
        return EX_OSERR;
    }
    if (reader_start(&supervisor) < 0)
        return EX_NOINPUT;
    supervisor_loop(&supervisor);
    status = supervisor.exit_status;
    pid_file_clear();
    log_info("ended", "exit status %d", status);
    for (int i = 0; i < 2; i++)
        configuration_free(supervisor.generations[i].configuration);
    configuration_free(supervisor.candidate);
    return status;
}
