#include "master/relay.h"

#include "master/supervisor.h"
#include "shared/clock.h"
#include "shared/log.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    MESSAGES_A_TURN = 32,
    CLOSED_TIMEOUT = 1000, /* milliseconds a process may live on without its channel */
};

bool relay_order(struct process *process, enum message_type type, struct slice payload,
                 const int *fds, size_t fd_count)
{
    char name[32];
    int error;

    if (process->channel < 0)
        return false;
    error = channel_send(process->channel, type, payload, fds, fd_count);
    if (error == 0)
        return true;
    if (error != -EPIPE) { /* -EPIPE: it is dead, and will be reaped with its reason */
        process_name(process, name, sizeof(name));
        log_error("order_failed", "%s (pid %d) does not take message %d: %s; it is killed", name,
                  (int)process->pid, (int)type, strerror(-error));
    }
    process_kill(process);
    return false;
}

void relay_hint(struct process *process, enum message_type type, struct slice payload)
{
    if (process != NULL && process->channel >= 0)
        (void)channel_send(process->channel, type, payload, NULL, 0);
}

static void take_settings(struct supervisor *supervisor, struct process *process,
                          const struct message *message)
{
    char reason[CONFIGURATION_REASON];

    (void)process;
    if (supervisor->candidate != NULL || supervisor->refused)
        return;
    if (configuration_load(message->payload, supervisor->settings_file, supervisor->original_log,
                           &supervisor->candidate, reason) < 0) {
        supervisor->refused = true;
        log_error("settings_refused", "%s", reason);
    }
}

static void take_stdio_apps(struct supervisor *supervisor, struct process *process,
                            const struct message *message)
{
    (void)process;
    if (supervisor->candidate == NULL || supervisor->refused)
        return;
    if (configuration_take_stdio(supervisor->candidate, message->payload) < 0) {
        supervisor->refused = true;
        log_error("settings_refused", "the collector's message is not one of stdio servers");
    }
}

static void take_ready(struct supervisor *supervisor, struct process *process,
                       const struct message *message)
{
    int64_t now = clock_monotonic_milliseconds();
    char name[32];

    (void)message;
    process->state = PROCESS_READY;
    if (process->role == ROLE_WORKER)
        generation_worker_ready(supervisor_generation(supervisor, process->generation),
                                process->slot, now);
    else
        backoff_ready(&supervisor_seat(supervisor, process)->backoff, now);
    process_name(process, name, sizeof(name));
    log_info("process_ready", "%s (pid %d) is ready", name, (int)process->pid);
}

static void pass_changed(struct supervisor *supervisor, struct process *process,
                         const struct message *message)
{
    (void)process;
    for (size_t i = 0; i < SCOREBOARD_BLOCKS; i++)
        if (supervisor->processes[i].state != PROCESS_FREE &&
            supervisor->processes[i].role == ROLE_WORKER)
            relay_hint(&supervisor->processes[i], message->type, message->payload);
}

static void pass_key_wanted(struct supervisor *supervisor, struct process *process,
                            const struct message *message)
{
    (void)process;
    relay_hint(supervisor->watcher.process, message->type, message->payload);
}

/* One worker writes it down; the others have nothing to do with it. */
static void pass_sessions_ended(struct supervisor *supervisor, struct process *process,
                                const struct message *message)
{
    (void)process;
    for (size_t i = 0; i < SCOREBOARD_BLOCKS; i++)
        if (supervisor->processes[i].state == PROCESS_READY &&
            supervisor->processes[i].role == ROLE_WORKER) {
            relay_hint(&supervisor->processes[i], message->type, message->payload);
            return;
        }
}

/* Without a launcher a start fails at once; what was to be stopped has ended with it. */
static void pass_to_launcher(struct supervisor *supervisor, struct process *process,
                             const struct message *message)
{
    struct process *launcher = supervisor->bridging.launcher.process;

    if (launcher != NULL && !launcher->killed && launcher->channel >= 0)
        (void)relay_order(launcher, message->type, message->payload, NULL, 0);
    else if (message->type == MESSAGE_SERVER_START)
        (void)relay_order(process, MESSAGE_SERVERS_LOST, slice_make(NULL, 0), NULL, 0);
}

/* Without a bridge the descriptors are closed with the message. */
static void pass_to_bridge(struct supervisor *supervisor, struct process *process,
                           const struct message *message)
{
    struct process *bridge = supervisor->bridging.bridge.process;

    (void)process;
    if (bridge != NULL && !bridge->killed && bridge->channel >= 0)
        (void)relay_order(bridge, message->type, message->payload, message->fds, message->fd_count);
}

enum { STARTING = 1 << PROCESS_STARTING, READY = 1 << PROCESS_READY, ENDS = 1 << PROCESS_DRAINING };

static const struct rule {
    enum child_role sender;
    enum message_type type;
    int states; /* of the sender, as bits */
    void (*act)(struct supervisor *, struct process *, const struct message *);
} rules[] = {
    {ROLE_READER, MESSAGE_SETTINGS, STARTING, take_settings},
    {ROLE_COLLECTOR, MESSAGE_STDIO_APPS, STARTING, take_stdio_apps},
    {ROLE_WATCHER, MESSAGE_READY, STARTING, take_ready},
    {ROLE_JANITOR, MESSAGE_READY, STARTING, take_ready},
    {ROLE_WORKER, MESSAGE_READY, STARTING, take_ready},
    {ROLE_BRIDGE, MESSAGE_READY, STARTING, take_ready},
    {ROLE_LAUNCHER, MESSAGE_READY, STARTING, take_ready},
    {ROLE_BRIDGE, MESSAGE_SERVER_START, READY | ENDS, pass_to_launcher},
    {ROLE_BRIDGE, MESSAGE_SERVER_STOP, READY | ENDS, pass_to_launcher},
    {ROLE_LAUNCHER, MESSAGE_SERVER_STARTED, READY | ENDS, pass_to_bridge},
    {ROLE_LAUNCHER, MESSAGE_SERVER_FAILED, READY | ENDS, pass_to_bridge},
    {ROLE_LAUNCHER, MESSAGE_SERVER_ENDED, READY | ENDS, pass_to_bridge},
    {ROLE_WATCHER, MESSAGE_CHANGED, STARTING | READY | ENDS, pass_changed},
    {ROLE_JANITOR, MESSAGE_SESSIONS_ENDED, STARTING | READY, pass_sessions_ended},
    {ROLE_WORKER, MESSAGE_KEY_WANTED, READY | ENDS, pass_key_wanted},
};

static void relay_act(struct supervisor *supervisor, struct process *process,
                      const struct message *message)
{
    char name[32];

    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        if (rules[i].sender == process->role && rules[i].type == message->type &&
            (rules[i].states & (1 << process->state)) != 0) {
            rules[i].act(supervisor, process, message);
            return;
        }
    /* What was told to end while it said READY has done nothing wrong. */
    if (message->type == MESSAGE_READY && process->state == PROCESS_DRAINING)
        return;
    process_name(process, name, sizeof(name));
    log_error("message_refused", "%s (pid %d) may not send message %d now; it is killed", name,
              (int)process->pid, (int)message->type);
    process_kill(process);
}

static void relay_closed(struct supervisor *supervisor, struct process *process, int error)
{
    char name[32];

    if (error != -EPIPE) {
        process_name(process, name, sizeof(name));
        log_error("message_refused", "%s (pid %d) broke the form of messages; it is killed", name,
                  (int)process->pid);
        process_kill(process);
    }
    (void)epoll_ctl(supervisor->epoll, EPOLL_CTL_DEL, process->channel, NULL);
    close(process->channel);
    process->channel = -1;
    if (process->deadline == 0)
        process->deadline = clock_monotonic_milliseconds() + CLOSED_TIMEOUT;
}

void relay_read(struct supervisor *supervisor, struct process *process)
{
    struct message message;

    if (process->killed && process->channel >= 0) /* nothing it says counts any more */
        (void)epoll_ctl(supervisor->epoll, EPOLL_CTL_DEL, process->channel, NULL);
    for (int i = 0; i < MESSAGES_A_TURN && process->channel >= 0 && !process->killed; i++) {
        int status = channel_receive(process->channel, &message);

        if (status == 0)
            return;
        if (status < 0) {
            relay_closed(supervisor, process, status);
            return;
        }
        relay_act(supervisor, process, &message);
        message_close(&message);
    }
}
