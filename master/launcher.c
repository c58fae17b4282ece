#include "master/launcher.h"

#include "master/descendants.h"
#include "master/launch.h"
#include "master/process.h"
#include "shared/child.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

static const double launcher_heartbeat_period = 0.5; /* seconds: often enough for any watchdog */
static const double launcher_start_patience = 10;    /* seconds for a guardian to run a command */
/* Seconds that a guardian may take longer to end than its server was given. */
static const double launcher_end_patience = 3;

/* A launch, and what the loop needs of it. */
struct charge {
    struct launch launch;
    struct launcher *launcher; /* borrowed */
    struct charge *next, **link;
    struct ev_io io;
    struct ev_timer timer; /* its guardian is killed then */
};

struct launcher {
    struct child child;
    struct enclosure enclosure;
    int executable, signals;
    struct ev_loop *loop;
    struct ev_io channel, reaper;
    struct ev_timer heartbeat;
    struct charge *charges; /* owned */
    size_t count;
    uint64_t last_server; /* the last number given */
    bool ready, draining;
    int status; /* exit status once the loop breaks */
};

static void launcher_stop(struct launcher *launcher, int status)
{
    launcher->status = status;
    ev_break(launcher->loop, EVBREAK_ALL);
}

/* By way of master. false: it is lost. */
static bool launcher_tell(struct launcher *launcher, enum message_type type, const void *payload,
                          size_t size, const int *fds, size_t fd_count)
{
    int error =
        channel_send(launcher->child.channel, type, slice_make(payload, size), fds, fd_count);

    if (error < 0 && error != -EPIPE)
        log_error("message_lost", "message %d to the bridge: %s", (int)type, strerror(-error));
    return error == 0;
}

static void launcher_refuse(struct launcher *launcher, uint32_t request, int error)
{
    struct message_server_failed failed = {.request = request, .error = error};

    (void)launcher_tell(launcher, MESSAGE_SERVER_FAILED, &failed, sizeof(failed), NULL, 0);
}

static void charge_free(struct charge *charge)
{
    struct launcher *launcher = charge->launcher;

    ev_io_stop(launcher->loop, &charge->io);
    ev_timer_stop(launcher->loop, &charge->timer);
    launch_close(&charge->launch);
    *charge->link = charge->next;
    if (charge->next != NULL)
        charge->next->link = charge->link;
    launcher->count--;
    free(charge);
    if (launcher->draining && launcher->count == 0)
        launcher_stop(launcher, EXIT_SUCCESS);
}

static void charge_time(struct charge *charge, double seconds)
{
    ev_timer_stop(charge->launcher->loop, &charge->timer);
    ev_timer_set(&charge->timer, seconds, 0);
    ev_timer_start(charge->launcher->loop, &charge->timer);
}

static void charge_on_timer(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    struct charge *charge = timer->data;

    (void)loop;
    (void)events;
    log_warning("guardian_killed", "%s: server %llu is not %s in time; its guardian is killed",
                charge->launch.app, (unsigned long long)charge->launch.server,
                charge->launch.state == LAUNCH_STARTS ? "running" : "gone");
    kill(charge->launch.guardian, SIGKILL);
}

static void charge_stop(struct charge *charge, uint64_t term)
{
    uint64_t kill = charge->launcher->child.settings.stdio.kill_timeout;

    launch_stop(&charge->launch, term, kill);
    charge_time(charge, (double)(term + kill) / 1000 + launcher_end_patience);
}

static void charge_started(struct charge *charge, const struct message_guard_started *answer)
{
    struct launch *launch = &charge->launch;
    struct message_server_started started = {.server = launch->server, .request = launch->request};
    bool told;

    if (answer->error < 0) {
        log_warning("server_failed", "%s: cannot start %s: %s", launch->app,
                    launch_stage_text(answer->stage), strerror(-answer->error));
        launcher_refuse(charge->launcher, launch->request, answer->error);
        launch->state = LAUNCH_FAILED;
        return;
    }
    log_info("server_started", "%s: server %llu runs, guarded by pid %d", launch->app,
             (unsigned long long)launch->server, (int)launch->guardian);
    if (!launch->stopping)
        ev_timer_stop(charge->launcher->loop, &charge->timer);
    launch->state = LAUNCH_RUNS;
    told = launcher_tell(charge->launcher, MESSAGE_SERVER_STARTED, &started, sizeof(started),
                         launch->pipes, 3);
    for (int i = 0; i < 3; i++) {
        close(launch->pipes[i]);
        launch->pipes[i] = -1;
    }
    if (!told) /* nobody would ever end it */
        charge_stop(charge, 0);
}

static void charge_handle(struct charge *charge, const struct message *message)
{
    struct message_guard_started started;
    int32_t status;

    if (message->type == MESSAGE_GUARD_STARTED && charge->launch.state == LAUNCH_STARTS) {
        memcpy(&started, message->payload.data, sizeof(started));
        charge_started(charge, &started);
    } else if (message->type == MESSAGE_GUARD_ENDED && charge->launch.state == LAUNCH_RUNS) {
        memcpy(&status, message->payload.data, sizeof(status));
        charge->launch.status = status;
        charge->launch.ended = true;
    } else {
        log_error("message_refused", "a guardian (pid %d) may not send message %d now",
                  (int)charge->launch.guardian, (int)message->type);
        kill(charge->launch.guardian, SIGKILL);
    }
}

/* Its end of file is no end yet: the reaper sees that. */
static void charge_on_channel(struct ev_loop *loop, struct ev_io *io, int events)
{
    struct charge *charge = io->data;
    struct message message;
    int received;

    (void)events;
    while ((received = channel_receive(io->fd, &message)) > 0) {
        charge_handle(charge, &message);
        message_close(&message);
    }
    if (received == 0)
        return;
    ev_io_stop(loop, io);
    if (received != -EPIPE)
        kill(charge->launch.guardian, SIGKILL);
}

static void charge_ended(struct charge *charge, int status)
{
    struct launch *launch = &charge->launch;
    struct message_server_ended ended = {.server = launch->server};
    char death[96];

    if (ev_is_active(&charge->io)) /* its last words */
        charge_on_channel(charge->launcher->loop, &charge->io, EV_READ);
    ended.status = launch->ended ? launch->status : status;
    process_death(ended.status, death, sizeof(death));
    if (launch->state == LAUNCH_STARTS) {
        log_warning("server_failed", "%s: its guardian ended before it ran: %s", launch->app,
                    death);
        launcher_refuse(charge->launcher, launch->request, -EIO);
    } else if (launch->state == LAUNCH_RUNS) {
        log_info("server_ended", "%s: server %llu ended: %s", launch->app,
                 (unsigned long long)launch->server, death);
        (void)launcher_tell(charge->launcher, MESSAGE_SERVER_ENDED, &ended, sizeof(ended), NULL, 0);
    }
    charge_free(charge);
}

static struct charge *launcher_find(const struct launcher *launcher, pid_t guardian)
{
    struct charge *charge = launcher->charges;

    while (charge != NULL && charge->launch.guardian != guardian)
        charge = charge->next;
    return charge;
}

static bool launcher_is_guardian(void *context, pid_t pid)
{
    return launcher_find(context, pid) != NULL;
}

/* What a killed guardian that was a child subreaper left behind is our child now. */
static void launcher_on_child(struct ev_loop *loop, struct ev_io *io, int events)
{
    struct launcher *launcher = io->data;
    struct signalfd_siginfo info;
    int status;
    pid_t pid;

    (void)loop;
    (void)events;
    while (read(io->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        ;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct charge *charge = launcher_find(launcher, pid);

        if (charge != NULL)
            charge_ended(charge, status);
    }
    if (launcher->enclosure.flags == 0)
        descendants_signal(SIGKILL, launcher_is_guardian, launcher);
}

static size_t launcher_count(const struct launcher *launcher, struct slice app)
{
    size_t count = 0;

    for (const struct charge *charge = launcher->charges; charge != NULL; charge = charge->next)
        count += slice_is(app, charge->launch.app);
    return count;
}

/* The bridge keeps to the caps as well; a launcher that trusted it would be worth taking over. */
static bool launcher_has_room(const struct launcher *launcher, const struct stdio_app *app)
{
    const struct settings_stdio *stdio = &launcher->child.settings.stdio;
    uint64_t most = app->max_servers > 0 ? app->max_servers : stdio->max_servers_per_app;

    return launcher->count < stdio->max_servers && launcher_count(launcher, app->name) < most;
}

static void launcher_watch(struct launcher *launcher, struct charge *charge)
{
    charge->next = launcher->charges;
    charge->link = &launcher->charges;
    if (charge->next != NULL)
        charge->next->link = &charge->next;
    launcher->charges = charge;
    launcher->count++;
    ev_io_init(&charge->io, charge_on_channel, charge->launch.channel, EV_READ);
    charge->io.data = charge;
    ev_io_start(launcher->loop, &charge->io);
    ev_timer_init(&charge->timer, charge_on_timer, launcher_start_patience, 0);
    charge->timer.data = charge;
    ev_timer_start(launcher->loop, &charge->timer);
}

static int launcher_begin(struct launcher *launcher, const struct stdio_app *app, uint32_t request)
{
    struct charge *charge;
    int error = launcher_has_room(launcher, app) ? launch_check(app) : -EAGAIN;

    if (error < 0)
        return error;
    charge = calloc(1, sizeof(*charge));
    if (charge == NULL)
        return -ENOMEM;
    charge->launcher = launcher;
    charge->launch = (struct launch){.server = ++launcher->last_server,
                                     .request = request,
                                     .channel = -1,
                                     .pipes = {-1, -1, -1}};
    memcpy(charge->launch.app, app->name.data,
           app->name.size > SERVER_APP_MAX ? SERVER_APP_MAX : app->name.size);
    error = launch_begin(&charge->launch, app, &launcher->enclosure, launcher->executable);
    if (error < 0)
        free(charge);
    else
        launcher_watch(launcher, charge);
    return error;
}

static void launcher_start(struct launcher *launcher, const struct message *message)
{
    struct message_server_start order;
    const struct stdio_app *app = NULL;
    struct slice name;
    int error = -ENOENT;

    memcpy(&order, message->payload.data, sizeof(order));
    name = slice_make(order.app, order.app_size > SERVER_APP_MAX ? 0 : order.app_size);
    if (!launcher->draining)
        app = stdio_apps_find(&launcher->child.stdio_apps, name);
    if (app != NULL)
        error = launcher_begin(launcher, app, order.request);
    if (error == 0)
        return;
    log_warning("server_refused", "%.*s: %s", (int)name.size, name.data,
                error == -ENOENT && app == NULL ? "no such stdio server is in force"
                                                : strerror(-error));
    launcher_refuse(launcher, order.request, error);
}

static void launcher_end(struct launcher *launcher, const struct message *message)
{
    struct message_server_stop stop;

    memcpy(&stop, message->payload.data, sizeof(stop));
    for (struct charge *charge = launcher->charges; charge != NULL; charge = charge->next)
        if (charge->launch.server == stop.server && charge->launch.state == LAUNCH_RUNS)
            charge_stop(charge, launcher->child.settings.stdio.stop_timeout);
}

/* Their standard inputs have ended with the bridge. What is only just starting follows. */
static void launcher_end_all(struct launcher *launcher)
{
    for (struct charge *charge = launcher->charges; charge != NULL; charge = charge->next)
        charge_stop(charge, launcher->child.settings.stdio.stop_timeout);
}

static void launcher_drain(struct launcher *launcher)
{
    launcher->draining = true;
    launcher_end_all(launcher);
    if (launcher->count == 0)
        launcher_stop(launcher, EXIT_SUCCESS);
}

static void launcher_handle(struct launcher *launcher, struct message *message)
{
    child_handle(&launcher->child, message);
    if (message->type == MESSAGE_STDIO_APPS && !launcher->ready) {
        launcher->ready = true;
        child_ready(&launcher->child);
    } else if (message->type == MESSAGE_SERVER_START) {
        launcher_start(launcher, message);
    } else if (message->type == MESSAGE_SERVER_STOP) {
        launcher_end(launcher, message);
    } else if (message->type == MESSAGE_SERVERS_LOST) {
        launcher_end_all(launcher);
    } else if (message->type == MESSAGE_DRAIN) {
        launcher_drain(launcher);
    }
    message_close(message);
}

/* When master is gone the guardians are left by our own end: they kill what they guard. */
static void launcher_on_channel(struct ev_loop *loop, struct ev_io *io, int events)
{
    struct launcher *launcher = io->data;
    struct message message;
    int received;

    (void)loop;
    (void)events;
    while ((received = channel_receive(launcher->child.channel, &message)) > 0)
        launcher_handle(launcher, &message);
    if (received == 0)
        return;
    if (received == -EBADMSG)
        log_error("channel_broken", "a message from master breaks the form");
    launcher_stop(launcher, received == -EPIPE ? EXIT_SUCCESS : EXIT_FAILURE);
}

static void launcher_on_heartbeat(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    struct launcher *launcher = timer->data;

    (void)loop;
    (void)events;
    child_heartbeat(&launcher->child);
}

static int launcher_open(struct launcher *launcher)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    launcher->executable = open("/proc/self/exe", O_PATH | O_CLOEXEC);
    launcher->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (launcher->executable < 0 || launcher->signals < 0 ||
        sigprocmask(SIG_BLOCK, &signals, NULL) < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        return -errno;
    launcher->loop = ev_loop_new(EVFLAG_NOENV);
    return launcher->loop == NULL ? -ENOMEM : 0;
}

static void launcher_io(struct launcher *launcher, struct ev_io *io,
                        void (*on)(struct ev_loop *, struct ev_io *, int), int fd)
{
    ev_io_init(io, on, fd, EV_READ);
    io->data = launcher;
    ev_io_start(launcher->loop, io);
}

static void launcher_run(struct launcher *launcher)
{
    launcher_io(launcher, &launcher->channel, launcher_on_channel, launcher->child.channel);
    launcher_io(launcher, &launcher->reaper, launcher_on_child, launcher->signals);
    ev_timer_init(&launcher->heartbeat, launcher_on_heartbeat, launcher_heartbeat_period,
                  launcher_heartbeat_period);
    launcher->heartbeat.data = launcher;
    ev_timer_start(launcher->loop, &launcher->heartbeat);
    ev_run(launcher->loop, 0);
}

int launcher_main(int argc, char **argv)
{
    static struct launcher launcher;
    int error;

    child_start(argc, argv, &launcher.child);
    error = launcher_open(&launcher);
    if (error < 0) {
        log_error("start_failed", "%s", strerror(-error));
        return EXIT_FAILURE;
    }
    enclosure_probe(&launcher.enclosure);
    log_write(launcher.enclosure.flags == 0 ? LOG_WARNING : LOG_INFO, "enclosure",
              "what a stdio server starts is kept together by %s",
              enclosure_text(&launcher.enclosure));
    launcher_run(&launcher);
    for (struct charge *charge = launcher.charges, *next; charge != NULL; charge = next) {
        next = charge->next;
        charge_free(charge);
    }
    ev_loop_destroy(launcher.loop);
    arena_free(&launcher.child.stdio_arena);
    arena_free(&launcher.child.arena);
    return launcher.status;
}
