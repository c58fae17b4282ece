/* connect_session.h: the session with a server of before 2026-07-28: opened, lost, opened anew.
 *
 * The client's own `initialize` and `notifications/initialized` are recorded; when a server has
 * forgotten the session (404), both are sent again, then what connect_restore.h noted, and the
 * client notices nothing, if the server that answers is the same.
 */
#ifndef GATEHOUSE_WORKER_CONNECT_SESSION_H
#define GATEHOUSE_WORKER_CONNECT_SESSION_H

#include "worker/connect_call.h"

/* The client's `initialize` was answered with a result. */
void connect_session_opened(struct connect_call *call, const struct connect_message *answer);
/* `notifications/initialized` was taken: the session's own stream may open. */
void connect_session_settled(struct connect_call *call);
/* The server does not know the session any more: opens it anew, unless that is on its way. */
void connect_session_lost(struct connect *connect);
/* The replayed `initialize` was answered. */
void connect_session_replayed(struct connect_call *call, const struct connect_message *answer);
/* One thing of what it is told again was answered, or could not be told. */
void connect_session_told(struct connect *connect);
/* It cannot be opened anew: who waits for it is told. */
void connect_session_failed(struct connect *connect, const char *words);
void connect_session_free(struct connect_session *session);

#endif
