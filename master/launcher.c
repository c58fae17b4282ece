#include "master/launcher.h"

#include "shared/child.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>

static const double launcher_heartbeat_period = 0.5; /* seconds: often enough for any watchdog */

struct launcher {
    struct child child;
    struct ev_loop *loop;
    struct ev_io channel;
    struct ev_timer heartbeat;
    bool ready;
    int status; /* exit status once the loop breaks */
};

static void launcher_stop(struct launcher *launcher, int status)
{
    launcher->status = status;
    ev_break(launcher->loop, EVBREAK_ALL);
}

static void launcher_on_heartbeat(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    struct launcher *launcher = timer->data;

    (void)loop;
    (void)events;
    child_heartbeat(&launcher->child);
}

static void launcher_handle(struct launcher *launcher, struct message *message)
{
    child_handle(&launcher->child, message);
    if (message->type == MESSAGE_STDIO_APPS && !launcher->ready) {
        launcher->ready = true;
        child_ready(&launcher->child);
    } else if (message->type == MESSAGE_DRAIN) {
        launcher_stop(launcher, EXIT_SUCCESS);
    }
    message_close(message);
}

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

int launcher_main(int argc, char **argv)
{
    static struct launcher launcher;

    child_start(argc, argv, &launcher.child);
    launcher.loop = ev_loop_new(EVFLAG_NOENV);
    if (launcher.loop == NULL)
        return EXIT_FAILURE;
    ev_io_init(&launcher.channel, launcher_on_channel, launcher.child.channel, EV_READ);
    launcher.channel.data = &launcher;
    ev_io_start(launcher.loop, &launcher.channel);
    ev_timer_init(&launcher.heartbeat, launcher_on_heartbeat, launcher_heartbeat_period,
                  launcher_heartbeat_period);
    launcher.heartbeat.data = &launcher;
    ev_timer_start(launcher.loop, &launcher.heartbeat);
    ev_run(launcher.loop, 0);
    ev_loop_destroy(launcher.loop);
    return launcher.status;
}
