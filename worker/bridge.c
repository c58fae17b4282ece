#include "shared/child.h"
#include "worker/roles.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>

static const double bridge_heartbeat_period = 0.5; /* seconds: often enough for any watchdog */

struct bridge {
    struct child child;
    struct ev_loop *loop;
    struct ev_io channel;
    struct ev_timer heartbeat;
    int listener; /* -1 before it came */
    int status;   /* exit status once the loop breaks */
};

static void bridge_stop(struct bridge *bridge, int status)
{
    bridge->status = status;
    ev_break(bridge->loop, EVBREAK_ALL);
}

static void bridge_on_heartbeat(struct ev_loop *loop, struct ev_timer *timer, int events)
{
    struct bridge *bridge = timer->data;

    (void)loop;
    (void)events;
    child_heartbeat(&bridge->child);
}

static void bridge_handle(struct bridge *bridge, struct message *message)
{
    child_handle(&bridge->child, message);
    if (message->type == MESSAGE_BRIDGE_LISTENER && bridge->listener < 0) {
        bridge->listener = message->fds[0];
        message->fds[0] = -1;
        child_ready(&bridge->child);
    } else if (message->type == MESSAGE_DRAIN) {
        bridge_stop(bridge, EXIT_SUCCESS);
    }
    message_close(message);
}

static void bridge_on_channel(struct ev_loop *loop, struct ev_io *io, int events)
{
    struct bridge *bridge = io->data;
    struct message message;
    int received;

    (void)loop;
    (void)events;
    while ((received = channel_receive(bridge->child.channel, &message)) > 0)
        bridge_handle(bridge, &message);
    if (received == 0)
        return;
    if (received == -EBADMSG)
        log_error("channel_broken", "a message from master breaks the form");
    bridge_stop(bridge, received == -EPIPE ? EXIT_SUCCESS : EXIT_FAILURE);
}

int bridge_main(int argc, char **argv)
{
    static struct bridge bridge = {.listener = -1};

    child_start(argc, argv, &bridge.child);
    bridge.loop = ev_loop_new(EVFLAG_NOENV);
    if (bridge.loop == NULL)
        return EXIT_FAILURE;
    ev_io_init(&bridge.channel, bridge_on_channel, bridge.child.channel, EV_READ);
    bridge.channel.data = &bridge;
    ev_io_start(bridge.loop, &bridge.channel);
    ev_timer_init(&bridge.heartbeat, bridge_on_heartbeat, bridge_heartbeat_period,
                  bridge_heartbeat_period);
    bridge.heartbeat.data = &bridge;
    ev_timer_start(bridge.loop, &bridge.heartbeat);
    ev_run(bridge.loop, 0);
    ev_loop_destroy(bridge.loop);
    return bridge.status;
}
