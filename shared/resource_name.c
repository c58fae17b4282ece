#include "shared/resource_name.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte that is encoded at `at` (a '%'), or -1. */
static int decoded_byte(struct slice text, size_t at)
{
    int high, low;

    if (text.size - at < 3)
        return -1;
    high = hex_digit(text.data[at + 1]);
    low = hex_digit(text.data[at + 2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static bool byte_is_odd(unsigned char byte)
{
    return byte < 0x20 || byte == 0x7f || byte == '\\';
}

/* Whether the bytes encoded at `at`, of which `byte` is the first, spell a character in more bytes
 * than it needs (RFC 3629, 3): lax decoders read a '.' or '/' in "%c0%ae" and "%c0%af". */
static bool is_overlong(struct slice text, size_t at, int byte)
{
    int next = text.size - at > 3 && text.data[at + 3] == '%' ? decoded_byte(text, at + 3) : -1;

    return byte == 0xc0 || byte == 0xc1 || (byte == 0xe0 && next >= 0x80 && next < 0xa0) ||
           (byte == 0xf0 && next >= 0x80 && next < 0x90);
}

/* What begins and ends a segment of a path, also as servers with path parameters take it. */
static bool ends_segment(char c)
{
    return c == '/' || c == ':' || c == ';' || c == '?' || c == '#';
}

bool resource_name_is_plain(struct slice uri)
{
    size_t begin = 0;

    if (uri.size == 0)
        return true;
    if (uri.data[0] == ' ' || uri.data[uri.size - 1] == ' ')
        return false;
    for (size_t i = 0; i <= uri.size; i++) {
        if (i == uri.size || ends_segment(uri.data[i])) {
            struct slice segment = slice_make(uri.data + begin, i - begin);

            if (slice_is(segment, ".") || slice_is(segment, ".."))
                return false;
            begin = i + 1;
            continue;
        }
        if (byte_is_odd((unsigned char)uri.data[i]))
            return false;
        if (uri.data[i] == '%') {
            int byte = decoded_byte(uri, i);

            if (byte < 0 || byte_is_odd((unsigned char)byte) || byte == '/' || byte == '.' ||
                byte == '%' || is_overlong(uri, i, byte))
                return false;
        }
    }
    return true;
}

/* Past "://", whose slashes are no path's; 0 without one. */
static size_t authority_begin(struct slice text)
{
    const char *found = text.size < 3 ? NULL : memmem(text.data, text.size, "://", 3);

    return found == NULL ? 0 : (size_t)(found - text.data) + 3;
}

size_t resource_name_fold(struct slice text, char *out)
{
    size_t path = authority_begin(text);
    size_t size = 0;
    bool slash = false;

    for (size_t i = 0; i < text.size; i++) {
        int byte = text.data[i] == '%' ? decoded_byte(text, i) : -1;
        char c = byte < 0 ? text.data[i] : (char)byte;

        if (c >= 'A' && c <= 'Z')
            c = (char)(c | 0x20);
        if (c != '/' || !slash)
            out[size++] = c;
        slash = c == '/' && i >= path;
        if (byte >= 0)
            i += 2;
    }
    return size;
}
