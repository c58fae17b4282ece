/* supervisor.h: the run: every process, environment and generation, and the loop over them.
 *
 * Events (a signal, a message, a death) only change states; once a turn each part looks at the
 * states and starts, kills or gives up what is due. So no order of events needs code of its own.
 * Included by the parts of master that act on the run. Never parses a document, never opens LMDB.
 */
#ifndef GATEHOUSE_MASTER_SUPERVISOR_H
#define GATEHOUSE_MASTER_SUPERVISOR_H

#include "master/bridging.h"
#include "master/environment.h"
#include "master/generation.h"
#include "master/process.h"
#include "master/seat.h"

enum supervisor_phase {
    PHASE_READING,  /* the first reader runs */
    PHASE_STARTING, /* environments, watcher, janitor and workers come up */
    PHASE_SERVING,
    PHASE_DRAINING, /* the workers end */
    PHASE_ENDING,   /* bridge, launcher, watcher and janitor end */
    PHASE_FORCED,   /* everything was killed, and is waited for */
    PHASE_OVER,
};

struct supervisor {
    enum supervisor_phase phase;
    int exit_status;
    const char *path; /* of gatehouse.yaml, absolute */
    int executable, epoll, signals, original_log;
    int public_fd, public_read_fd, work_fd;
    struct scoreboard_work *work;
    struct process processes[SCOREBOARD_BLOCKS]; /* a process's place is its block's number */
    struct environment environments[2];
    struct seat watcher, janitor;
    struct bridging bridging;
    struct generation generations[2];
    struct generation *current, *other; /* other: the next one, or the old one draining */
    unsigned generation_number;         /* the last given */
    struct message_ticket_keys ticket_keys;
    int64_t tickets_until;           /* monotonic milliseconds: then they are renewed */
    struct process *reader;          /* or the collector after it; NULL: none runs */
    int settings_file;               /* what they read; -1 */
    struct configuration *candidate; /* what it said so far */
    bool refused;                    /* what it said, for a reason that was logged */
    bool reload_wanted;
    int64_t last_turn, watching_from; /* monotonic milliseconds; see roster_watch */
};

/* Serves until told to end. The exit status. */
int supervisor_run(const char *path);

/* The first settings are there: opens what they name, and starts all; the configuration is taken
 * over. When that cannot be, the start has failed. */
void supervisor_begin(struct supervisor *supervisor, struct configuration *configuration);

/* The start cannot succeed: says why, ends everything, and exits with `status`. */
void supervisor_fail(struct supervisor *supervisor, int status, const char *reason);

/* The settings in force; NULL before the first reading. */
const struct configuration *supervisor_configuration(const struct supervisor *supervisor);
const struct settings *supervisor_settings(const struct supervisor *supervisor);

struct generation *supervisor_generation(struct supervisor *supervisor, unsigned number);

/* Where the process sits; NULL: it is of no service, or its generation is gone. */
struct seat *supervisor_seat(struct supervisor *supervisor, const struct process *process);

/* The log and the audit trail as the settings say, for master and all others. */
void supervisor_reopen_logs(struct supervisor *supervisor);

#endif
