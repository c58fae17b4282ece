/* connect_restore.h: what a client has told its session, told again to the next one.
 *
 * A new session of a server of before 2026-07-28 knows nothing of the log level that was set, and
 * of the resources that were subscribed to: the client would wait for updates that never come.
 * Noted when the server has agreed; told again, a few at once, before any message that waits for
 * the session goes on. What the server then refuses is said on standard error, and no more: the
 * client has its answer. Called by connect_session.c and connect_answer.c.
 */
#ifndef GATEHOUSE_WORKER_CONNECT_RESTORE_H
#define GATEHOUSE_WORKER_CONNECT_RESTORE_H

#include "shared/buffer.h"

#include <stdbool.h>

enum {
    CONNECT_RESTORE_URIS = 256,          /* more than clients subscribe to */
    CONNECT_RESTORE_TEXT_MAX = 8 * 1024, /* bytes of a URI, or of a level */
};

struct connect;
struct connect_call;

/* Zeroed: nothing was told. */
struct connect_restore {
    struct buffer level;                      /* decoded; empty: none was set */
    struct buffer uris[CONNECT_RESTORE_URIS]; /* decoded; each once */
    size_t count;
    bool full_said;
    /* While it is told again. */
    size_t told, waiting; /* of level and URIs together; without an answer */
};

/* The server agreed to that request of the client's. */
void connect_restore_note(struct connect_restore *restore, const struct connect_call *call);
/* Tells the new session. false: there is nothing to wait for. */
bool connect_restore_begin(struct connect *connect);
/* One was answered, or failed: tells the next. false: there is nothing more to wait for. */
bool connect_restore_next(struct connect *connect);
/* The client opens a session of its own: what it told the last one is over. */
void connect_restore_clear(struct connect_restore *restore);

#endif
