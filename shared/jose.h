/* jose.h: signatures of JSON Web Tokens (RFC 7515), by OpenSSL.
 *
 * Workers verify with prepared keys; the token command signs. Keys are jose_key.h's.
 */
#ifndef GATEHOUSE_SHARED_JOSE_H
#define GATEHOUSE_SHARED_JOSE_H

#include "shared/buffer.h"
#include "shared/digest.h"
#include "shared/jose_key.h"
#include "shared/slice.h"

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
