/* reload.h: SIGHUP: gatehouse.yaml is read again, and put in force or refused as a whole.
 *
 * In place when listeners and workers stay: settings, certificates and log reach the running
 * processes. With a new generation of workers otherwise. What a run cannot change (state_dir,
 * users, map sizes) is refused. Nothing changes before everything of the new one is there.
 */
#ifndef GATEHOUSE_MASTER_RELOAD_H
#define GATEHOUSE_MASTER_RELOAD_H

#include "shared/settings.h"

struct supervisor;
struct configuration;

enum reload_kind { RELOAD_IN_PLACE, RELOAD_GENERATION, RELOAD_REFUSED };

/* What changing from one to the other needs. *reason: the key that made the decision, or NULL. */
enum reload_kind reload_compare(const struct settings *from, const struct settings *to,
                                const char **reason);

/* SIGHUP came. While another reload is under way, or its old generation drains, it waits. */
void reload_want(struct supervisor *supervisor);

/* Starts the reader when a reload is wanted and none is under way. */
void reload_turn(struct supervisor *supervisor, int64_t now);

/* The reader of a reload has ended; `configuration` is what it gave. Taken. */
void reload_read(struct supervisor *supervisor, struct configuration *configuration, int64_t now);

/* The new generation serves, or was given up. */
void reload_commit(struct supervisor *supervisor, int64_t now);
void reload_abort(struct supervisor *supervisor, const char *reason, int64_t now);

#endif
