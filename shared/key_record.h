/* key_record.h: one public key of a config; the value in `keys`, keyed by config/kid/n.
 *
 * `n` counts keys of one kid. Written by the watcher, read and prepared by workers.
 */
#ifndef GATEHOUSE_SHARED_KEY_RECORD_H
#define GATEHOUSE_SHARED_KEY_RECORD_H

#include "shared/buffer.h"
#include "shared/slice.h"

#include <stdint.h>

struct key_record {
    struct slice kid;
    uint32_t algorithms;     /* bits of 1 << enum jose_algorithm that this key may verify */
    struct slice der;        /* SubjectPublicKeyInfo */
    struct slice thumbprint; /* RFC 7638, SHA-256, 64 hex digits */
    int64_t fetched;         /* wall seconds */
    int64_t good_until;      /* wall seconds; 0: as long as it is here (static_jwks) */
};

int key_record_encode(const struct key_record *key, struct buffer *out);
int key_record_decode(struct slice bytes, struct key_record *out);

#endif
