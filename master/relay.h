/* relay.h: the middle of the star: what each child may say, and where it goes.
 *
 * A table of (sender's role and state, type); anything else ends the sender. Payloads pass unread,
 * but for the reader's settings.
 */
#ifndef GATEHOUSE_MASTER_RELAY_H
#define GATEHOUSE_MASTER_RELAY_H

#include "shared/channel.h"

struct supervisor;
struct process;

/* Reads what the process said, at most so many messages that others have their turn. */
void relay_read(struct supervisor *supervisor, struct process *process);

/* An order that must arrive: a process that cannot take it is killed. false: it was. */
bool relay_order(struct process *process, enum message_type type, struct slice payload,
                 const int *fds, size_t fd_count);

/* A hint that may be lost: the truth is elsewhere, and the receiver will look. */
void relay_hint(struct process *process, enum message_type type, struct slice payload);

#endif
