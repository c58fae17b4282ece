/* store_files.h: an environment's directory and files, as the file system sees them.
 *
 * Called by the store alone. Files are touched by path, never opened: closing a descriptor of
 * theirs would drop the locks that LMDB holds in this process.
 */
#ifndef GATEHOUSE_SHARED_STORE_FILES_H
#define GATEHOUSE_SHARED_STORE_FILES_H

#include "shared/store_database.h"

#include <sys/types.h>

/* 0; -ENOENT when there is no data file, or no lock file, which only a writer may make; other
 * -errno. */
int store_files_exist(const char *directory, bool writable);

/* Makes the directory (config: 0750, sessions: 0700). One that is there keeps the owner, group and
 * mode that master gave it. */
int store_files_make(const char *directory, enum store_environment environment);

/* The mode of the data file: config 0640, sessions 0600. */
mode_t store_files_mode(enum store_environment environment);

/* Gives the files their modes, whatever the umask was, and the directory's group. The lock file is
 * 0660: who only reads must write it, too. -EPERM when the group is not ours to give. */
int store_files_protect(const char *directory, enum store_environment environment);

#endif
