/* ecdsa_signature.h: an ECDSA signature's two spellings.
 *
 * JWS writes r and s as two big-endian numbers of the curve's size (RFC 7518, 3.4); OpenSSL wants
 * the DER of Ecdsa-Sig-Value (RFC 3279, 2.2.3). Pure; called by jose.c alone. Proves nothing.
 */
#ifndef GATEHOUSE_SHARED_ECDSA_SIGNATURE_H
#define GATEHOUSE_SHARED_ECDSA_SIGNATURE_H

#include "shared/slice.h"

#include <stdint.h>

/* Bytes of one number on the largest curve (P-521), and of the largest DER. */
enum { ECDSA_NUMBER_MAX = 66, ECDSA_DER_MAX = 2 * (ECDSA_NUMBER_MAX + 3) + 3 };

/* `raw` is two numbers of equal size, at most ECDSA_NUMBER_MAX each. The size of the DER in `out`,
 * or -EINVAL. */
int ecdsa_signature_to_der(struct slice raw, uint8_t out[ECDSA_DER_MAX]);

/* Two numbers of `size` bytes each into out[0..2 * size). 0, or -EINVAL for what is not exactly
 * one signature whose numbers fit. */
int ecdsa_signature_from_der(struct slice der, size_t size, uint8_t *out);

#endif
