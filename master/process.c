#include "master/process.h"

#include "master/privilege.h"
#include "master/signal.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "shared/store.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

enum { PLACED = SETTINGS_FILE_FD - CHANNEL_FD + 1, ABOVE = 16 };

/* What a child may know of master's environment. No proxy, no preload, no locale of messages; the
 * sanitizers' and the trust store's variables are the operator's own. */
static const char *const variable_names[] = {
    "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS",
};
enum { VARIABLES = sizeof(variable_names) / sizeof(variable_names[0]) };

struct variables {
    char texts[VARIABLES][512];
    char *list[VARIABLES + 1];
};

static void variables_build(struct variables *copy)
{
    size_t count = 0;

    for (size_t i = 0; i < VARIABLES; i++) {
        const char *value = getenv(variable_names[i]);
        int size;

        if (value == NULL)
            continue;
        size = snprintf(copy->texts[i], sizeof(copy->texts[i]), "%s=%s", variable_names[i], value);
        if (size > 0 && (size_t)size < sizeof(copy->texts[i]))
            copy->list[count++] = copy->texts[i];
    }
    copy->list[count] = NULL;
}

_Noreturn static void child_fail(const char *what, int error)
{
    log_error("spawn_failed", "%s: %s", what, strerror(-error));
    _exit(EX_OSERR);
}

/* Puts the descriptors at their numbers. Two steps, because a source may stand where another must
 * go. The executable's new number, or -errno. */
static int child_place(const struct process_plan *plan, int channel)
{
    int sources[PLACED] = {channel, plan->public_fd, plan->work_fd, plan->settings_fd};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int executable = fcntl(plan->executable, F_DUPFD_CLOEXEC, ABOVE);

    if (null < 0 || executable < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
        return -errno;
    for (int i = 0; i < PLACED; i++) {
        if (sources[i] >= 0)
            sources[i] = fcntl(sources[i], F_DUPFD_CLOEXEC, ABOVE);
        if (sources[i] < 0 && i == 0)
            return -errno;
    }
    for (int i = 0; i < PLACED; i++) {
        if (sources[i] < 0)
            close(CHANNEL_FD + i);
        else if (dup2(sources[i], CHANNEL_FD + i) < 0)
            return -errno;
    }
    /* Also what whoever started master left open. */
    if (close_range(CHANNEL_FD + PLACED, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
        return -errno;
    return executable;
}

/* One-shot roles have no loop that would see master's end. After the change of user, which clears
 * the setting; master may have died before it. */
static void child_follow(const struct process_plan *plan, pid_t master)
{
    if (child_role_is_service(plan->role))
        return;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        child_fail("PR_SET_PDEATHSIG", -errno);
    if (getppid() != master)
        _exit(EX_OSERR);
}

_Noreturn static void child_exec(const struct process_plan *plan, int channel, pid_t master)
{
    char slot[16], block[16], name[] = "gatehouse", path_flag[] = "--path";
    char role_flag[] = "--role", slot_flag[] = "--slot", block_flag[] = "--block", empty[] = "";
    char *arguments[] = {name,      role_flag, (char *)child_role_name(plan->role),
                         slot_flag, slot,      block_flag,
                         block,     path_flag, (char *)plan->path,
                         NULL};
    struct variables variables;
    int executable, error;

    log_identify(child_role_name(plan->role), plan->slot);
    snprintf(slot, sizeof(slot), "%d", plan->slot);
    snprintf(block, sizeof(block), "%d", plan->block);
    if (plan->path == NULL)
        arguments[7] = NULL;
    variables_build(&variables);
    executable = child_place(plan, channel);
    if (executable < 0)
        child_fail("descriptors", executable);
    error = privilege_changes(plan->user) ? privilege_drop(plan->user) : 0;
    if (error < 0)
        child_fail("change of user", error);
    error = signal_restore();
    if (error < 0)
        child_fail("signals", error);
    child_follow(plan, master);
    syscall(SYS_execveat, executable, empty, arguments, variables.list, AT_EMPTY_PATH);
    child_fail("execveat", -errno);
}

int process_spawn(const struct process_plan *plan, struct process *out)
{
    pid_t master = getpid(), pid;
    int fds[2], error = channel_pair(fds);

    if (error < 0)
        return error;
    pid = fork();
    if (pid < 0) {
        error = -errno;
        close(fds[0]);
        close(fds[1]);
        return error;
    }
    if (pid == 0)
        child_exec(plan, fds[1], master);
    close(fds[1]);
    *out = (struct process){.state = PROCESS_STARTING,
                            .role = plan->role,
                            .slot = plan->slot,
                            .pid = pid,
                            .channel = fds[0],
                            .started = clock_monotonic_milliseconds()};
    return 0;
}

void process_kill(struct process *process)
{
    if (process->pid > 0)
        kill(process->pid, SIGKILL);
    process->killed = true;
}

bool process_reap(const struct process *process, int *status)
{
    return waitpid(process->pid, status, WNOHANG) == process->pid;
}

void process_release(struct process *process)
{
    if (process->channel >= 0)
        close(process->channel);
    *process = (struct process){.state = PROCESS_FREE, .channel = -1};
}

void process_death(int status, char *out, size_t room)
{
    if (WIFSIGNALED(status)) {
        snprintf(out, room, "signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
        return;
    }
    snprintf(out, room, "exit status %d%s", WEXITSTATUS(status),
             WEXITSTATUS(status) == EXIT_STORE      ? " (the store cannot be used)"
             : WEXITSTATUS(status) == EXIT_SETTINGS ? " (the configuration is wrong)"
                                                    : "");
}

void process_name(const struct process *process, char *out, size_t room)
{
    const char *role = child_role_name(process->role);

    if (process->role == ROLE_CREATOR || process->role == ROLE_CHECKER)
        snprintf(out, room, "%s of %s", role,
                 process->slot == STORE_CONFIG ? "config" : "sessions");
    else if (process->slot >= 0)
        snprintf(out, room, "%s %d", role, process->slot);
    else
        snprintf(out, room, "%s", role);
}
