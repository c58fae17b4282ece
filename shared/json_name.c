#include "shared/json_name.h"

#include <errno.h>

static bool json_text_equal(struct json_text a, struct json_text b)
{
    char decoded[JSON_NAME_MAX];
    long size;

    if (!b.escaped)
        return json_text_is(a, b.raw);
    if (!a.escaped)
        return json_text_is(b, a.raw);
    size = json_text_decode(b, decoded, sizeof(decoded));
    return size >= 0 && json_text_is(a, slice_make(decoded, (size_t)size));
}

int json_names_add(struct json_names *names, struct json_text text)
{
    uint32_t hash;

    if (names->count == JSON_MEMBERS_MAX || text.raw.size > JSON_NAME_MAX)
        return -EINVAL;
    hash = json_text_hash(text);
    for (size_t i = 0; i < names->count; i++) {
        if (names->hashes[i] == hash && json_text_equal(names->texts[i], text))
            return -EINVAL;
    }
    names->hashes[names->count] = hash;
    names->texts[names->count] = text;
    names->count++;
    return 0;
}

/* The letter that the next bytes fold to, when it is one of ASCII; *size is their number. */
static char json_name_fold(struct slice text, size_t *size)
{
    static const struct {
        const char *bytes;
        char letter;
    } beyond[] = {{"\xc4\xb0", 'i'}, {"\xc4\xb1", 'i'}, {"\xc5\xbf", 's'}, {"\xe2\x84\xaa", 'k'}};
    char c = text.data[0];

    *size = 1;
    if (c >= 'A' && c <= 'Z')
        return (char)(c | 0x20);
    for (size_t i = 0; (unsigned char)c >= 0x80 && i < sizeof(beyond) / sizeof(beyond[0]); i++) {
        if (slice_has_prefix(text, slice_from(beyond[i].bytes))) {
            *size = strlen(beyond[i].bytes);
            return beyond[i].letter;
        }
    }
    return c;
}

enum json_likeness json_name_likeness(struct json_text name, struct slice ours)
{
    /* Each letter of ours takes at most JSON_TEXT_PIECE bytes; what is longer is another name,
     * unless a NUL ends it before. */
    char decoded[JSON_NAME_MAX];
    struct slice rest = name.raw;

    if (slice_equal(name.raw, ours))
        return JSON_NAME_EQUAL;
    if (name.escaped) {
        long size = json_text_decode(name, decoded, sizeof(decoded));

        if (size < 0)
            return JSON_NAME_OTHER;
        rest = slice_make(decoded, (size_t)size);
        if (slice_equal(rest, ours))
            return JSON_NAME_EQUAL;
    }
    for (size_t i = 0; i < ours.size; i++) {
        char letter = ours.data[i];
        size_t size;

        if (letter >= 'A' && letter <= 'Z')
            letter = (char)(letter | 0x20);
        if (rest.size == 0 || json_name_fold(rest, &size) != letter)
            return JSON_NAME_OTHER;
        rest = slice_skip(rest, size);
    }
    return rest.size == 0 || rest.data[0] == '\0' ? JSON_NAME_ALIKE : JSON_NAME_OTHER;
}
