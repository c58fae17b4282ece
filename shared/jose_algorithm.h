/* jose_algorithm.h: the signature algorithms of JSON Web Tokens (RFC 7518, 3.1; RFC 8037, 3.1).
 *
 * Symmetric algorithms and `none` do not exist here, so no input can choose them. Pure: the names,
 * and what each asks of a key; jose_key.h and jose.h do the rest. Called by every process.
 */
#ifndef GATEHOUSE_SHARED_JOSE_ALGORITHM_H
#define GATEHOUSE_SHARED_JOSE_ALGORITHM_H

#include "shared/slice.h"

#include <stddef.h>
#include <stdint.h>

enum jose_algorithm {
    JOSE_RS256,
    JOSE_RS384,
    JOSE_RS512,
    JOSE_PS256,
    JOSE_PS384,
    JOSE_PS512,
    JOSE_ES256,
    JOSE_ES384,
    JOSE_ES512,
    JOSE_EDDSA, /* Ed25519 only */
    JOSE_ALGORITHMS,
};

enum { JOSE_ALL = (1 << JOSE_ALGORITHMS) - 1 };

enum jose_family { JOSE_PKCS1, JOSE_PSS, JOSE_ECDSA, JOSE_ED25519 };

/* Of the jose files alone. */
struct jose_rule {
    const char *name;
    enum jose_family family;
    const char *digest; /* NULL: the algorithm has its own */
    const char *curve;  /* crv of a JWK; NULL: not EC or OKP */
    const char *group;  /* OpenSSL's name of an EC curve */
    size_t number;      /* bytes of r and of s; of an EdDSA signature's half */
};
extern const struct jose_rule jose_rules[JOSE_ALGORITHMS];

/* -1 for any name that is not exactly one of ours. */
int jose_algorithm_from_name(struct slice name);
const char *jose_algorithm_name(enum jose_algorithm algorithm);

static inline uint32_t jose_algorithm_bit(enum jose_algorithm algorithm)
{
    return UINT32_C(1) << algorithm;
}

#endif
