/* Parses any bytes as a URI; what is accepted keeps the parser's promises. */
#include "shared/uri.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make((const char *)data, size);
    const char *reason;
    struct uri uri;

    if (uri_parse(text, &uri, &reason) != 0) {
        if (reason == NULL)
            abort();
        return 0;
    }
    if (uri.port == 0 || uri.host.size == 0 || (!uri.host_is_ip && !uri_is_dns_name(uri.host)) ||
        (uri.path.size > 0 && uri.path.data[0] != '/'))
        abort();
    for (size_t i = 0; i < size; i++)
        if (data[i] <= ' ' || data[i] >= 0x7f)
            abort();
    uri_is_loopback(&uri);
    return 0;
}
