/* Any input: what is accepted lies within the input, and is accepted again when cut at its size. */
#include "worker/http_head.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct slice whole, struct slice part)
{
    if (part.size > 0 &&
        (part.data < whole.data || part.data + part.size > whole.data + whole.size))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_make((const char *)data, size);
    struct http_request request;
    struct slice token;
    const char *reason;
    long used = http_request_parse(input, 4096, &request, &reason);

    if (used > (long)size || (used > 0 && used > 4096) || (used < 0 && reason[0] == '\0'))
        abort();
    if (used <= 0)
        return 0;
    check(input, request.method_text);
    check(input, request.host);
    for (size_t i = 0; i < request.header_count; i++) {
        check(input, request.headers[i].name);
        check(input, request.headers[i].value);
        (void)http_connection_names(request.headers, request.header_count, request.headers[i].name);
    }
    if (http_bearer(&request, &token) == 1) {
        check(input, token);
        (void)http_is_b64token(token);
    }
    if (http_request_parse(slice_make(input.data, (size_t)used - 1), 4096, &request, &reason) != 0)
        abort();
    return 0;
}
