/* store_files.h: an environment's directory and files, as the file system sees them.
 *
 * Called by the store alone. Files are touched by path, and never opened once LMDB has them open in
 * this process: closing a descriptor of theirs would drop its locks.
 */
#ifndef GATEHOUSE_SHARED_STORE_FILES_H
#define GATEHOUSE_SHARED_STORE_FILES_H

#include "shared/store_database.h"

#include <sys/types.h>

/* 0; -ENOENT when there is no data file or, if it is asked for too, no lock file; other -errno. */
int store_files_exist(const char *directory, bool lock);

/* Makes the directory (config: 0750, sessions: 0700). One that is there keeps the owner, group and
 * mode that master gave it. */
int store_files_make(const char *directory, enum store_environment environment);

/* Before LMDB opens the environment: gives the lock file `size` bytes of disk. LMDB writes to it
 * through memory, where a full disk would end the process by SIGBUS, and sets its length. */
int store_files_fill_lock(const char *directory, off_t size);

/* The mode of the data file: config 0640, sessions 0600. */
mode_t store_files_mode(enum store_environment environment);

/* Gives the files their modes, whatever the umask was, and the directory's group. The lock file is
 * 0660: who only reads must write it, too. -EPERM when the group is not ours to give. */
int store_files_protect(const char *directory, enum store_environment environment);

#endif
