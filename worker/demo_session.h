/* demo_session.h: the demo server's MCP sessions (revisions up to 2025-11-25).
 *
 * Kept in memory, in a ring of a fixed size: the oldest makes room for a new one, so that clients
 * which never send DELETE (most do not) cost nothing. Called by the demo server alone.
 */
#ifndef GATEHOUSE_WORKER_DEMO_SESSION_H
#define GATEHOUSE_WORKER_DEMO_SESSION_H

#include "shared/slice.h"

enum { DEMO_SESSIONS_MAX = 1024, DEMO_SESSION_ID_SIZE = 32 };

struct demo_sessions {
    char ids[DEMO_SESSIONS_MAX][DEMO_SESSION_ID_SIZE + 1]; /* "" when unused */
    size_t next;
};

/* A new session's random id, 32 hex digits and a NUL; NULL when the system gives no randomness.
 * Borrowed until another session takes its place. */
const char *demo_session_add(struct demo_sessions *sessions);
bool demo_session_exists(const struct demo_sessions *sessions, struct slice id);
/* false when there is no such session. */
bool demo_session_remove(struct demo_sessions *sessions, struct slice id);

#endif
