/* connect_grave.h: what ended within its own call-backs, freed when the turn is over.
 *
 * A link that is cancelled while it gives out bytes, and a call that is answered by them, are still
 * on the stack. They lie here until the loop looks for new events.
 */
#ifndef GATEHOUSE_WORKER_CONNECT_GRAVE_H
#define GATEHOUSE_WORKER_CONNECT_GRAVE_H

#include <ev.h>

/* First member of what is buried. */
struct connect_remains {
    struct connect_remains *next;
    void (*release)(struct connect_remains *remains); /* frees it */
};

struct connect_grave {
    struct ev_loop *loop;
    struct ev_prepare turn;
    struct connect_remains *first;
};

void connect_grave_open(struct connect_grave *grave, struct ev_loop *loop);
void connect_grave_bury(struct connect_grave *grave, struct connect_remains *remains,
                        void (*release)(struct connect_remains *remains));
/* Frees what lies there, and ends. */
void connect_grave_close(struct connect_grave *grave);

#endif
