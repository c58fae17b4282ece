/* jose_key_parts.h: a key as OpenSSL has it: what the jose files share, and nobody else sees.
 *
 * jose_key.c makes and judges keys, jose_jwk.c brings them to and from JWKs, jose.c signs and
 * verifies with them.
 */
#ifndef GATEHOUSE_SHARED_JOSE_KEY_PARTS_H
#define GATEHOUSE_SHARED_JOSE_KEY_PARTS_H

#include "shared/jose_key.h"

#include <openssl/types.h>

/* What verifying with one algorithm needs, made on first use and used again and again. */
struct jose_prepared {
    EVP_MD *digest;
    EVP_PKEY_CTX *context;
};

struct jose_key {
    EVP_PKEY *key;
    uint32_t fitting; /* algorithms of the key's type */
    uint32_t allowed; /* those that may be used */
    EVP_MD_CTX *work; /* begins anew with every message */
    struct jose_prepared prepared[JOSE_ALGORITHMS];
};

/* The error as it is. OpenSSL keeps its own for the thread; TLS on the same thread must not find
 * ours. */
int jose_key_error(int error);
/* NULL when the key may be used, else a literal; *fitting: the algorithms of its kind. */
const char *jose_key_check(EVP_PKEY *key, uint32_t *fitting);
/* SubjectPublicKeyInfo. 0 or -ENOMEM. */
int jose_key_append_der(EVP_PKEY *key, struct buffer *der);

#endif
