#include "shared/digest.h"

/* The functions that work in place: OpenSSL 3 prefers those that look their algorithm up at each
 * call, and allocate, which costs as much as the hashing of a token. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
#include <stdlib.h>

void digest_of(struct slice data, struct digest *out)
{
    digest_of_parts(&data, 1, out);
}

/* An id made of anything else than the digest could name another's session: where OpenSSL fails,
 * there is nothing to go on with. */
void digest_of_parts(const struct slice *parts, size_t count, struct digest *out)
{
    SHA256_CTX context;
    bool done = SHA256_Init(&context) == 1;

    for (size_t i = 0; i < count && done; i++)
        done = parts[i].size == 0 || SHA256_Update(&context, parts[i].data, parts[i].size) == 1;
    if (!done || SHA256_Final(out->bytes, &context) != 1)
        abort();
    /* It holds the end of what is usually a whole token. */
    explicit_bzero(&context, sizeof(context));
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
