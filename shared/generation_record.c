#include "shared/generation_record.h"

#include "shared/record.h"

#include <errno.h>

void generation_record_key(struct store_key *key)
{
    store_key_of(key, slice_from("generation"));
}

int generation_record_encode(uint64_t generation, struct buffer *out)
{
    struct record_writer writer;

    record_begin(&writer, out, '1');
    record_put_number(&writer, "generation", (int64_t)generation);
    return record_finish(&writer);
}

int generation_record_decode(struct slice bytes, uint64_t *generation)
{
    struct record_reader reader;

    record_open(&reader, bytes, '1');
    *generation = (uint64_t)record_get_range(&reader, "generation", 0, INT64_MAX);
    return record_end(&reader);
}
