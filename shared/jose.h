/* jose.h: signatures of JSON Web Tokens (RFC 7515, 7517, 7518, 8037), by OpenSSL.
 *
 * The only file that knows <openssl/evp.h>. Workers verify with prepared keys; the watcher turns a
 * JWK into DER; the token command generates keys and signs. Symmetric algorithms and `none` do not
 * exist here, so no input can choose them.
 */
#ifndef GATEHOUSE_SHARED_JOSE_H
#define GATEHOUSE_SHARED_JOSE_H

#include "shared/buffer.h"
#include "shared/digest.h"
#include "shared/jwk.h"
#include "shared/slice.h"

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

enum { JOSE_ALL = (1 << JOSE_ALGORITHMS) - 1, JOSE_RSA_BITS_MIN = 2048, JOSE_RSA_BITS_MAX = 8192 };

/* -1 for any name that is not exactly one of ours. */
int jose_algorithm_from_name(struct slice name);
const char *jose_algorithm_name(enum jose_algorithm algorithm);

struct jose_key; /* a public or private key, prepared; owned by who made it; one thread */

/* From SubjectPublicKeyInfo (DER). `algorithms`: bits it may verify. -EINVAL when the key is not
 * of a kind, curve or size that we take. */
int jose_key_from_der(struct jose_key **out, struct slice der, uint32_t algorithms);
/* From a private key in PEM (the token command). */
int jose_key_from_pem(struct jose_key **out, struct slice pem);
int jose_key_generate(struct jose_key **out, enum jose_algorithm algorithm);
void jose_key_free(struct jose_key *key);

/* The bits of algorithms that fit the key's type, curve and (for RSA) size. */
uint32_t jose_key_algorithms(const struct jose_key *key);
int jose_key_private_pem(const struct jose_key *key, struct buffer *out); /* wipe out after use */
/* Appends the kid that our own keys bear: the RFC 7638 thumbprint in base64url. */
int jose_key_kid(const struct jose_key *key, struct buffer *out);
/* The public half as a JWK object, with kid (its RFC 7638 thumbprint), use and alg. */
int jose_key_public_jwk(const struct jose_key *key, enum jose_algorithm algorithm,
                        struct buffer *out);

/* SubjectPublicKeyInfo of a parsed JWK, and the algorithms that it may verify: those that fit the
 * key, narrowed by its `alg`. -EINVAL with *reason (a literal) when it is refused. */
int jose_jwk_to_der(const struct jwk *jwk, struct buffer *der, uint32_t *algorithms,
                    const char **reason);

/* 0 when the raw JWS signature (not DER; exact length) over `input` is right, -EACCES when not,
 * -EINVAL when the key may not verify `algorithm`. */
int jose_verify(struct jose_key *key, enum jose_algorithm algorithm, struct slice input,
                struct slice signature);
/* As jose_verify, and when it is right gives the SHA-256 of `input`, which most algorithms make. */
int jose_verify_digest(struct jose_key *key, enum jose_algorithm algorithm, struct slice input,
                       struct slice signature, struct digest *digest);
/* Appends the raw JWS signature. -EINVAL when the key has no private half, or one that does not
 * fit `algorithm`. */
int jose_sign(struct jose_key *key, enum jose_algorithm algorithm, struct slice input,
              struct buffer *out);

#endif
