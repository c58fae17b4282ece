/* control.h: the watcher's control socket: revocations by command.
 *
 * Its users are root and the watcher's own user, told by the kernel (SO_PEERCRED); a client has one
 * request, CONTROL_TIMEOUT and one answer, which leaves after the handler returned. Never blocks,
 * knows nothing of stores.
 */
#ifndef GATEHOUSE_CONF_CONTROL_H
#define GATEHOUSE_CONF_CONTROL_H

#include "shared/control_message.h"

#include <sys/types.h>

enum { CONTROL_CLIENTS_MAX = 16 }; /* at once; others wait to be accepted */
#define CONTROL_TIMEOUT 5.0        /* seconds */

struct ev_loop;
struct control;

/* Answers a request of `uid`. The answer's text: borrowed until the next call. */
typedef void (*control_handler)(void *context, const struct control_request *request, uid_t uid,
                                struct control_answer *answer);

/* Makes the socket, in the place of one that an earlier watcher left, and listens. `state_dir` is
 * NUL-terminated. *out is owned. 0 or -errno. */
int control_open(struct control **out, struct ev_loop *loop, const char *state_dir,
                 control_handler handler, void *context);
void control_close(struct control *control); /* NULL is ignored */

#endif
