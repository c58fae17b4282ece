/* bridge_app.h: stdio apps as the bridge knows them: who shares which server, how many there may
 * be, when a server that keeps failing may be tried again, and which era its servers are of.
 *
 * Commands are the launcher's; here are names, revisions, scopes and caps, which master sends.
 */
#ifndef GATEHOUSE_WORKER_BRIDGE_APP_H
#define GATEHOUSE_WORKER_BRIDGE_APP_H

#include "worker/bridge_link.h"

enum bridge_era { BRIDGE_ERA_UNKNOWN, BRIDGE_ERA_LEGACY, BRIDGE_ERA_MODERN };

/* Why there is no server. */
struct bridge_refusal {
    unsigned status;
    int code;
    unsigned retry_after; /* seconds; 0: none */
    const char *message;  /* a literal */
};

struct bridge_app;

/* The link for a caller: one that is shared, or a new one. `revision` is the app's as the worker
 * knows it. NULL with *refusal filled. */
struct bridge_link *bridge_app_link(struct bridge *bridge, struct slice name, struct slice revision,
                                    struct slice owner, bool modern,
                                    struct bridge_refusal *refusal);
/* The apps in force changed: forgets those that are gone. */
void bridge_app_reload(struct bridge *bridge);
void bridge_app_free_all(struct bridge *bridge);

/* All of these ignore NULL: the app of a server over HTTP. */
const char *bridge_app_name(const struct bridge_app *app);
bool bridge_app_is_modern(const struct bridge_app *app);
void bridge_app_judged(struct bridge_app *app, bool modern);
/* A server came, or nothing is left of it. */
void bridge_app_server_begins(struct bridge_app *app);
void bridge_app_server_ends(struct bridge_app *app);
/* It ended by itself, or did not begin: an early death, several of which in a row make the app wait
 * for its next server, or just the end of a life. */
void bridge_app_died(const struct bridge_link *link);
/* A server answers: it works. */
void bridge_app_served(struct bridge_link *link);
/* A line that is no message; told once in a while. */
void bridge_app_garbage(struct bridge_app *app, size_t size, const char *reason);

#endif
