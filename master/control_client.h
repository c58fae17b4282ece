/* control_client.h: one question to the watcher of a running service, for commands.
 *
 * Called by revoke_command and drain_command. Never by master itself, which has a channel.
 */
#ifndef GATEHOUSE_MASTER_CONTROL_CLIENT_H
#define GATEHOUSE_MASTER_CONTROL_CLIENT_H

#include "shared/control_message.h"

enum { CONTROL_CLIENT_TIMEOUT = 10 }; /* seconds */

/* `state_dir`: NUL-terminated. *fd is owned. -ENOENT or -ECONNREFUSED: no watcher is there;
 * -EACCES: not for this user. */
int control_client_connect(const char *state_dir, int *fd);

/* `memory` (empty; the caller's to free) holds the answer's text. 0; -ECONNRESET when the watcher
 * ended before it answered: whether it had committed is not known; -EAGAIN when it did not answer
 * in time; -EBADMSG; other errors of sockets. */
int control_client_ask(int fd, const struct control_request *request, struct buffer *memory,
                       struct control_answer *answer);

#endif
