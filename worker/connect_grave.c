#include "worker/connect_grave.h"

#include <stddef.h>

static void grave_clear(struct connect_grave *grave)
{
    while (grave->first != NULL) {
        struct connect_remains *remains = grave->first;

        grave->first = remains->next;
        remains->release(remains);
    }
}

static void grave_turn(struct ev_loop *loop, struct ev_prepare *watcher, int events)
{
    (void)loop;
    (void)events;
    grave_clear(watcher->data);
}

void connect_grave_open(struct connect_grave *grave, struct ev_loop *loop)
{
    *grave = (struct connect_grave){.loop = loop};
    ev_prepare_init(&grave->turn, grave_turn);
    grave->turn.data = grave;
    ev_prepare_start(loop, &grave->turn);
}

void connect_grave_bury(struct connect_grave *grave, struct connect_remains *remains,
                        void (*release)(struct connect_remains *remains))
{
    remains->release = release;
    remains->next = grave->first;
    grave->first = remains;
}

void connect_grave_close(struct connect_grave *grave)
{
    grave_clear(grave);
    ev_prepare_stop(grave->loop, &grave->turn);
}
