/* judgement.h: the claims of a parsed token against an app's binding, at a given time. Pure.
 *
 * Called by authenticate before any signature is checked: what passes here is still a stranger's
 * word. Cheap refusals, and the session that the token would get. Reads no clock, no store, no key.
 */
#ifndef GATEHOUSE_WORKER_JUDGEMENT_H
#define GATEHOUSE_WORKER_JUDGEMENT_H

#include "shared/jws.h"
#include "shared/session_record.h"
#include "worker/catalog.h"

enum auth_reason {
    AUTH_OK,
    AUTH_MALFORMED,
    AUTH_ALGORITHM,
    AUTH_ISSUER, /* not bound to this app, or no such app */
    AUTH_EXPIRED,
    AUTH_NOT_YET,
    AUTH_AGE,
    AUTH_AUDIENCE,
    AUTH_KID,
    AUTH_SIGNATURE,
    AUTH_CLAIM,
    AUTH_SCOPE, /* good but for a scope that the config requires: 403, not 401 */
    AUTH_NO_KEYS,
    AUTH_STORE,
    AUTH_REVOKED,
    AUTH_REASONS
};

/* A claim that is judged, and so recorded, besides those that the config names (OpenID Connect
 * Core, 5.1). */
#define JUDGEMENT_EMAIL_VERIFIED "email_verified"

enum {
    JUDGEMENT_ISSUER_MAX = 1024, /* bytes of an `iss` that is looked up at all */
    JUDGEMENT_NAME_MAX = 256,    /* bytes of a user, subject or jti */
};

/* A token's unverified `iss`, decoded into out (JUDGEMENT_ISSUER_MAX bytes): it only picks who is
 * asked. Its size, or -EINVAL when it is absent, empty, no string or too long. */
long judgement_issuer(const struct json_value *issuer, char *out);

struct judgement {
    /* Filled when the reason is AUTH_OK: all but the key's thumbprint, signing input, client
     * address and created. Borrowed from `memory`, the jws, and the binding's config. */
    struct session_record session;
    bool lacks_scope;        /* AUTH_OK, but for scopes that the config requires: to be told to the
                                owner of a proven token alone */
    const char *description; /* a literal for the client; set when the reason is not AUTH_OK */
    struct buffer memory;    /* owned: free with judgement_free */
};

/* `judgement` must be zeroed. `now`: wall seconds. `previous`: the session that this very token
 * already has, judged by what was configured before, or NULL: then its age counts no more, and the
 * new session ends no later than it. */
enum auth_reason judgement_make(struct judgement *judgement, const struct jws *jws,
                                const struct catalog_binding *binding,
                                const struct session_record *previous, int64_t now);
void judgement_free(struct judgement *judgement);

/* The rules that a session's review shares (review.h). Whether a claim is this string, or an array
 * that holds it; whether an email_verified says no, also as some providers write it. */
bool judgement_claim_holds(const struct json_value *claim, struct slice wanted);
bool judgement_email_unverified(const struct json_value *verified);

/* Whether one of the session's audiences is one of the binding's. */
bool judgement_audience_fits(const struct session_record *session,
                             const struct binding_record *binding);

#endif
