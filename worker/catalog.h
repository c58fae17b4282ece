/* catalog.h: decoded apps, bindings, configs and keys, kept by config generation.
 *
 * So that a request decodes nothing: records are read from the store once a generation, on first
 * use, and dropped when the watcher's generation moves. Never lists, never matches: each look-up is
 * one key. What it returns is borrowed until catalog_turn sees a new generation, except apps, which
 * an exchange holds by a count.
 */
#ifndef GATEHOUSE_WORKER_CATALOG_H
#define GATEHOUSE_WORKER_CATALOG_H

#include "shared/app_record.h"
#include "shared/auth_config_record.h"
#include "shared/jose.h"
#include "shared/scoreboard.h"
#include "shared/store.h"

struct catalog;

/* `config` and `public` are borrowed for the catalog's life. 0 or -ENOMEM. */
int catalog_open(struct catalog **out, struct store *config,
                 const struct scoreboard_public *public);
void catalog_close(struct catalog *catalog);

/* At a turn's begin: forgets what an older generation said. true when the generation moved.
 * -ESTALE through *error when the store's own generation is older than the scoreboard's: someone
 * turned the snapshot back, and the worker answers 503 and exits 70. */
bool catalog_turn(struct catalog *catalog, int *error);

struct catalog_app {
    struct app_record record; /* borrowed from bytes that it owns */
    /* private */
    unsigned holds;
    void *bytes;
};

/* NULL when there is no such app. Held: give it back with catalog_app_release. */
struct catalog_app *catalog_app_find(struct catalog *catalog, struct slice name);
/* By public address (database `hosts`). */
struct catalog_app *catalog_app_find_host(struct catalog *catalog, struct slice host);
struct catalog_app *catalog_app_hold(struct catalog_app *app);
void catalog_app_release(struct catalog_app *app); /* NULL is ignored */

struct catalog_binding {
    struct binding_record record;
    struct auth_config_record config;
};

/* What an issuer's tokens are judged by at an app. NULL: not bound. One get (two on first use). */
const struct catalog_binding *catalog_binding_find(struct catalog *catalog, struct slice app,
                                                   struct slice issuer);

/* The keys of a config with that kid (an empty kid: all keys of the config, for tokens without
 * one). Their count, at most `max`; keys are prepared once and kept. */
size_t catalog_keys(struct catalog *catalog, struct slice config, struct slice kid,
                    struct jose_key **keys, struct slice *thumbprints, size_t max);

/* The https issuers bound to an app, for its metadata; for an unknown app, all https issuers.
 * Borrowed until the generation moves. */
size_t catalog_issuers(struct catalog *catalog, struct slice app, struct slice *issuers,
                       size_t max);

#endif
