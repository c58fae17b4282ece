/* signal.h: master's signals, blocked before the first fork and read from a descriptor.
 *
 * Called by the supervisor, and by a fresh child before exec. No handler ever runs.
 */
#ifndef GATEHOUSE_MASTER_SIGNAL_H
#define GATEHOUSE_MASTER_SIGNAL_H

/* Blocks SIGTERM, SIGINT, SIGHUP, SIGUSR1 and SIGCHLD, ignores SIGPIPE. A close-on-exec,
 * non-blocking signalfd, or -errno. */
int signal_open(void);

/* The next signal's number; 0 when there is none now. */
int signal_next(int fd);

/* In a child before exec: default dispositions, nothing blocked but what must not end it before it
 * runs. 0 or -errno. */
int signal_restore(void);

#endif
