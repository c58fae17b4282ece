/* verification.h: a token that no session answers for: taken apart, judged, and proven, in the
 * order of cost.
 *
 * Called by authenticate, which decides what waits and what is kept. Counts the public-key
 * operations, and nothing else.
 */
#ifndef GATEHOUSE_WORKER_VERIFICATION_H
#define GATEHOUSE_WORKER_VERIFICATION_H

#include "worker/judgement.h"

enum { VERIFICATION_KEYS_TRIED = 8 }; /* public-key operations for one token */

struct verification {
    /* given, borrowed */
    struct catalog *catalog;
    struct scoreboard_block *block;
    struct slice app, token, client_address;
    const struct session_record *previous; /* see judgement_make */
    bool
        stands; /* `previous` is good as it is: no session is to be made, its token's only proven */
    /* result */
    const struct catalog_binding *binding; /* of the token's issuer; NULL while it is not known */
    struct judgement judgement;            /* its session is whole when the reason is AUTH_OK */
    const char *description;               /* a literal; when the reason is not AUTH_OK */
    /* private */
    struct digest digest; /* SHA-256 of the signing input, once proven; not when `stands` */
    char signing_input[DIGEST_HEX_SIZE + 1];
    struct jws jws; /* comes last: it is most of it, and not cleared */
};

/* AUTH_OK: proven. AUTH_KID: all is well but that there is no such key (binding is set).
 * AUTH_SCOPE: proven, but the token lacks scopes that the binding's config requires.
 * AUTH_STORE: the catalog could not be read. Everything else refuses the token. Begin it, then set
 * what is given; then verification_free. */
void verification_begin(struct verification *verification);
enum auth_reason verification_make(struct verification *verification);
void verification_free(struct verification *verification);

#endif
