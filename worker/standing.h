/* standing.h: whether the session that a token began stands now.
 *
 * Unexpired, its own app's, its config as when it was judged, and not shut out: all that a request
 * in a known session is asked, without its token. The authenticator's, for requests and for streams
 * that are open; keeps the sessions that were looked up last. Makes no session, and ends none: what
 * it finds to be over it tells the audit trail.
 */
#ifndef GATEHOUSE_WORKER_STANDING_H
#define GATEHOUSE_WORKER_STANDING_H

#include "worker/audit.h"
#include "worker/catalog.h"
#include "worker/judgement.h"
#include "worker/known_session.h"

enum standing {
    STANDING_NONE,
    STANDING_OLD, /* another revision of the config judged it */
    STANDING_CURRENT,
    STANDING_REVOKED,
    STANDING_LOCKED,
    STANDING_UNKNOWN, /* the store, or the catalog, cannot be read now */
};

/* All but `known` are borrowed. */
struct standings {
    struct store *sessions;
    struct catalog *catalog;
    struct audit *audit;
    struct known_sessions known; /* zeroed at first; given back with known_sessions_free */
};

/* *session: unless NONE or UNKNOWN, its record, borrowed until the next look; else undefined.
 * *error: of UNKNOWN, why. */
enum standing standing_find(struct standings *standings, const struct session_id *id,
                            struct slice app, const struct session_record **session, int *error);

/* What the caller of a session that is shut out is told: a literal. */
const char *standing_reason(bool locked);

/* A session that was accepted, judged by its record alone: see authenticator_review. */
enum auth_reason standing_review(struct standings *standings, const struct session_id *id,
                                 struct slice app, struct session_record *session,
                                 const char **description);

#endif
