/* bridge_delivery.h: what a client's body says, sent to its server: one message, or a batch.
 *
 * Each request gets the stream that answers it; what cannot be sent is answered here. Which session
 * and which server they are for, bridge_exchange.c has found. Called by bridge_exchange.c.
 */
#ifndef GATEHOUSE_WORKER_BRIDGE_DELIVERY_H
#define GATEHOUSE_WORKER_BRIDGE_DELIVERY_H

#include "worker/bridge_client.h"
#include "worker/bridge_link.h"
#include "worker/bridge_session.h"

/* client->body, of an open session. */
void bridge_delivery_send(struct bridge_client *client, struct bridge_session *session);
/* The `initialize` of a new session, which ends if it cannot be sent. */
void bridge_delivery_open(struct bridge_client *client, struct bridge_session *session,
                          const struct bridge_message *message);
/* A request of 2026-07-28, of no session. */
void bridge_delivery_modern(struct bridge_client *client, struct bridge_link *link,
                            const struct bridge_message *message);

#endif
