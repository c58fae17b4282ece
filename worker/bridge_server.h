/* bridge_server.h: one stdio server as the bridge has it: three pipes, and the launcher's number.
 *
 * Started and stopped by the launcher, asked by messages that master relays. Lines come and go
 * here; what they say is the link's. Its standard error goes to the log, a bounded number of lines
 * a second; the last of them explain a crash, under an id that clients are told.
 */
#ifndef GATEHOUSE_WORKER_BRIDGE_SERVER_H
#define GATEHOUSE_WORKER_BRIDGE_SERVER_H

#include "worker/bridge_link.h"

struct bridge_app;

/* Asks for a server; messages wait until it runs. NULL: out of memory, or master does not listen.
 */
struct bridge_link *bridge_server_start(struct bridge *bridge, struct bridge_app *app);

/* What the launcher says. Descriptors that are taken are set to -1. */
void bridge_server_started(struct bridge *bridge, struct message *message);
void bridge_server_failed(struct bridge *bridge, const struct message *message);
void bridge_server_ended(struct bridge *bridge, const struct message *message);
/* The launcher is not there: nothing that it started is. */
void bridge_server_all_lost(struct bridge *bridge);
/* Stops common servers that nobody uses. */
void bridge_server_sweep(struct bridge *bridge);

#endif
