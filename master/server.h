/* server.h: one stdio server's process: forked by its guardian, stripped of all that is ours, and
 * made the command. Called by the guardian, which is the server's user already.
 */
#ifndef GATEHOUSE_MASTER_SERVER_H
#define GATEHOUSE_MASTER_SERVER_H

#include "shared/channel.h"
#include "shared/stdio_app.h"

#include <sys/types.h>

/* Starts the command with `fds` as its standard input, output and error, in a session of its own.
 * It has the environment that server.c names and the document's, its limits, no other descriptor,
 * and dies with the caller. Its process id; or -errno with the stage that failed. Waits until the
 * command runs, or cannot. */
pid_t server_start(const struct stdio_app *app, const int fds[3], enum guard_stage *stage);

#endif
