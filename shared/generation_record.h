/* generation_record.h: the number of the last config transaction; `meta`, key "generation".
 *
 * Written by the watcher with every transaction; compared by workers with the public scoreboard, so
 * that a snapshot that was turned back is noticed.
 */
#ifndef GATEHOUSE_SHARED_GENERATION_RECORD_H
#define GATEHOUSE_SHARED_GENERATION_RECORD_H

#include "shared/buffer.h"
#include "shared/slice.h"
#include "shared/store_key.h"

#include <stdint.h>

void generation_record_key(struct store_key *key);
int generation_record_encode(uint64_t generation, struct buffer *out);
/* 0 or -EBADMSG. */
int generation_record_decode(struct slice bytes, uint64_t *generation);

#endif
