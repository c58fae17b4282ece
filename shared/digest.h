/* digest.h: SHA-256 (FIPS 180-4), for session ids, key parts and fingerprints.
 *
 * Pure; called by every process. Signatures are not made here: see jose.h.
 */
#ifndef GATEHOUSE_SHARED_DIGEST_H
#define GATEHOUSE_SHARED_DIGEST_H

#include "shared/slice.h"

#include <stdint.h>

enum { DIGEST_SIZE = 32, DIGEST_HEX_SIZE = 64 };

struct digest {
    uint8_t bytes[DIGEST_SIZE];
};

/* SHA-256 of one run of bytes. */
void digest_of(struct slice data, struct digest *out);

/* SHA-256 of several runs, one after the other, with nothing between them. */
void digest_of_parts(const struct slice *parts, size_t count, struct digest *out);

/* 64 lower-case hexadecimal digits, and a NUL. */
void digest_hex(const struct digest *digest, char out[DIGEST_HEX_SIZE + 1]);

/* Equality in a time that does not depend on the bytes; different sizes differ at once. */
bool digest_equal_secret(struct slice a, struct slice b);

#endif
