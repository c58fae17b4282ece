/* Any input: what is accepted lies within the input, and one byte less of it is incomplete. */
#include "worker/http_head.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_make((const char *)data, size);
    struct http_response response;
    const char *reason;
    long used = http_response_parse(input, 4096, &response, &reason);

    if (used > (long)size || (used > 0 && used > 4096) || (used < 0 && reason[0] == '\0'))
        abort();
    if (used <= 0)
        return 0;
    for (size_t i = 0; i < response.header_count; i++) {
        if (!http_is_token(response.headers[i].name) ||
            !http_is_field_value(response.headers[i].value))
            abort();
    }
    if (http_response_parse(slice_make(input.data, (size_t)used - 1), 4096, &response, &reason) !=
        0)
        abort();
    return 0;
}
