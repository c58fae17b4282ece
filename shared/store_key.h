/* store_key.h: how LMDB keys are spelled.
 *
 * Keys are printable, parts are separated by '/', and order is byte order. A part that came from
 * outside is percent-encoded to [A-Za-z0-9._~@-]; when that takes more than 120 bytes, the part is
 * '%' and the SHA-256 of the raw bytes in hex ('%' alone never begins an encoded part's digest
 * form otherwise: an encoded byte is '%' and two upper-case digits; the digest's are lower-case).
 * So a key never exceeds LMDB's 511 bytes, and two raw parts never share a key.
 */
#ifndef GATEHOUSE_SHARED_STORE_KEY_H
#define GATEHOUSE_SHARED_STORE_KEY_H

#include "shared/digest.h"
#include "shared/slice.h"

#include <stdint.h>

enum { STORE_KEY_MAX = 511, STORE_KEY_PART_MAX = 120 };

struct store_key {
    char text[STORE_KEY_MAX + 1]; /* NUL-terminated for logs */
    size_t size;
    bool impossible; /* longer than LMDB takes: a get answers "not found" without asking */
};

void store_key_begin(struct store_key *key);
/* Appends an encoded part; a '/' before it unless it is the first. */
void store_key_part(struct store_key *key, struct slice part);
/* Appends a part of ours as it is (hex, a prefix, a counter): must hold only key characters. */
void store_key_plain(struct store_key *key, const char *part);
/* Appends 16 hex digits, so that byte order is numeric order. */
void store_key_number(struct store_key *key, uint64_t number);
/* Appends sha256(value) in hex: for issuers. */
void store_key_digest(struct store_key *key, struct slice value);
/* A key as it stands in a store, whole. 0, or -EBADMSG: no key is so long. */
int store_key_take(struct store_key *key, struct slice text);
struct slice store_key_slice(const struct store_key *key); /* borrowed from key */

/* Convenience for one-part keys. */
void store_key_of(struct store_key *key, struct slice part);

#endif
