/* listener.h: the sockets that a worker accepts from: its slot's own, and those lent to it.
 *
 * Master binds them and passes them over the channel, as it does certificates and keys; nothing is
 * opened here. Called by worker.c alone.
 */
#ifndef GATEHOUSE_WORKER_LISTENER_H
#define GATEHOUSE_WORKER_LISTENER_H

#include "worker/worker.h"

struct listener_set;

int listener_set_open(struct listener_set **out, struct worker *worker);
void listener_set_close(struct listener_set *set);

/* Takes `fd` over. -EINVAL for what the settings do not know, or when it is here already. Accepts
 * once the set was started. */
int listener_set_add(struct listener_set *set, const struct message_listener *which, int fd);
/* A lent slot goes back. */
void listener_set_remove(struct listener_set *set, const struct message_listener *which);

/* Takes both descriptors over; used at the next commit. -EINVAL when there is no such index. */
int listener_set_certificate(struct listener_set *set, uint32_t index, int certificate, int key);
void listener_set_tickets(struct listener_set *set, const struct message_ticket_keys *tickets);
/* Makes TLS contexts of the certificates that came. On an error the old ones serve on, and `reason`
 * says which file. */
int listener_set_commit(struct listener_set *set, char reason[TLS_REASON_MAX]);

/* Accepts from now on; stops for good (draining: the descriptors are closed). */
void listener_set_start(struct listener_set *set);
void listener_set_stop(struct listener_set *set);
/* A client is gone: accepts again if the limit had stopped it. */
void listener_set_resume(struct listener_set *set);

#endif
