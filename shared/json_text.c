#include "shared/json_text.h"

#include <errno.h>

/* The well-formed sequences of RFC 3629, 4. */
size_t json_text_utf8(const char *text, const char *end)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t left = (size_t)(end - text);
    unsigned char low = 0x80, high = 0xbf;
    size_t size;

    if (at[0] >= 0xc2 && at[0] <= 0xdf)
        size = 2;
    else if (at[0] >= 0xe0 && at[0] <= 0xef)
        size = 3;
    else if (at[0] >= 0xf0 && at[0] <= 0xf4)
        size = 4;
    else
        return 0;
    if (at[0] == 0xe0)
        low = 0xa0; /* overlong */
    else if (at[0] == 0xed)
        high = 0x9f; /* surrogates */
    else if (at[0] == 0xf0)
        low = 0x90; /* overlong */
    else if (at[0] == 0xf4)
        high = 0x8f; /* beyond U+10FFFF */
    if (left < size || at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    return size;
}

/* Four hexadecimal digits, or -1. */
static int32_t json_text_hex4(const char *at, const char *end)
{
    int32_t value = 0;

    if (end - at < 4)
        return -1;
    for (size_t i = 0; i < 4; i++) {
        char c = at[i];

        if (c >= '0' && c <= '9')
            value = value * 16 + (c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value * 16 + (c - 'a' + 10);
        else if (c >= 'A' && c <= 'F')
            value = value * 16 + (c - 'A' + 10);
        else
            return -1;
    }
    return value;
}

static size_t json_text_put_utf8(uint32_t point, char out[JSON_TEXT_PIECE])
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (char)(0xc0 | point >> 6);
        out[1] = (char)(0x80 | (point & 0x3f));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (char)(0xe0 | point >> 12);
        out[1] = (char)(0x80 | (point >> 6 & 0x3f));
        out[2] = (char)(0x80 | (point & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | point >> 18);
    out[1] = (char)(0x80 | (point >> 12 & 0x3f));
    out[2] = (char)(0x80 | (point >> 6 & 0x3f));
    out[3] = (char)(0x80 | (point & 0x3f));
    return 4;
}

/* The four digits after \u, and those of the second half of a pair. 0: not a scalar value. */
static size_t json_text_unescape_unicode(const char **at, const char *end,
                                         char out[JSON_TEXT_PIECE])
{
    int32_t first = json_text_hex4(*at, end);
    int32_t second;

    if (first < 0 || (first >= 0xdc00 && first <= 0xdfff))
        return 0;
    *at += 4;
    if (first < 0xd800 || first > 0xdbff)
        return json_text_put_utf8((uint32_t)first, out);
    if (end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u')
        return 0;
    second = json_text_hex4(*at + 2, end);
    if (second < 0xdc00 || second > 0xdfff)
        return 0;
    *at += 6;
    return json_text_put_utf8(
        0x10000u + ((uint32_t)(first - 0xd800) << 10) + (uint32_t)(second - 0xdc00), out);
}

size_t json_text_unescape(const char **at, const char *end, char out[JSON_TEXT_PIECE])
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    const char *found;

    if (end - *at < 2)
        return 0;
    *at += 2;
    if ((*at)[-1] == 'u')
        return json_text_unescape_unicode(at, end, out);
    found = memchr(letters, (*at)[-1], sizeof(letters) - 1);
    if (found == NULL)
        return 0;
    out[0] = meanings[found - letters];
    return 1;
}

long json_text_decode(struct json_text text, char *out, size_t room)
{
    const char *at = text.raw.data;
    const char *end = at + text.raw.size;
    size_t used = 0;

    while (at < end) {
        const char *run = memchr(at, '\\', (size_t)(end - at));
        size_t plain = (size_t)((run == NULL ? end : run) - at);
        char decoded[JSON_TEXT_PIECE];
        size_t size;

        if (plain > room - used)
            return -ENOSPC;
        memcpy(out + used, at, plain);
        used += plain;
        at += plain;
        if (at == end)
            break;
        size = json_text_unescape(&at, end, decoded);
        if (size == 0)
            return -EINVAL;
        if (size > room - used)
            return -ENOSPC;
        memcpy(out + used, decoded, size);
        used += size;
    }
    return (long)used;
}

bool json_text_is(struct json_text text, struct slice plain)
{
    const char *at = text.raw.data;
    const char *end = at + text.raw.size;

    if (!text.escaped)
        return slice_equal(text.raw, plain);
    while (at < end) {
        char decoded[JSON_TEXT_PIECE];
        size_t size = 1;

        decoded[0] = *at;
        if (*at != '\\')
            at++;
        else
            size = json_text_unescape(&at, end, decoded);
        if (size == 0 || !slice_has_prefix(plain, slice_make(decoded, size)))
            return false;
        plain = slice_skip(plain, size);
    }
    return plain.size == 0;
}

/* FNV-1a. */
uint32_t json_text_hash(struct json_text text)
{
    const char *at = text.raw.data;
    const char *end = at + text.raw.size;
    uint32_t hash = 2166136261u;

    while (at < end) {
        char decoded[JSON_TEXT_PIECE];
        size_t size = 1;

        decoded[0] = *at;
        if (!text.escaped || *at != '\\')
            at++;
        else
            size = json_text_unescape(&at, end, decoded);
        if (size == 0)
            break;
        for (size_t i = 0; i < size; i++)
            hash = (hash ^ (unsigned char)decoded[i]) * 16777619u;
    }
    return hash;
}
