/* inspection.h: a command's look at a state directory: its options, who it is, the two stores.
 *
 * Used by status, sessions, apps, configs and explain. Each is a separate short-lived process that
 * opens LMDB read-only, as mdb_stat does, whether the gateway runs or not. Master the process never
 * comes here: it opens no store. Started as root, a command becomes the owner of the sessions
 * before it opens anything, since who can write an environment can crash its readers.
 */
#ifndef GATEHOUSE_MASTER_INSPECTION_H
#define GATEHOUSE_MASTER_INSPECTION_H

#include "master/json_writer.h"
#include "shared/store.h"

#include <limits.h>

enum { INSPECTION_REASON = PATH_MAX + 256, INSPECTION_ROWS_MAX = 100000 };

#define INSPECTION_SETTINGS "/etc/gatehouse/gatehouse.yaml" /* unless -c or --state is given */

struct inspection_command {
    const char *name;  /* "gatehouse status", for messages */
    const char *usage; /* printed by --help */
    bool filters;      /* takes --user, --app and --limit */
    bool argument;     /* takes exactly one argument */
};

struct inspection {
    const struct inspection_command *command;
    char state_dir[PATH_MAX];
    bool json, wide;
    const char *user, *app; /* NULL: any */
    size_t limit;
    const char *argument;
    int64_t now; /* wall seconds */
};

/* Reads options and finds the state directory. True: go on; false: end with *status. */
bool inspection_begin(struct inspection *inspection, const struct inspection_command *command,
                      int argc, char **argv, int *status);

/* Finds the state directory alone, for a command with options of its own: `state`, or what the
 * settings say when it is NULL. 0, or an exit status after a message. */
int inspection_locate(struct inspection *inspection, const char *state, const char *settings);

/* As root: becomes the owner of the sessions. 0, or an exit status after a message. */
int inspection_become(const struct inspection *inspection);

/* Opens a store, in a turn. NULL with *status and a sentence in `reason` when that fails. */
struct store *inspection_open(const struct inspection *inspection, enum store_environment which,
                              char reason[INSPECTION_REASON], int *status);
/* As both of the above, with the reason printed. */
struct store *inspection_use(const struct inspection *inspection, enum store_environment which,
                             int *status);

/* One sentence on standard error, begun with the command's name; gives `status` back. */
int inspection_complain(const struct inspection *inspection, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The exit status after output: 0, or EX_IOERR with a message when `error` says so. */
int inspection_end(const struct inspection *inspection, int error);

/* Characters in a line of standard output; 0: no limit (--wide, or no terminal). */
size_t inspection_width(const struct inspection *inspection);

#endif
