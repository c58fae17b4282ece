/* jose_key.h: a key that signs or verifies: read, judged sound, and prepared, by OpenSSL.
 *
 * Workers read the DER of public keys from the config store; the token command generates keys and
 * reads PEM. Takes no key of a kind, curve or size that no algorithm of ours fits.
 */
#ifndef GATEHOUSE_SHARED_JOSE_KEY_H
#define GATEHOUSE_SHARED_JOSE_KEY_H

#include "shared/buffer.h"
#include "shared/jose_algorithm.h"
#include "shared/slice.h"

#include <stdint.h>

enum { JOSE_RSA_BITS_MIN = 2048, JOSE_RSA_BITS_MAX = 8192 };

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

#endif
