#include "shared/digest.h"

#include <openssl/sha.h>
#include <stdlib.h>

enum { DIGEST_GATHER = 8 * 1024 }; /* bytes gathered on the stack: most tokens fit */

/* SHA256 fails only when its few bytes of context cannot be had. An id made of anything else than
 * the digest could name another's session, so there is nothing to go on with. */
void digest_of(struct slice data, struct digest *out)
{
    static const unsigned char nothing;
    const unsigned char *bytes = data.size == 0 ? &nothing : (const unsigned char *)data.data;

    if (SHA256(bytes, data.size, out->bytes) == NULL)
        abort();
}

void digest_of_parts(const struct slice *parts, size_t count, struct digest *out)
{
    char stack[DIGEST_GATHER];
    char *bytes = stack;
    size_t size = 0, at = 0;

    for (size_t i = 0; i < count; i++)
        size += parts[i].size;
    if (size > sizeof(stack)) {
        bytes = malloc(size);
        if (bytes == NULL)
            abort();
    }
    for (size_t i = 0; i < count; i++) {
        if (parts[i].size == 0)
            continue;
        memcpy(bytes + at, parts[i].data, parts[i].size);
        at += parts[i].size;
    }
    digest_of(slice_make(bytes, size), out);
    /* The parts are usually a whole token. */
    explicit_bzero(bytes, size);
    if (bytes != stack)
        free(bytes);
}

void digest_hex(const struct digest *digest, char out[DIGEST_HEX_SIZE + 1])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        out[2 * i] = digits[digest->bytes[i] >> 4];
        out[2 * i + 1] = digits[digest->bytes[i] & 15];
    }
    out[DIGEST_HEX_SIZE] = '\0';
}

bool digest_equal_secret(struct slice a, struct slice b)
{
    uint64_t difference = 0;
    size_t i = 0;

    if (a.size != b.size)
        return false;
    /* The barriers keep every compiler from ending a loop at the first difference. */
    for (; i + sizeof(difference) <= a.size; i += sizeof(difference)) {
        uint64_t left, right;

        memcpy(&left, a.data + i, sizeof(left));
        memcpy(&right, b.data + i, sizeof(right));
        difference |= left ^ right;
        __asm__("" : "+r"(difference));
    }
    for (; i < a.size; i++) {
        difference |= (unsigned char)(a.data[i] ^ b.data[i]);
        __asm__("" : "+r"(difference));
    }
    return difference == 0;
}
