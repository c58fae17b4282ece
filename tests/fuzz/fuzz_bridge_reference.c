/* Any bytes: what is taken leads to a path of the same origin that can stand in a request line. */
#include "worker/bridge_reference.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct bridge_origin base = {.tls = false,
                                              .host = {.data = "h.example", .size = 9},
                                              .port = 8080,
                                              .path = {.data = "/a/sse?q", .size = 8}};
    struct buffer out = {0};
    const char *reason = NULL;

    if (bridge_reference_resolve(&base, slice_make((const char *)data, size), &out, &reason) != 0) {
        check(reason != NULL && buffer_size(&out) == 0);
        return 0;
    }
    check(buffer_size(&out) > 0 && buffer_data(&out)[0] == '/');
    for (size_t i = 0; i < buffer_size(&out); i++)
        check(buffer_data(&out)[i] > ' ' && buffer_data(&out)[i] <= '~');
    buffer_free(&out);
    return 0;
}
