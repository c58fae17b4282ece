/* log_file.h: the configured log and audit trail, opened by master and inherited or passed on as
 * descriptors.
 *
 * Called by the supervisor at start, at SIGHUP and at SIGUSR1. Lines are written by shared/log.h
 * and worker/audit.h.
 */
#ifndef GATEHOUSE_MASTER_LOG_FILE_H
#define GATEHOUSE_MASTER_LOG_FILE_H

#include "shared/slice.h"

/* A close-on-exec descriptor of a setting's output: the file, opened to append and made when it is
 * missing, or ("stderr", or empty) `original`, the standard error that master was started with: a
 * pipe or terminal as a file of its own that does not block, so that who does not read it stops
 * nobody, anything else as a duplicate. Owned by the caller; -errno. /dev/null and /dev/full are
 * files, too; a link, pipe, directory or other device in the file's place is -EINVAL or -ELOOP. */
int log_file_open(struct slice output, int original);

#endif
