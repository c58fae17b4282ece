#include "shared/digest.h"

/* The functions that work in place: OpenSSL 3 prefers those that look their algorithm up at each
 * call, and allocate, which costs as much as the hashing of a token. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
#include <stdlib.h>

/* Compared at once: whole tokens are, for every request. */
typedef uint64_t digest_vector __attribute__((vector_size(16)));

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

/* Without a table, so that compilers make many at once. */
static inline char digest_digit(unsigned value)
{
    return (char)(value + (value > 9 ? 'a' - 10 : '0'));
}

void digest_hex(const struct digest *digest, char out[DIGEST_HEX_SIZE + 1])
{
    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        out[2 * i] = digest_digit(digest->bytes[i] >> 4);
        out[2 * i + 1] = digest_digit(digest->bytes[i] & 15);
    }
    out[DIGEST_HEX_SIZE] = '\0';
}

static inline digest_vector digest_difference(const char *a, const char *b)
{
    digest_vector left, right;

    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    return left ^ right;
}

bool digest_equal_secret(struct slice a, struct slice b)
{
    const size_t step = sizeof(digest_vector);
    digest_vector differences = {0};
    uint64_t difference = 0;
    size_t i = 0;

    if (a.size != b.size)
        return false;
    /* The barriers keep every compiler from ending a loop at the first difference. */
    for (; i + 4 * step <= a.size; i += 4 * step) {
        differences |= digest_difference(a.data + i, b.data + i) |
                       digest_difference(a.data + i + step, b.data + i + step) |
                       digest_difference(a.data + i + 2 * step, b.data + i + 2 * step) |
                       digest_difference(a.data + i + 3 * step, b.data + i + 3 * step);
        __asm__("" : "+m"(differences));
    }
    for (; i + step <= a.size; i += step) {
        differences |= digest_difference(a.data + i, b.data + i);
        __asm__("" : "+m"(differences));
    }
    difference = differences[0] | differences[1];
    for (; i < a.size; i++) {
        difference |= (unsigned char)(a.data[i] ^ b.data[i]);
        __asm__("" : "+r"(difference));
    }
    return difference == 0;
}
