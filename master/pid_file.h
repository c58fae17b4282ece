/* pid_file.h: state_dir/gatehouse.pid, locked while its master lives.
 *
 * Master holds it from its start to its end, so that two never serve from one state directory; the
 * commands ask the kernel who holds the lock, and so are never misled by what a dead master left.
 * 0600: whoever could open it could hold the lock as well.
 */
#ifndef GATEHOUSE_MASTER_PID_FILE_H
#define GATEHOUSE_MASTER_PID_FILE_H

#include <sys/types.h>

/* Takes the lock and writes the process id. The descriptor is open until the process ends: closing
 * any descriptor of the file would drop the lock. 0; -EBUSY when another master holds it; -errno.
 */
int pid_file_hold(const char *state_dir);

/* Empties the file that this process holds; the lock goes with the process. */
void pid_file_clear(void);

/* The master that serves from the directory; 0: none; -errno, -EACCES for another user. Never
 * called by master. */
pid_t pid_file_owner(const char *state_dir);

#endif
