/* json_plain.h: the bytes of a JSON string that mean themselves, passed many at a time. Pure.
 *
 * In a header, because it is called for every string, most of which are short. Called by the
 * readers of JSON in shared/.
 */
#ifndef GATEHOUSE_SHARED_JSON_PLAIN_H
#define GATEHOUSE_SHARED_JSON_PLAIN_H

#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Past the bytes that mean themselves: ASCII, but no quote, backslash or control. Sixteen or eight
 * at a time, then one at a time. */
static inline const char *json_plain_skip(const char *at, const char *end)
{
#ifdef __SSE2__
    const __m128i space = _mm_set1_epi8(0x20);
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i backslash = _mm_set1_epi8('\\');

    while (end - at >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        /* Compared as signed numbers, bytes beyond ASCII are less than a space, too. */
        __m128i odd = _mm_or_si128(
            _mm_cmplt_epi8(bytes, space),
            _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)));
        int found = _mm_movemask_epi8(odd);

        if (found != 0)
            return at + __builtin_ctz((unsigned)found);
        at += 16;
    }
#else
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t tops = UINT64_C(0x8080808080808080);

    /* The usual "has a zero byte" arithmetic: may stop too early, but never too late. */
    while (end - at >= 8) {
        uint64_t word, quote, backslash;

        memcpy(&word, at, sizeof(word));
        quote = word ^ ones * '"';
        backslash = word ^ ones * '\\';
        if (((word | (word - ones * 0x20) | (quote - ones) | (backslash - ones)) & tops) != 0)
            break;
        at += 8;
    }
#endif
    while (at < end && (unsigned char)*at >= 0x20 && (unsigned char)*at < 0x80 && *at != '"' &&
           *at != '\\')
        at++;
    return at;
}

#endif
