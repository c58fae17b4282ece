/* Any bytes as a token; and, so that the decoder is passed quickly, as the header and the payload
 * of one (cut at the first NUL). */
#include "shared/base64url.h"
#include "shared/jws.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(struct slice token)
{
    struct jws jws;

    if (jws_parse(token, &jws) == JWS_OK) {
        if (jws.payload.kind != JSON_OBJECT || jws.signature_size == 0 ||
            jws.kid_size >= sizeof(jws.kid) || jws.algorithm >= JOSE_ALGORITHMS ||
            json_members(&jws.payload, NULL, 0, NULL) != 0)
            abort();
    }
    jws_free(&jws);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make((const char *)data, size);
    const char *cut = size == 0 ? NULL : memchr(data, 0, size);
    struct slice header = slice_make(text.data, cut == NULL ? size : (size_t)(cut - text.data));
    struct buffer token = {0};

    parse(text);
    if (base64url_encode(header, &token) != 0 || buffer_append(&token, ".", 1) != 0 ||
        base64url_encode(slice_skip(text, header.size + 1), &token) != 0 ||
        buffer_append(&token, ".c2ln", 5) != 0)
        abort();
    parse(buffer_slice(&token));
    buffer_free(&token);
    return 0;
}
