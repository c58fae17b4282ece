/* Any input, whole and in pieces of a size that its first byte says, decodes to the same. */
#include "worker/http_chunk.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    enum http_chunk_result result;
    uint64_t hash; /* of the payload */
    size_t used;
};

static struct outcome decode(struct slice input, size_t step)
{
    struct http_chunk_decoder decoder = {0};
    struct outcome outcome = {.result = HTTP_CHUNK_MORE};

    for (size_t at = 0; at < input.size && outcome.result == HTTP_CHUNK_MORE; at += step) {
        struct slice rest = slice_skip(input, at);

        if (rest.size > step)
            rest.size = step;
        do {
            struct slice part;
            size_t used;

            outcome.result = http_chunk_decode(&decoder, rest, &used, &part);
            if (used > rest.size || (outcome.result == HTTP_CHUNK_DATA && part.size == 0))
                abort();
            for (size_t i = 0; i < part.size; i++)
                outcome.hash = outcome.hash * 31 + (unsigned char)part.data[i];
            outcome.used += used;
            rest = slice_skip(rest, used);
        } while (outcome.result == HTTP_CHUNK_DATA);
    }
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome whole;
    struct outcome pieces;
    struct slice input;

    if (size < 2)
        return 0;
    input = slice_make((const char *)data + 1, size - 1);
    whole = decode(input, input.size);
    pieces = decode(input, (size_t)(data[0] % 16) + 1);
    if (whole.result != pieces.result || whole.hash != pieces.hash)
        abort();
    if (whole.result != HTTP_CHUNK_ERROR && whole.used != pieces.used)
        abort();
    return 0;
}
