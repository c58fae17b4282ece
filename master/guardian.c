#include "master/guardian.h"

#include "master/descendants.h"
#include "master/privilege.h"
#include "master/server.h"
#include "master/signal.h"
#include "shared/child.h"
#include "shared/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    ORDER_TIMEOUT = 10 * 1000, /* milliseconds for the launcher to say what to start */
    LINGER = 500,    /* milliseconds that what a server left behind has, from SIGTERM on */
    KILL_EVERY = 20, /* milliseconds between two rounds of SIGKILL */
};

struct guardian {
    int channel, signals; /* channel: -1 when the launcher is gone */
    bool enclosed;        /* init of a PID namespace */
    pid_t server;
    bool served;              /* the server itself has ended */
    int status;               /* then: as waitpid gives it */
    int64_t term_at, kill_at; /* monotonic milliseconds; INT64_MAX: not */
    struct arena arena;
};

_Noreturn static void guardian_give_up(const char *what, int error)
{
    log_error("guardian_failed", "%s: %s", what, strerror(-error));
    _exit(EX_OSERR);
}

/* Only the channel and the log come along. */
static int guardian_place(int channel)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
        return -errno;
    if (channel != CHANNEL_FD ? dup2(channel, CHANNEL_FD) < 0 : fcntl(channel, F_SETFD, 0) < 0)
        return -errno;
    return close_range(CHANNEL_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC) < 0 ? -errno : 0;
}

_Noreturn void guardian_become(const struct enclosure *enclosure, const struct settings_user *user,
                               int channel, int executable)
{
    char name[] = "gatehouse", role[] = "--role", guardian[] = "guardian", empty[] = "";
    char *arguments[] = {name, role, guardian, NULL};
    int death = enclosure->flags == 0 ? SIGTERM : SIGKILL;
    int error = enclosure_enter(enclosure);

    log_identify("guardian", -1);
    if (error < 0)
        guardian_give_up("namespaces", error);
    error = privilege_changes(user) ? privilege_drop(user) : geteuid() == 0 ? -EPERM : 0;
    if (error < 0)
        guardian_give_up("change of user", error);
    /* After the change of user, which clears it. A subreaper is only told: it must kill the others
     * first. A launcher that died before this is seen by the channel's end. */
    if (prctl(PR_SET_PDEATHSIG, death, 0, 0, 0) < 0)
        guardian_give_up("PR_SET_PDEATHSIG", -errno);
    error = guardian_place(channel);
    if (error == 0)
        error = signal_restore();
    if (error < 0)
        guardian_give_up("descriptors and signals", error);
    syscall(SYS_execveat, executable, empty, arguments, environ, AT_EMPTY_PATH);
    guardian_give_up("execveat", -errno);
}

static void guardian_tell(struct guardian *guardian, enum message_type type, const void *payload,
                          size_t size)
{
    if (guardian->channel >= 0)
        (void)channel_send(guardian->channel, type, slice_make(payload, size), NULL, 0);
}

/* What it started with dies with it (server.c), and the rest within the next rounds. */
static void guardian_kill(struct guardian *guardian)
{
    if (guardian->enclosed)
        kill(-1, SIGKILL);
    else
        descendants_signal(SIGKILL, NULL, NULL);
}

static void guardian_terminate(struct guardian *guardian)
{
    if (guardian->enclosed) {
        kill(-1, SIGTERM);
        return;
    }
    kill(-guardian->server, SIGTERM);
    descendants_signal(SIGTERM, NULL, NULL);
}

/* The earlier of what was decided before and this. */
static void guardian_end_by(struct guardian *guardian, int64_t term_at, int64_t kill_at)
{
    if (term_at < guardian->term_at)
        guardian->term_at = term_at;
    if (kill_at < guardian->kill_at)
        guardian->kill_at = kill_at;
}

static void guardian_abandoned(struct guardian *guardian)
{
    if (guardian->channel >= 0)
        close(guardian->channel);
    guardian->channel = -1;
    guardian_end_by(guardian, INT64_MAX, clock_monotonic_milliseconds());
}

static void guardian_read(struct guardian *guardian)
{
    struct message message;
    struct message_guard_stop stop;
    int received;

    while (guardian->channel >= 0 &&
           (received = channel_receive(guardian->channel, &message)) != 0) {
        if (received > 0 && message.type == MESSAGE_GUARD_STOP) {
            int64_t now = clock_monotonic_milliseconds();

            memcpy(&stop, message.payload.data, sizeof(stop));
            guardian_end_by(guardian, now + stop.term, now + stop.term + stop.kill);
        } else {
            guardian_abandoned(guardian);
        }
        if (received > 0)
            message_close(&message);
    }
}

/* Also of what was orphaned. false: there is no child left. */
static bool guardian_reap(struct guardian *guardian)
{
    int64_t now = clock_monotonic_milliseconds();
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == guardian->server) {
            guardian->served = true;
            guardian->status = status;
            guardian_end_by(guardian, now, now + LINGER);
        }
    return pid == 0;
}

static int guardian_wait(const struct guardian *guardian)
{
    int64_t now = clock_monotonic_milliseconds();
    int64_t due = guardian->term_at < guardian->kill_at ? guardian->term_at : guardian->kill_at;

    if (due == INT64_MAX)
        return -1;
    return due <= now ? KILL_EVERY : due - now > 60 * 1000 ? 60 * 1000 : (int)(due - now);
}

static void guardian_signals(struct guardian *guardian)
{
    struct signalfd_siginfo info;

    while (read(guardian->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
        if (info.ssi_signo == SIGTERM) /* the launcher died */
            guardian_abandoned(guardian);
}

static void guardian_watch(struct guardian *guardian)
{
    while (guardian_reap(guardian)) {
        struct pollfd polls[2] = {{.fd = guardian->signals, .events = POLLIN},
                                  {.fd = guardian->channel, .events = POLLIN}};
        int64_t now = clock_monotonic_milliseconds();

        if (now >= guardian->kill_at) {
            guardian_kill(guardian);
        } else if (now >= guardian->term_at) {
            guardian_terminate(guardian);
            guardian->term_at = INT64_MAX;
        }
        (void)poll(polls, 2, guardian_wait(guardian));
        guardian_signals(guardian);
        guardian_read(guardian);
    }
}

/* The launcher's order; its descriptors are the message's. false: there is none. */
static bool guardian_await(struct guardian *guardian, struct stdio_app *app,
                           struct message *message)
{
    struct pollfd polls = {.fd = guardian->channel, .events = POLLIN};

    return poll(&polls, 1, ORDER_TIMEOUT) == 1 &&
           channel_receive(guardian->channel, message) == 1 && message->type == MESSAGE_GUARD &&
           stdio_app_decode(message->payload, &guardian->arena, app) == 0;
}

static bool guardian_start(struct guardian *guardian)
{
    static struct stdio_app app;
    struct message_guard_started started = {0};
    struct message message = {.fds = {-1, -1, -1, -1}};
    enum guard_stage stage = GUARD_RUNS;
    pid_t pid;

    if (!guardian_await(guardian, &app, &message))
        return false;
    pid = server_start(&app, message.fds, &stage);
    message_close(&message);
    arena_free(&guardian->arena);
    if (pid < 0)
        started = (struct message_guard_started){.error = (int32_t)pid, .stage = (uint32_t)stage};
    guardian->server = pid;
    guardian_tell(guardian, MESSAGE_GUARD_STARTED, &started, sizeof(started));
    return pid > 0;
}

static int guardian_open(struct guardian *guardian)
{
    sigset_t signals;
    int flags = fcntl(guardian->channel, F_GETFL);

    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGTERM);
    signal(SIGPIPE, SIG_IGN);
    if (flags < 0 || fcntl(guardian->channel, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(guardian->channel, F_SETFD, FD_CLOEXEC) < 0 ||
        sigprocmask(SIG_SETMASK, &signals, NULL) < 0 ||
        (!guardian->enclosed && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0))
        return -errno;
    guardian->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return guardian->signals < 0 ? -errno : 0;
}

int guardian_main(int argc, char **argv)
{
    struct guardian guardian = {.channel = CHANNEL_FD,
                                .enclosed = getpid() == 1,
                                .term_at = INT64_MAX,
                                .kill_at = INT64_MAX};
    int32_t status;
    int error;

    (void)argc;
    (void)argv;
    log_identify("guardian", -1);
    child_harden();
    error = guardian_open(&guardian);
    if (error < 0)
        guardian_give_up("signals", error);
    if (!guardian_start(&guardian))
        return EXIT_FAILURE;
    guardian_watch(&guardian);
    status = guardian.status;
    guardian_tell(&guardian, MESSAGE_GUARD_ENDED, &status, sizeof(status));
    return EXIT_SUCCESS;
}
