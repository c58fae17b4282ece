#include "shared/base64url.h"

#include <errno.h>
#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

static const char base64url_alphabet[64] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* A character's six bits plus one; 0 for a foreign character. */
static const uint8_t base64url_values[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['-'] = 63, ['_'] = 64,
};

/* The bits of `count` characters, first in the highest; false for a foreign character. */
static bool base64url_group(const char *text, size_t count, uint32_t *bits)
{
    uint32_t group = 0;

    for (size_t i = 0; i < count; i++) {
        uint32_t value = base64url_values[(unsigned char)text[i]];

        if (value == 0)
            return false;
        group = group << 6 | (value - 1);
    }
    *bits = group;
    return true;
}

/* As base64url_group of four, which most of a token is made of, with one test for all. */
static inline bool base64url_four(const char *text, uint32_t *bits)
{
    /* A foreign character's is UINT32_MAX. */
    uint32_t a = base64url_values[(unsigned char)text[0]] - 1u;
    uint32_t b = base64url_values[(unsigned char)text[1]] - 1u;
    uint32_t c = base64url_values[(unsigned char)text[2]] - 1u;
    uint32_t d = base64url_values[(unsigned char)text[3]] - 1u;

    *bits = a << 18 | b << 12 | c << 6 | d;
    return (a | b | c | d) < 64;
}

#ifdef __SSE2__
/* Of the bytes within [low, high], their distance from `low` plus `first`; others are 0. Bytes
 * beyond ASCII are negative here, and in no range. Adds those that were within to *known. */
static inline __m128i base64url_range(__m128i text, char low, char high, char first, __m128i *known)
{
    __m128i within = _mm_andnot_si128(_mm_cmpgt_epi8(text, _mm_set1_epi8(high)),
                                      _mm_cmpgt_epi8(text, _mm_set1_epi8((char)(low - 1))));

    *known = _mm_or_si128(*known, within);
    return _mm_and_si128(within, _mm_add_epi8(text, _mm_set1_epi8((char)(first - low))));
}

/* Sixteen characters, twelve bytes; false for a foreign character. */
static inline bool base64url_sixteen(const char *characters, uint8_t *out)
{
    __m128i text = _mm_loadu_si128((const __m128i *)(const void *)characters);
    __m128i known = _mm_setzero_si128();
    __m128i bits = _mm_or_si128(base64url_range(text, 'A', 'Z', 0, &known),
                                base64url_range(text, 'a', 'z', 26, &known));
    uint32_t groups[4];

    bits = _mm_or_si128(bits, base64url_range(text, '0', '9', 52, &known));
    bits = _mm_or_si128(bits, base64url_range(text, '-', '-', 62, &known));
    bits = _mm_or_si128(bits, base64url_range(text, '_', '_', 63, &known));
    if (_mm_movemask_epi8(known) != 0xffff)
        return false;
    /* Twelve bits of each two, then 24 of each four. */
    bits = _mm_or_si128(_mm_slli_epi16(_mm_and_si128(bits, _mm_set1_epi16(0xff)), 6),
                        _mm_srli_epi16(bits, 8));
    bits = _mm_or_si128(_mm_slli_epi32(_mm_and_si128(bits, _mm_set1_epi32(0xffff)), 12),
                        _mm_srli_epi32(bits, 16));
    _mm_storeu_si128((__m128i *)(void *)groups, bits);
    for (size_t i = 0; i < 4; i += 2) {
        uint64_t six = __builtin_bswap64((uint64_t)groups[i] << 40 | (uint64_t)groups[i + 1] << 16);

        memcpy(out + 3 * i, &six, 6);
    }
    return true;
}
#endif

/* The last two or three characters: one or two bytes, and bits that must be zero. */
static bool base64url_tail(const char *text, size_t count, uint8_t *out)
{
    uint32_t bits;

    if (!base64url_group(text, count, &bits))
        return false;
    if (count == 2) {
        out[0] = (uint8_t)(bits >> 4);
        return (bits & 0xf) == 0;
    }
    out[0] = (uint8_t)(bits >> 10);
    out[1] = (uint8_t)(bits >> 2);
    return (bits & 0x3) == 0;
}

long base64url_decode(struct slice text, void *out, size_t room)
{
    uint8_t *bytes = out;
    size_t whole = text.size / 4;
    size_t tail = text.size % 4;
    size_t done = 0; /* fours */
    size_t size = whole * 3 + (tail == 0 ? 0 : tail - 1);

    if (tail == 1)
        return -EINVAL;
    if (size > room)
        return -ENOSPC;
#ifdef __SSE2__
    for (; whole - done >= 4; done += 4) {
        if (!base64url_sixteen(text.data + done * 4, bytes + done * 3))
            return -EINVAL;
    }
#endif
    for (size_t i = done; i < whole; i++) {
        uint32_t bits;

        if (!base64url_four(text.data + i * 4, &bits))
            return -EINVAL;
        bytes[i * 3] = (uint8_t)(bits >> 16);
        bytes[i * 3 + 1] = (uint8_t)(bits >> 8);
        bytes[i * 3 + 2] = (uint8_t)bits;
    }
    if (tail != 0 && !base64url_tail(text.data + whole * 4, tail, bytes + whole * 3))
        return -EINVAL;
    return (long)size;
}

/* One to three bytes as two to four characters. */
static size_t base64url_put(const uint8_t *bytes, size_t count, char *out)
{
    uint32_t bits = (uint32_t)bytes[0] << 16;

    if (count > 1)
        bits |= (uint32_t)bytes[1] << 8;
    if (count > 2)
        bits |= bytes[2];
    for (size_t i = 0; i <= count; i++)
        out[i] = base64url_alphabet[bits >> (18 - 6 * i) & 0x3f];
    return count + 1;
}

int base64url_encode(struct slice bytes, struct buffer *out)
{
    const uint8_t *data = (const uint8_t *)bytes.data;
    size_t room;
    char *text;
    size_t used = 0;

    if (bytes.size > SIZE_MAX / 2)
        return -ENOMEM;
    if (buffer_reserve(out, bytes.size / 3 * 4 + 4) != 0)
        return -ENOMEM;
    text = buffer_space(out, &room);
    for (size_t at = 0; at < bytes.size; at += 3) {
        size_t left = bytes.size - at;

        used += base64url_put(data + at, left < 3 ? left : 3, text + used);
    }
    buffer_commit(out, used);
    return 0;
}
