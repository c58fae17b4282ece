/* jose_jwk.h: keys as JWKs (RFC 7517), and JWKs as keys, by OpenSSL.
 *
 * The watcher turns the JWKs of issuers into DER, for the config store; the token command tells
 * what a key of its own is as a JWK. What a JWK's text says is jwk.h's.
 */
#ifndef GATEHOUSE_SHARED_JOSE_JWK_H
#define GATEHOUSE_SHARED_JOSE_JWK_H

#include "shared/jose_key.h"
#include "shared/jwk.h"

/* SubjectPublicKeyInfo of a parsed JWK, and the algorithms that it may verify: those that fit the
 * key, narrowed by its `alg`. -EINVAL with *reason (a literal) when it is refused. */
int jose_jwk_to_der(const struct jwk *jwk, struct buffer *der, uint32_t *algorithms,
                    const char **reason);

/* Appends the kid that our own keys bear: the RFC 7638 thumbprint in base64url. */
int jose_jwk_kid(const struct jose_key *key, struct buffer *out);
/* Appends the public half as a JWK object, with kid (its RFC 7638 thumbprint), use and alg. */
int jose_jwk_append(const struct jose_key *key, enum jose_algorithm algorithm, struct buffer *out);

#endif
