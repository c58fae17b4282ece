/* slice.h: a borrowed run of bytes, with its length; not NUL-terminated.
 *
 * The one way in which Gatehouse passes text that it did not make itself. A slice owns nothing: its
 * header says until when the bytes live ("borrowed until ..."). Never allocates.
 */
#ifndef GATEHOUSE_SHARED_SLICE_H
#define GATEHOUSE_SHARED_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct slice {
    const char *data; /* may be NULL only when size is 0 */
    size_t size;
};

static inline struct slice slice_make(const char *data, size_t size)
{
    return (struct slice){.data = data, .size = size};
}

/* The bytes of a C string, without its NUL. `text` may be NULL: an empty slice. */
static inline struct slice slice_from(const char *text)
{
    return (struct slice){.data = text, .size = text == NULL ? 0 : strlen(text)};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* ASCII case-insensitive, as field names and schemes compare (RFC 9110, 5.1). */
static inline bool slice_equal_nocase(struct slice a, struct slice b)
{
    return a.size == b.size && (a.size == 0 || strncasecmp(a.data, b.data, a.size) == 0);
}

static inline bool slice_is(struct slice a, const char *text)
{
    return slice_equal(a, slice_from(text));
}

static inline bool slice_has_prefix(struct slice a, struct slice prefix)
{
    return a.size >= prefix.size &&
           (prefix.size == 0 || memcmp(a.data, prefix.data, prefix.size) == 0);
}

/* What is left after the first `count` bytes; empty when there are fewer. */
static inline struct slice slice_skip(struct slice a, size_t count)
{
    if (count >= a.size)
        return slice_make(a.data == NULL ? NULL : a.data + a.size, 0);
    return slice_make(a.data + count, a.size - count);
}

/* Order of bytes, shorter first on a tie: as LMDB orders keys. */
static inline int slice_compare(struct slice a, struct slice b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);

    if (order != 0)
        return order;
    return a.size < b.size ? -1 : a.size > b.size;
}

#endif
