/* review.h: a session judged anew by what it recorded, when its token is not at hand.
 *
 * For open streams, after the config, its keys or the revocations changed: still good, they go on.
 * What the session did not record cannot be judged, and ends it. Never makes a session longer, nor
 * repeats the check of its token's age. Called by authenticate for exchanges.
 */
#ifndef GATEHOUSE_WORKER_REVIEW_H
#define GATEHOUSE_WORKER_REVIEW_H

#include "worker/judgement.h"

/* AUTH_OK, AUTH_STORE when the catalog cannot be read now, or the reason that ends it, with
 * *description (a literal for the client). `now`: wall seconds. Revocations are not asked here. */
enum auth_reason review_session(struct catalog *catalog, const struct session_record *session,
                                int64_t now, const char **description);

#endif
