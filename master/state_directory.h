/* state_directory.h: the directories of the two environments: made, given to their users, moved
 * aside; and the bridge's socket. Called by master only, which never opens what is in the former.
 *
 *     state_dir    0751  whoever starts master
 *     config/      2750  watcher's user, worker's group: the creator's files get that group
 *     sessions/    0700  worker's user
 *     bridge/      0710  whoever starts master, worker's group; unprivileged: 0700
 *     bridge/socket 0600 worker's user
 *     gatehouse.pid 0600 whoever starts master (see pid_file.h)
 */
#ifndef GATEHOUSE_MASTER_STATE_DIRECTORY_H
#define GATEHOUSE_MASTER_STATE_DIRECTORY_H

#include "shared/settings.h"
#include "shared/store.h"

#include <stdbool.h>

/* Makes what is missing, sets owners and modes, and holds the pid file for good. 0 or -errno with
 * *what, the path's name for a message. */
int state_directory_prepare(const struct settings *settings, const char **what);

/* Binds the bridge's socket anew, after state_directory_prepare: a listening descriptor, or -errno
 * with *what. */
int state_directory_bind(const struct settings *settings, const char **what);

/* Whether the environment was ever made. */
bool state_directory_has(const struct settings *settings, enum store_environment environment);

/* Renames the environment's directory to NAME.bad-TIME and makes it anew, empty. `moved` gets the
 * new name. 0 or -errno. */
int state_directory_retire(const struct settings *settings, enum store_environment environment,
                           char *moved, size_t room);

#endif
