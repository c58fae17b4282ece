/* bridging.h: bridge and launcher as master sees them: their seats, and the bridge's socket.
 *
 * The bridge runs while there is an app service, the launcher while an app is a stdio server. The
 * socket is master's: a bridge's death loses no worker's connect. Called by the supervisor.
 */
#ifndef GATEHOUSE_MASTER_BRIDGING_H
#define GATEHOUSE_MASTER_BRIDGING_H

#include "master/seat.h"
#include "shared/settings.h"

struct configuration;

struct bridging {
    struct seat bridge, launcher;
    int socket; /* owned; -1 before bridging_open */
};

void bridging_init(struct bridging *bridging);

/* Binds the socket in state_dir, which is this master's alone. 0, or -errno with *what failed. */
int bridging_open(struct bridging *bridging, const struct settings *settings, const char **what);

/* Fills the seats that the configuration in force wants, and ends the others' processes. */
void bridging_turn(struct supervisor *supervisor, int64_t now);

/* When a wanted seat is to be filled: monotonic milliseconds, or INT64_MAX. */
int64_t bridging_due(const struct supervisor *supervisor, int64_t now);

/* Whether all that is wanted has said READY. */
bool bridging_is_ready(const struct supervisor *supervisor);

/* Gives a fresh process what it needs beside the settings. false: it cannot be reached. */
bool bridging_equip(struct supervisor *supervisor, struct process *process,
                    const struct configuration *configuration);

/* Gives both what a reload has put in force. */
void bridging_adopt(struct supervisor *supervisor);

/* A process of this role died: the other one learns what that ended. */
void bridging_death(struct supervisor *supervisor, enum child_role role);

/* Milliseconds that a process may need to end what it has begun, more than others. */
int64_t bridging_patience(const struct supervisor *supervisor, const struct process *process);

#endif
