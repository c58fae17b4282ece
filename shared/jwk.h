/* jwk.h: JSON Web Key Sets (RFC 7517), read strictly. Pure: no key is prepared here.
 *
 * Called by the watcher (static_jwks and fetched sets). A bad key is skipped and named, not the
 * set.
 */
#ifndef GATEHOUSE_SHARED_JWK_H
#define GATEHOUSE_SHARED_JWK_H

#include "shared/arena.h"
#include "shared/buffer.h"
#include "shared/digest.h"
#include "shared/slice.h"

/* Keys; bytes of the text; bytes of a key's kid. */
enum { JWK_SET_MAX = 256, JWK_SET_SIZE_MAX = 1024 * 1024, JWK_KID_MAX = 255 };
/* Bytes of a number: an RSA modulus of 8192 bits, a public exponent as OpenSSL bounds it. */
enum { JWK_MODULUS_MAX = 1024, JWK_EXPONENT_MAX = 8, JWK_COORDINATE_MAX = 66 };

enum jwk_type { JWK_RSA, JWK_EC, JWK_OKP };

struct jwk {
    size_t index;     /* of the key in the set it was read from */
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

/* 0, or -EINVAL with *reason (a literal) when the text is no JWK set at all, -ENOMEM. An empty set
 * is a set. Memory is the arena's. Refusals are: `oct` and other types, `use` other than sig,
 * key_ops without verify, private members, missing members, and numbers that are not canonical
 * base64url of the size that RFC 7518 (6.2.1, 6.3.1) and RFC 8037 (2) ask for. */
int jwk_set_parse(struct slice text, struct arena *arena, struct jwk_set *out, const char **reason);

/* The RFC 7638 thumbprint: SHA-256 of the key's required members. 0 or -ENOMEM. */
int jwk_thumbprint(const struct jwk *key, struct digest *out);
/* Appends the public key as a JSON object, with `use` sig, and kid and alg unless they are empty.
 * 0 or -ENOMEM. */
int jwk_append(const struct jwk *key, struct buffer *out);

#endif
