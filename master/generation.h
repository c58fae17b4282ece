/* generation.h: one set of workers with its listeners, started together and drained together.
 *
 * Usually one lives. A reload that changes listeners or the number of workers starts a second; when
 * all of its workers are READY the old one drains; when it does not come up it goes, and the old
 * one stays. Lends the sockets of a slot whose worker is down.
 */
#ifndef GATEHOUSE_MASTER_GENERATION_H
#define GATEHOUSE_MASTER_GENERATION_H

#include "master/configuration.h"
#include "master/lending.h"
#include "master/listener.h"
#include "master/seat.h"

struct supervisor;
struct process;

enum generation_state {
    GENERATION_NONE,
    GENERATION_STARTING,
    GENERATION_SERVING,
    GENERATION_DRAINING,
};

struct generation {
    enum generation_state state;
    unsigned number;
    struct configuration *configuration; /* owned */
    struct listener_set listeners;
    struct seat seats[SETTINGS_WORKERS_MAX];
    size_t workers;
    struct lending_slot lending[SETTINGS_WORKERS_MAX];
    size_t lending_cursor;
    int64_t deadline; /* STARTING beside another: given up then; DRAINING: killed then */
};

/* Binds its listeners; `old` (or NULL) lends those that stay. Takes `configuration` on success. 0
 * or -errno with a sentence in `reason`. */
int generation_open(struct generation *generation, unsigned number,
                    struct configuration *configuration, const struct generation *old,
                    char reason[CONFIGURATION_REASON]);

/* Fills seats, lends slots, ends what is drained. */
void generation_turn(struct supervisor *supervisor, struct generation *generation, int64_t now);

/* When something of it is due that no event announces: monotonic milliseconds, or INT64_MAX. */
int64_t generation_due(const struct generation *generation, int64_t now);

bool generation_is_ready(const struct generation *generation);
/* Whether one of its workers refused the configuration. */
bool generation_is_refused(const struct generation *generation);

/* Gives a fresh worker all it needs to begin. false: it cannot be reached. */
bool generation_equip(struct supervisor *supervisor, struct generation *generation,
                      struct process *process);

/* Puts another configuration of the same shape in force; the old one is freed. */
void generation_adopt(struct generation *generation, struct configuration *configuration);

/* Opens the audit trail again, and hands it to the workers. `original`: see log_file.h. */
void generation_reopen_audit(struct generation *generation, int original);

void generation_worker_ready(struct generation *generation, int slot, int64_t now);
void generation_worker_death(struct generation *generation, int slot, int status, int64_t now);

/* Its workers stop accepting and have until `deadline`; master's hold on the sockets ends. */
void generation_drain(struct generation *generation, int64_t deadline);

#endif
