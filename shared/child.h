/* child.h: the start of every process but master: what exec left us, and the first steps.
 *
 * A role's main calls child_start first: it reads the role's arguments, hardens the process, maps
 * the scoreboards and waits for the settings. Then the role opens what it needs and calls
 * child_ready. Nothing here knows what a role does.
 */
#ifndef GATEHOUSE_SHARED_CHILD_H
#define GATEHOUSE_SHARED_CHILD_H

#include "shared/arena.h"
#include "shared/channel.h"
#include "shared/scoreboard.h"
#include "shared/settings.h"
#include "shared/stdio_app.h"

/* Descriptors after exec. All others are closed on exec. */
enum { CHANNEL_FD = 3, PUBLIC_FD = 4, WORK_FD = 5, SETTINGS_FILE_FD = 6 };

/* How a process ends (sysexits.h): EX_SOFTWARE: a store is corrupt or stale; EX_CONFIG: the
 * configuration is wrong, do not respawn. */
enum { EXIT_STORE = 70, EXIT_SETTINGS = 78 };

enum child_role {
    ROLE_MASTER,
    ROLE_READER,
    ROLE_CREATOR,
    ROLE_CHECKER,
    ROLE_WATCHER,
    ROLE_JANITOR,
    ROLE_WORKER,
    ROLE_COLLECTOR, /* one-shot: collects the stdio apps, as the watcher's user */
    ROLE_BRIDGE,
    ROLE_LAUNCHER,
    ROLE_GUARDIAN, /* of one stdio server; the launcher's child, not master's */
    ROLES
};

const char *child_role_name(enum child_role role);
/* Whether processes of the role live on: they have a block and a heartbeat. */
bool child_role_is_service(enum child_role role);

struct child {
    enum child_role role;
    int slot;    /* worker: its slot; creator and checker: enum store_environment; else -1 */
    int channel; /* CHANNEL_FD */
    const struct scoreboard_public *public; /* the watcher maps its own, writable */
    struct scoreboard_work *work;
    struct scoreboard_block *block; /* this process's own */
    struct arena arena;             /* owns the settings */
    struct settings settings;
    struct arena stdio_arena;         /* owns stdio_apps */
    struct stdio_app_list stdio_apps; /* of launcher and collector (whole), bridge; else empty */
};

/* Reads `--role R --slot N --block B`, identifies the log, blocks signals that are master's, sets
 * PR_SET_NO_NEW_PRIVS and PR_SET_DUMPABLE 0, makes the channel non-blocking, maps both boards, and
 * (all roles but the reader) waits up to 10 s for MESSAGE_SETTINGS; what else child_handle takes
 * may come before. Exits on failure: start-up may die. */
void child_start(int argc, char **argv, struct child *child);

/* PR_SET_NO_NEW_PRIVS and PR_SET_DUMPABLE 0: child_start's, for a guardian, which is no child of
 * master's. Exits on failure. */
void child_harden(void);

/* Tells master, and marks the block. */
void child_ready(struct child *child);

/* Stamps the block; at least once a second. */
void child_heartbeat(struct child *child);

/* Handles what is common to all roles: MESSAGE_LOG, MESSAGE_SETTINGS and, for launcher, bridge and
 * collector, MESSAGE_STDIO_APPS (each replaces what child has: slices of the old ones die). true
 * when the message was such a one. */
bool child_handle(struct child *child, struct message *message);

#endif
