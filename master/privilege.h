/* privilege.h: users: who a child becomes, and whom a file must be safe from.
 *
 * Called by master when it reads settings, and by a fresh child between fork and exec. Users are
 * used only when master runs as root; otherwise every process stays who it is.
 */
#ifndef GATEHOUSE_MASTER_PRIVILEGE_H
#define GATEHOUSE_MASTER_PRIVILEGE_H

#include "shared/settings.h"

#include <stdbool.h>
#include <sys/types.h>

enum { PRIVILEGE_NOBODY = 65534 }; /* the reader, before any user is known */

/* Whether a child of this user changes its ids. */
bool privilege_changes(const struct settings_user *user);

/* The user id that a child of this user runs with. */
uid_t privilege_uid(const struct settings_user *user);

/* Becomes the user for good, without further groups; proves that there is no way back. 0 or
 * -errno; after an error the process must end. */
int privilege_drop(const struct settings_user *user);

/* 0, or -EPERM with *reason a sentence's end, when users are named that would not separate. */
int privilege_check_users(const struct settings *settings, const char **reason);

/* A file with privileged facts: regular, and not writable by the service's users. 0 or -errno with
 * *reason ("is not a regular file"). */
int privilege_check_file(int fd, const struct settings *settings, const char **reason);

/* The same for a directory: who can write it can put another in place of what is in it. */
int privilege_check_directory(int fd, const struct settings *settings, const char **reason);

/* Logs which separations are in force. */
void privilege_report(const struct settings *settings);

#endif
