/* log_file.h: the configured log, opened by master and inherited or passed on as a descriptor.
 *
 * Called by the supervisor at start, at SIGHUP and at SIGUSR1. Lines are written by shared/log.h.
 */
#ifndef GATEHOUSE_MASTER_LOG_FILE_H
#define GATEHOUSE_MASTER_LOG_FILE_H

#include "shared/settings.h"

/* A close-on-exec descriptor of the settings' log: the file, opened to append and made when it is
 * missing, or a duplicate of `original`, the standard error that master was started with. Owned by
 * the caller; -errno. A link, pipe or directory in the file's place is -EINVAL or -ELOOP. */
int log_file_open(const struct settings *settings, int original);

#endif
