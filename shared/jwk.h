/* jwk.h: JSON Web Key Sets (RFC 7517), read strictly. Pure: no key is prepared here.
 *
 * Called by the watcher (static_jwks and fetched sets). A bad key is skipped and named, not the
 * set.
 */
#ifndef GATEHOUSE_SHARED_JWK_H
#define GATEHOUSE_SHARED_JWK_H

#include "shared/arena.h"
#include "shared/slice.h"

enum { JWK_SET_MAX = 256, JWK_SET_SIZE_MAX = 1024 * 1024 }; /* keys; bytes */

enum jwk_type { JWK_RSA, JWK_EC, JWK_OKP };

struct jwk {
    struct slice kid; /* empty when absent */
    enum jwk_type type;
    struct slice alg;    /* empty when absent */
    struct slice curve;  /* EC, OKP: crv */
    struct slice n, e;   /* RSA: decoded bytes */
    struct slice x, y;   /* EC, OKP: decoded bytes */
    char thumbprint[65]; /* RFC 7638, SHA-256, hex, NUL-terminated */
};

struct jwk_refusal {
    size_t index;       /* of the key in the set */
    struct slice kid;   /* may be empty */
    const char *reason; /* a literal */
};

struct jwk_set {
    struct jwk *keys;
    size_t count;
    struct jwk_refusal *refusals;
    size_t refusal_count;
};

/* 0, or -EINVAL with *reason (a literal) when the text is no JWK set at all. An empty set is a
 * set. Memory is the arena's. `oct` keys, `use` other than sig, key_ops without verify and missing
 * members are refusals. */
int jwk_set_parse(struct slice text, struct arena *arena, struct jwk_set *out, const char **reason);

#endif
