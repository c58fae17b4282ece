#include "master/bridging.h"

#include "master/relay.h"
#include "master/state_directory.h"
#include "master/supervisor.h"

enum { RETIRE_TIMEOUT = 5 * 1000 }; /* milliseconds for a process that no app needs any more */

static const struct slice nothing = {NULL, 0};

void bridging_init(struct bridging *bridging)
{
    *bridging = (struct bridging){.bridge = {.role = ROLE_BRIDGE, .slot = -1},
                                  .launcher = {.role = ROLE_LAUNCHER, .slot = -1},
                                  .socket = -1};
}

int bridging_open(struct bridging *bridging, const struct settings *settings, const char **what)
{
    int fd = state_directory_bind(settings, what);

    if (fd < 0)
        return fd;
    bridging->socket = fd;
    return 0;
}

static bool bridging_wants(const struct supervisor *supervisor, enum child_role role)
{
    const struct configuration *configuration = supervisor_configuration(supervisor);

    return configuration->settings.app_service &&
           (role == ROLE_BRIDGE || configuration->stdio_apps.count > 0);
}

int64_t bridging_patience(const struct supervisor *supervisor, const struct process *process)
{
    const struct settings_stdio *stdio = &supervisor_settings(supervisor)->stdio;

    return process->role == ROLE_LAUNCHER ? (int64_t)(stdio->stop_timeout + stdio->kill_timeout)
                                          : 0;
}

static void bridging_turn_seat(struct supervisor *supervisor, struct seat *seat, int64_t now)
{
    if (bridging_wants(supervisor, seat->role))
        seat_turn(supervisor, seat, supervisor_configuration(supervisor), now);
    else if (seat->process != NULL && seat->process->state != PROCESS_DRAINING)
        seat_drain(seat->process,
                   now + RETIRE_TIMEOUT + bridging_patience(supervisor, seat->process));
}

void bridging_turn(struct supervisor *supervisor, int64_t now)
{
    bridging_turn_seat(supervisor, &supervisor->bridging.bridge, now);
    bridging_turn_seat(supervisor, &supervisor->bridging.launcher, now);
}

static int64_t bridging_seat_due(const struct supervisor *supervisor, const struct seat *seat,
                                 int64_t now)
{
    return bridging_wants(supervisor, seat->role) ? seat_due(seat, now) : INT64_MAX;
}

int64_t bridging_due(const struct supervisor *supervisor, int64_t now)
{
    int64_t bridge = bridging_seat_due(supervisor, &supervisor->bridging.bridge, now);
    int64_t launcher = bridging_seat_due(supervisor, &supervisor->bridging.launcher, now);

    return bridge < launcher ? bridge : launcher;
}

static bool bridging_seat_is_ready(const struct supervisor *supervisor, const struct seat *seat)
{
    return seat->backoff.ready || !bridging_wants(supervisor, seat->role);
}

bool bridging_is_ready(const struct supervisor *supervisor)
{
    return bridging_seat_is_ready(supervisor, &supervisor->bridging.bridge) &&
           bridging_seat_is_ready(supervisor, &supervisor->bridging.launcher);
}

static bool bridging_tell(struct process *process, const struct configuration *configuration)
{
    const struct buffer *apps =
        process->role == ROLE_LAUNCHER ? &configuration->stdio_whole : &configuration->stdio_public;

    return relay_order(process, MESSAGE_STDIO_APPS, buffer_slice(apps), NULL, 0);
}

bool bridging_equip(struct supervisor *supervisor, struct process *process,
                    const struct configuration *configuration)
{
    if (!bridging_tell(process, configuration))
        return false;
    return process->role != ROLE_BRIDGE ||
           relay_order(process, MESSAGE_BRIDGE_LISTENER, nothing, &supervisor->bridging.socket, 1);
}

void bridging_adopt(struct supervisor *supervisor)
{
    struct seat *seats[] = {&supervisor->bridging.bridge, &supervisor->bridging.launcher};
    const struct configuration *configuration = supervisor_configuration(supervisor);

    for (size_t i = 0; i < sizeof(seats) / sizeof(seats[0]); i++) {
        seats[i]->closed = false;
        if (seats[i]->process != NULL &&
            relay_order(seats[i]->process, MESSAGE_SETTINGS, buffer_slice(&configuration->message),
                        NULL, 0))
            (void)bridging_tell(seats[i]->process, configuration);
    }
}

void bridging_death(struct supervisor *supervisor, enum child_role role)
{
    struct process *other = role == ROLE_BRIDGE     ? supervisor->bridging.launcher.process
                            : role == ROLE_LAUNCHER ? supervisor->bridging.bridge.process
                                                    : NULL;

    if (other != NULL)
        (void)relay_order(other, MESSAGE_SERVERS_LOST, nothing, NULL, 0);
}
