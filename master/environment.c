#include "master/environment.h"

#include "master/relay.h"
#include "master/roster.h"
#include "master/state_directory.h"
#include "master/supervisor.h"
#include "shared/log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <sysexits.h>

enum {
    CREATE_TIMEOUT = 30 * 1000,     /* milliseconds */
    CHECK_TIMEOUT = 10 * 60 * 1000, /* milliseconds: it reads every page from disk */
    RETRY_WAIT = 2 * 1000,          /* milliseconds */
    CRASH_AGAIN = 10 * 1000,        /* milliseconds between checks after crashes */
    SUSPECT_AGAIN = 2 * 60 * 1000,  /* milliseconds; longer than a hang takes to be seen twice */
};

static const char *environment_name(const struct environment *environment)
{
    return environment->which == STORE_CONFIG ? "config" : "sessions";
}

void environment_init(struct environment *environment, enum store_environment which)
{
    *environment = (struct environment){.which = which, .state = ENVIRONMENT_UNKNOWN};
}

bool environment_is_used_by(enum store_environment which, enum child_role role)
{
    if (which == STORE_CONFIG)
        return role == ROLE_WATCHER || role == ROLE_WORKER;
    return role == ROLE_JANITOR || role == ROLE_WORKER;
}

bool environment_allows(const struct supervisor *supervisor, enum child_role role)
{
    for (int i = 0; i < 2; i++) {
        const struct environment *environment = &supervisor->environments[i];
        bool open = environment->state == ENVIRONMENT_SOUND ||
                    (environment->state == ENVIRONMENT_CHECKING && environment->crash);

        if (environment_is_used_by((enum store_environment)i, role) && !open)
            return false;
    }
    return true;
}

static bool environment_is_open(const struct supervisor *supervisor, enum store_environment which)
{
    for (size_t i = 0; i < SCOREBOARD_BLOCKS; i++)
        if (supervisor->processes[i].state != PROCESS_FREE &&
            environment_is_used_by(which, supervisor->processes[i].role))
            return true;
    return false;
}

/* At start there is nobody to serve without it; later the others go on, and it is tried again. */
static void environment_give_up(struct supervisor *supervisor, struct environment *environment,
                                const char *what, int64_t now)
{
    char reason[192];

    snprintf(reason, sizeof(reason), "the %s environment: %s", environment_name(environment), what);
    if (supervisor->phase == PHASE_STARTING) {
        supervisor_fail(supervisor, EXIT_STORE, reason);
        return;
    }
    log_error("environment_failed", "%s; trying again", reason);
    /* A check that could not be made proves nothing, and those who have it open go on. */
    environment->state = environment_is_open(supervisor, environment->which) ? ENVIRONMENT_SOUND
                                                                             : ENVIRONMENT_EVICTING;
    environment->retry_at = now + RETRY_WAIT;
}

static void environment_blame(struct supervisor *supervisor, struct environment *environment,
                              const char *whom, int status, int64_t now)
{
    char death[96], what[128];

    process_death(status, death, sizeof(death));
    snprintf(what, sizeof(what), "its %s failed: %s", whom, death);
    environment_give_up(supervisor, environment, what, now);
}

static void environment_start(struct supervisor *supervisor, struct environment *environment,
                              enum child_role role, int64_t now)
{
    const struct configuration *configuration = supervisor_configuration(supervisor);
    const struct settings *settings = &configuration->settings;
    struct process_plan plan = {.role = role,
                                .slot = (int)environment->which,
                                .settings_fd = -1,
                                .user = environment->which == STORE_CONFIG
                                            ? &settings->watcher_user
                                            : &settings->worker_user};

    environment->process = roster_spawn(supervisor, &plan);
    if (environment->process == NULL) {
        environment_give_up(supervisor, environment, "its process cannot be started", now);
        return;
    }
    environment->state = role == ROLE_CHECKER ? ENVIRONMENT_CHECKING : ENVIRONMENT_CREATING;
    environment->process->deadline = now + (role == ROLE_CHECKER ? CHECK_TIMEOUT : CREATE_TIMEOUT);
    (void)relay_order(environment->process, MESSAGE_SETTINGS, buffer_slice(&configuration->message),
                      NULL, 0);
}

/* Takes the environment from all who have it open. */
static void environment_evict(struct supervisor *supervisor, struct environment *environment,
                              bool retire)
{
    environment->state = ENVIRONMENT_EVICTING;
    environment->retire = retire;
    environment->retry_at = 0;
    for (size_t i = 0; i < SCOREBOARD_BLOCKS; i++) {
        struct process *process = &supervisor->processes[i];

        if (process->state != PROCESS_FREE &&
            environment_is_used_by(environment->which, process->role))
            process_kill(process);
    }
}

static bool environment_retire(struct supervisor *supervisor, struct environment *environment,
                               int64_t now)
{
    char moved[64], what[128];
    int error = state_directory_retire(supervisor_settings(supervisor), environment->which, moved,
                                       sizeof(moved));

    if (error < 0) {
        snprintf(what, sizeof(what), "it is unsound and cannot be moved aside: %s",
                 strerror(-error));
        environment_give_up(supervisor, environment, what, now);
        return false;
    }
    environment->retire = false;
    environment->retired = true;
    log_error("environment_corrupt",
              "THE %s ENVIRONMENT CANNOT BE USED: moved aside as %s, making a new one%s",
              environment->which == STORE_CONFIG ? "CONFIG" : "SESSIONS", moved,
              environment->which == STORE_CONFIG
                  ? "; revocations made by command are lost: make them again"
                  : "");
    return true;
}

void environment_turn(struct supervisor *supervisor, struct environment *environment, int64_t now)
{
    if (environment->process != NULL)
        return;
    switch (environment->state) {
    case ENVIRONMENT_UNKNOWN:
        environment_start(supervisor, environment,
                          state_directory_has(supervisor_settings(supervisor), environment->which)
                              ? ROLE_CHECKER
                              : ROLE_CREATOR,
                          now);
        break;
    case ENVIRONMENT_CHECKING: /* suspected */
        environment_start(supervisor, environment, ROLE_CHECKER, now);
        break;
    case ENVIRONMENT_EVICTING:
        if (now < environment->retry_at || environment_is_open(supervisor, environment->which))
            break;
        if (environment->alone)
            environment_start(supervisor, environment, ROLE_CHECKER, now);
        else if (!environment->retire || environment_retire(supervisor, environment, now))
            environment_start(supervisor, environment, ROLE_CREATOR, now);
        break;
    case ENVIRONMENT_CREATING:
    case ENVIRONMENT_SOUND:
        break;
    }
}

bool environment_is_accused(int status, bool *crash)
{
    /* Pages that lead nowhere, or LMDB's own assertions. */
    *crash = WIFSIGNALED(status) && (WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS ||
                                     WTERMSIG(status) == SIGABRT || WTERMSIG(status) == SIGFPE);
    return *crash || (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_STORE);
}

void environment_suspect(struct supervisor *supervisor, enum child_role role, bool crash,
                         int64_t now)
{
    for (int i = 0; i < 2; i++) {
        struct environment *environment = &supervisor->environments[i];

        if (!environment_is_used_by((enum store_environment)i, role) ||
            (environment->state == ENVIRONMENT_CHECKING && crash))
            continue;
        if (environment->state == ENVIRONMENT_CHECKING)
            environment->crash = false;
        if (environment->state != ENVIRONMENT_SOUND ||
            (crash && environment->checked != 0 && now - environment->checked < CRASH_AGAIN))
            continue;
        environment->crash = crash;
        log_warning("environment_suspected", "the %s environment is checked",
                    environment_name(environment));
        environment->state = ENVIRONMENT_CHECKING;
    }
}

static void environment_checked(struct supervisor *supervisor, struct environment *environment,
                                int status, int64_t now)
{
    /* A damaged page kills who reads it: as good a "no" as exit status 70. SIGKILL is master's
     * own, or the kernel's for want of memory: nothing was proven. */
    bool unsound =
        WIFSIGNALED(status) ? WTERMSIG(status) != SIGKILL : WEXITSTATUS(status) == EXIT_STORE;
    bool alone = environment->alone || supervisor->phase == PHASE_STARTING;
    bool crash = environment->crash;

    environment->alone = environment->crash = false;
    environment->checked = now;
    if (unsound && alone) {
        environment_evict(supervisor, environment, true);
    } else if (unsound) {
        log_warning("environment_doubted",
                    "the %s environment or its lock file is damaged: all who use it end",
                    environment_name(environment));
        environment->alone = true;
        environment_evict(supervisor, environment, false);
    } else if (status != 0) {
        environment->alone = alone;
        environment_blame(supervisor, environment, "checker", status, now);
    } else if (alone) {
        environment_start(supervisor, environment, ROLE_CREATOR, now);
    } else if (crash) {
        environment->state = ENVIRONMENT_SOUND;
    } else if (environment->cleared != 0 && now - environment->cleared < SUSPECT_AGAIN) {
        /* Sound pages, and yet its users cannot go on: the lock file, which any of them can
         * write, is in doubt. LMDB makes it anew for the first who opens after all are gone. */
        log_warning("environment_reopened", "the %s environment is sound but suspected again",
                    environment_name(environment));
        environment->cleared = 0;
        environment_evict(supervisor, environment, false);
    } else {
        environment->cleared = now;
        environment->state = ENVIRONMENT_SOUND;
    }
}

static void environment_created(struct supervisor *supervisor, struct environment *environment,
                                int status, int64_t now)
{
    if (status == 0) {
        environment->state = ENVIRONMENT_SOUND;
        environment->retired = false;
    } else if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_STORE && !environment->retired) {
        environment_evict(supervisor, environment, true);
    } else {
        environment_blame(supervisor, environment, "creator", status, now);
    }
}

void environment_exit(struct supervisor *supervisor, struct environment *environment, int status,
                      int64_t now)
{
    environment->process = NULL;
    if (supervisor->phase != PHASE_STARTING && supervisor->phase != PHASE_SERVING)
        return;
    if (environment->state == ENVIRONMENT_CHECKING)
        environment_checked(supervisor, environment, status, now);
    else if (environment->state == ENVIRONMENT_CREATING)
        environment_created(supervisor, environment, status, now);
}
