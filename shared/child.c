#include "shared/child.h"

#include "shared/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

enum { SETTINGS_WAIT = 10 * 1000 }; /* milliseconds */

static const char *const role_names[ROLES] = {"master",  "reader",   "creator", "checker",
                                              "watcher", "janitor",  "worker",  "collector",
                                              "bridge",  "launcher", "guardian"};

const char *child_role_name(enum child_role role)
{
    return role < ROLES ? role_names[role] : "unknown";
}

_Noreturn static void child_fail(const char *what, int error)
{
    log_error("start_failed", "%s: %s", what, strerror(-error));
    exit(EX_OSERR);
}

/* Reader, creator and the like do one thing and exit: no board shows them. */
bool child_role_is_service(enum child_role role)
{
    return role == ROLE_WATCHER || role == ROLE_JANITOR || role == ROLE_WORKER ||
           role == ROLE_BRIDGE || role == ROLE_LAUNCHER;
}

static enum child_role parse_role(const char *name)
{
    for (int role = ROLE_READER; role < ROLES; role++)
        if (strcmp(name, role_names[role]) == 0)
            return (enum child_role)role;
    log_error("start_failed", "unknown role");
    exit(EX_USAGE);
}

static long parse_number(const char *text)
{
    char *end;
    long number = strtol(text, &end, 10);

    if (*text == '\0' || *end != '\0' || number < -1 || number > 1000000) {
        log_error("start_failed", "a number of the command line is out of range");
        exit(EX_USAGE);
    }
    return number;
}

/* The block's number, or -1. */
static long child_parse(int argc, char **argv, struct child *child)
{
    long block = -1;

    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--role") == 0)
            child->role = parse_role(argv[i + 1]);
        else if (strcmp(argv[i], "--slot") == 0)
            child->slot = (int)parse_number(argv[i + 1]);
        else if (strcmp(argv[i], "--block") == 0)
            block = parse_number(argv[i + 1]);
    }
    if (child->role == ROLE_MASTER ||
        child_role_is_service(child->role) != (block >= 0 && block < SCOREBOARD_BLOCKS)) {
        log_error("start_failed", "this is not how master starts a child");
        exit(EX_USAGE);
    }
    return block;
}

/* Orders come by the channel alone: a terminal's Ctrl-C goes to the whole process group, and would
 * otherwise end the workers before master could drain them. SIGCHLD is nobody's here. */
static void child_block_signals(void)
{
    sigset_t signals;

    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is a full disk: EFBIG */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGUSR1);
    if (sigprocmask(SIG_SETMASK, &signals, NULL) < 0)
        child_fail("sigprocmask", -errno);
}

#if defined(__has_feature)
#define CHILD_HAS_FEATURE(feature) __has_feature(feature)
#else
#define CHILD_HAS_FEATURE(feature) 0
#endif

void child_harden(void)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        child_fail("PR_SET_NO_NEW_PRIVS", -errno);
#if !defined(__SANITIZE_ADDRESS__) && !CHILD_HAS_FEATURE(address_sanitizer)
    /* No core with keys in it, no ptrace by the same user. The leak check of AddressSanitizer is a
     * ptrace by the same user, so a build with it, and only that, does without. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        child_fail("PR_SET_DUMPABLE", -errno);
#endif
}

static void child_map_boards(struct child *child, long block)
{
    static struct scoreboard_block unseen; /* for roles without a block: counts go nowhere */
    struct scoreboard_public *public;
    int error;

    if (!child_role_is_service(child->role)) {
        child->block = &unseen;
        return;
    }
    error = scoreboard_map_public(PUBLIC_FD, 0, &public);
    if (error < 0)
        child_fail("public scoreboard", error);
    child->public = public;
    error = scoreboard_map_work(WORK_FD, &child->work);
    if (error < 0)
        child_fail("work scoreboard", error);
    child->block = &child->work->blocks[block];
    atomic_store(&child->block->role, (int32_t)child->role);
    atomic_store(&child->block->slot, child->slot);
    child_heartbeat(child);
    atomic_store(&child->block->pid, (int32_t)getpid());
}

static void child_await_settings(struct child *child)
{
    int64_t deadline = clock_monotonic_milliseconds() + SETTINGS_WAIT;

    while (child->settings.path.size == 0) {
        struct pollfd channel = {.fd = child->channel, .events = POLLIN};
        int64_t left = deadline - clock_monotonic_milliseconds();
        struct message message;
        int status;

        if (left <= 0)
            child_fail("no settings came from master", -ETIMEDOUT);
        if (poll(&channel, 1, (int)left) < 0 && errno != EINTR)
            child_fail("poll", -errno);
        status = channel_receive(child->channel, &message);
        if (status < 0)
            child_fail("channel to master", status);
        if (status == 0)
            continue;
        if (!child_handle(child, &message)) {
            message_close(&message);
            child_fail("a message came before the settings", -EPROTO);
        }
    }
}

void child_start(int argc, char **argv, struct child *child)
{
    long block;
    int flags;

    *child = (struct child){.slot = -1, .channel = CHANNEL_FD};
    block = child_parse(argc, argv, child);
    log_identify(child_role_name(child->role), child->slot);
    child_block_signals();
    child_harden();
    flags = fcntl(child->channel, F_GETFL);
    if (flags < 0 || fcntl(child->channel, F_SETFL, flags | O_NONBLOCK) < 0)
        child_fail("channel to master", -errno);
    child_map_boards(child, block);
    if (child->role != ROLE_READER)
        child_await_settings(child);
}

void child_ready(struct child *child)
{
    int error;

    child_heartbeat(child);
    atomic_store(&child->block->ready, 1);
    error = channel_send(child->channel, MESSAGE_READY, slice_make(NULL, 0), NULL, 0);
    if (error < 0)
        child_fail("channel to master", error);
}

void child_heartbeat(struct child *child)
{
    atomic_store_explicit(&child->block->heartbeat, clock_monotonic_milliseconds(),
                          memory_order_relaxed);
    scoreboard_count_to(child->block, COUNT_LOG_LOST, log_lost());
}

static void child_take_settings(struct child *child, struct slice payload)
{
    struct arena arena = {0};
    struct settings settings;
    int error = settings_decode(payload, &arena, &settings);

    if (error < 0) {
        arena_free(&arena);
        log_error("settings_refused", "settings from master: %s", strerror(-error));
        return;
    }
    arena_free(&child->arena);
    child->arena = arena;
    child->settings = settings;
    log_configure(settings.log_level, settings.log_format);
}

static void child_take_stdio_apps(struct child *child, struct slice payload)
{
    struct arena arena = {0};
    struct stdio_app_list apps;
    int error = stdio_apps_decode(payload, child->role != ROLE_BRIDGE, &arena, &apps);

    if (error < 0) {
        arena_free(&arena);
        log_error("settings_refused", "stdio apps from master: %s", strerror(-error));
        return;
    }
    arena_free(&child->stdio_arena);
    child->stdio_arena = arena;
    child->stdio_apps = apps;
}

bool child_handle(struct child *child, struct message *message)
{
    if (message->type == MESSAGE_STDIO_APPS &&
        (child->role == ROLE_LAUNCHER || child->role == ROLE_BRIDGE ||
         child->role == ROLE_COLLECTOR)) {
        child_take_stdio_apps(child, message->payload);
        return true;
    }
    if (message->type == MESSAGE_SETTINGS) {
        child_take_settings(child, message->payload);
        return true;
    }
    if (message->type == MESSAGE_LOG) {
        int error = log_reopen(message->fds[0]);

        message->fds[0] = -1;
        if (error < 0)
            log_error("log_reopen_failed", "%s", strerror(-error));
        return true;
    }
    return false;
}
