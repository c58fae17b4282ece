#include "worker/standing.h"

#include "shared/clock.h"
#include "shared/session_store.h"
#include "worker/audit_event.h"
#include "worker/review.h"

#include <errno.h>

const char *standing_reason(bool locked)
{
    return locked ? "access is locked" : "the token was revoked";
}

/* Whether its config still binds the app, and as when the session was judged: the same under one
 * generation. */
static bool standing_fits(struct standings *standings, struct slice app,
                          struct known_session *known)
{
    const struct session_record *session = &known->record;
    uint64_t generation = catalog_generation(standings->catalog);
    const struct catalog_binding *binding;

    if (known->fits && known->generation == generation)
        return true;
    binding = catalog_binding_find(standings->catalog, app, session->issuer);
    known->generation = generation;
    known->fits = binding != NULL && slice_equal(binding->config.name, session->config) &&
                  binding->config.revision == session->revision &&
                  judgement_audience_fits(session, &binding->record);
    return known->fits;
}

enum standing standing_find(struct standings *standings, const struct session_id *id,
                            struct slice app, const struct session_record **session, int *error)
{
    struct known_session *known;
    bool fits, locked;

    *error = known_sessions_find(&standings->known, standings->sessions, id, &known);
    if (*error == -ENOENT || *error == -EBADMSG)
        return STANDING_NONE;
    if (*error != 0)
        return STANDING_UNKNOWN;
    *session = &known->record;
    if (!slice_equal(known->record.app, app))
        return STANDING_NONE;
    if (known->record.expires <= clock_wall_seconds()) {
        audit_session_end(standings->audit, id, &known->record, "it expired");
        return STANDING_NONE;
    }
    fits = standing_fits(standings, app, known);
    *error = catalog_error(standings->catalog);
    if (*error != 0)
        return STANDING_UNKNOWN;
    if (!fits)
        return STANDING_OLD;
    *error = catalog_shut_out(standings->catalog, id, &known->record, &locked);
    if (*error == 0)
        return STANDING_CURRENT;
    if (*error < 0)
        return STANDING_UNKNOWN;
    audit_session_end(standings->audit, id, &known->record, standing_reason(locked));
    return locked ? STANDING_LOCKED : STANDING_REVOKED;
}

enum auth_reason standing_review(struct standings *standings, const struct session_id *id,
                                 struct slice app, struct session_record *session,
                                 const char **description)
{
    bool locked;
    int error = session_store_find(standings->sessions, id, session);

    if (error == -ENOENT || error == -EBADMSG || (error == 0 && !slice_equal(session->app, app))) {
        *description = "the session is over";
        return AUTH_EXPIRED;
    }
    if (error != 0)
        return AUTH_STORE;
    error = catalog_shut_out(standings->catalog, id, session, &locked);
    if (error == 1) {
        *description = standing_reason(locked);
        audit_session_end(standings->audit, id, session, *description);
        return AUTH_REVOKED;
    }
    if (error != 0)
        return AUTH_STORE;
    return review_session(standings->catalog, session, clock_wall_seconds(), description);
}
