/* catalog.h: decoded apps, bindings, configs and keys, kept by config generation.
 *
 * So that a request decodes nothing: records are read from the store once a generation, on first
 * use, and dropped when the watcher's generation moves. Never lists, never matches: each look-up is
 * one key. What it returns is borrowed until catalog_turn sees a new generation, except apps, which
 * an exchange holds by a count.
 *
 * Only what the store holds is kept: a name that is not there is never remembered (strangers make
 * up names), and costs two gets each time, the second in a renewed snapshot.
 */
#ifndef GATEHOUSE_WORKER_CATALOG_H
#define GATEHOUSE_WORKER_CATALOG_H

#include "shared/app_record.h"
#include "shared/auth_config_record.h"
#include "shared/jose_key.h"
#include "shared/policy.h"
#include "shared/scoreboard.h"
#include "shared/session_record.h"
#include "shared/store.h"

enum {
    CATALOG_KEYS_MAX = 64,    /* keys of one kid, or of one config for tokens without a kid */
    CATALOG_ISSUERS_MAX = 64, /* issuers that one metadata page names */
    CATALOG_SCOPES_MAX = 64,  /* scopes that it names */
};

struct catalog;

/* `config` and `public` are borrowed for the catalog's life. 0 or -ENOMEM. */
int catalog_open(struct catalog **out, struct store *config,
                 const struct scoreboard_public *public);
void catalog_close(struct catalog *catalog);

/* At a turn's begin, after store_turn_begin: forgets what an older generation said. true when the
 * generation moved. *error is 0, or what the worker must answer 503 for and exit 70, found now or
 * in the turn before: -ESTALE when the store's own generation is older than the scoreboard's
 * (someone turned the snapshot back), -EUCLEAN when the store is corrupt. */
bool catalog_turn(struct catalog *catalog, int *error);

/* 0, or why a look-up of this turn failed (a negative errno): what was not found may then be there,
 * and the answer is 503, not a refusal. */
int catalog_error(const struct catalog *catalog);

/* The generation that what is kept belongs to. */
uint64_t catalog_generation(const struct catalog *catalog);

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
void catalog_app_release(struct catalog_app *app); /* NULL is ignored */

struct catalog_binding {
    struct binding_record record;     /* with the audiences for this app */
    struct auth_config_record config; /* with those for any */
};

/* What an issuer's tokens are judged by at an app. NULL: not bound. One get (two on first use). */
const struct catalog_binding *catalog_binding_find(struct catalog *catalog, struct slice app,
                                                   struct slice issuer);

/* The keys of a config with that kid (an empty kid: all keys of the config, for tokens without
 * one), without those past their time. Their count, at most `max` and CATALOG_KEYS_MAX; keys are
 * prepared once and kept. */
size_t catalog_keys(struct catalog *catalog, struct slice config, struct slice kid,
                    struct jose_key **keys, struct slice *thumbprints, size_t max);

/* What the roles of a session permit at an app: compiled on first use in a generation, then one
 * look-up in a table; nothing for the built-in role alone. NULL: the store cannot be read now, or a
 * record not understood (503). Held: give it back with policy_set_release. */
struct policy_set *catalog_policy(struct catalog *catalog, struct slice app,
                                  const struct session_record *session);

struct issuer_list;

/* The issuers bound to an app that a client can ask for a token (issuer_list.h), for its metadata
 * and its challenges; for an unknown app, or one to which nothing is bound, those of all configs,
 * so that both answer alike. NULL when they cannot be read (catalog_error). Not for a request's way
 * to an app: it scans, each app's bindings and all configs at most once a generation. Borrowed
 * until the generation moves. */
const struct issuer_list *catalog_issuers(struct catalog *catalog, struct slice app);

/* 1 when a revocation or a lock shuts the session out, 0 when none does; a negative errno when that
 * cannot be known (503). *locked, set with 1: a lock does. Costs one load while there is none at
 * all, and no get for a session that was looked up since the last change. */
int catalog_shut_out(struct catalog *catalog, const struct session_id *id,
                     const struct session_record *session, bool *locked);

#endif
