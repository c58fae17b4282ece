/* store_chunk.h: how a record that is too long for one entry is cut. Pure; only the store calls it.
 *
 * In the words of `mdb_dump -p`:
 *
 *     weather         1 name=7:weather ..                      under 2000 bytes: one entry
 *     github          1 name=6:github .. ca_pem=3100:-----BE   exactly 2000 bytes: it goes on
 *     github/1        GIN CERTIFICATE----- ..                  the rest, under 2000 bytes
 *
 * Only a value of exactly 2000 bytes is continued, and it always is (by an empty value at the
 * least), up to the sixteenth continuation. So values need no header of the store's own.
 */
#ifndef GATEHOUSE_SHARED_STORE_CHUNK_H
#define GATEHOUSE_SHARED_STORE_CHUNK_H

#include "shared/arena.h"
#include "shared/slice.h"
#include "shared/store_key.h"

/* Bytes of an entry that goes on; entries of the largest record. */
enum { STORE_CHUNK_SIZE = 2000, STORE_CHUNKS_MAX = 17 };

/* Entries that a record of `size` bytes takes, 1 to STORE_CHUNKS_MAX. */
size_t store_chunk_count(size_t size);

/* The bytes of entry `index`; empty past the end. */
struct slice store_chunk_slice(struct slice record, size_t index);

/* The record that the entries make up, in the arena. 0 or -ENOMEM. */
int store_chunk_join(const struct slice *parts, size_t count, struct arena *arena,
                     struct slice *record);

/* The key of entry `index`: key itself, or key/index. Impossible when it would be too long. */
void store_chunk_key(struct store_key *out, struct slice key, size_t index);

/* Whether the key is spelled like a continuation (it ends in /1 .. /16), and then of which key.
 * It is one only if that key's entry is STORE_CHUNK_SIZE bytes long. */
bool store_chunk_parent(struct slice key, struct slice *parent);

#endif
