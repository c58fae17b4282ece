/* json.h: a strict one-pass JSON reader (RFC 8259) over borrowed bytes. Pure: allocates nothing.
 *
 * For everything that decides: token headers and claims, key sets, message envelopes. Refuses
 * invalid UTF-8, a BOM, lone surrogates, nesting past a limit, anything after the value, and, in an
 * object that is walked, a member that appears twice. Where a document must be rebuilt, see
 * json_document.h instead.
 */
#ifndef GATEHOUSE_SHARED_JSON_H
#define GATEHOUSE_SHARED_JSON_H

#include "shared/slice.h"

#include <stdint.h>

/* Containers around a value; members of a walked object; bytes of their names as they stand. */
enum { JSON_DEPTH_MAX = 64, JSON_MEMBERS_MAX = 256, JSON_NAME_MAX = 1024 };

enum json_kind {
    JSON_INVALID,
    JSON_OBJECT,
    JSON_ARRAY,
    JSON_STRING,
    JSON_NUMBER,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL,
};

struct json_value {
    enum json_kind kind;
    struct slice text; /* the value's own bytes, with quotes, braces or brackets; borrowed */
    bool escaped;      /* a string with at least one backslash */
};

/* Checks the whole text and gives its value. 0 or -EINVAL; *reason is a literal. */
int json_parse(struct slice text, struct json_value *out, const char **reason);

struct json_iterator {
    const char *next;
    const char *end;
    bool object;
    size_t count;
};

/* Walks an object or array that json_parse accepted (a part of it, too). */
void json_iterate(struct json_iterator *iterator, const struct json_value *container);
/* The next element; for objects, *name is the raw member name without its quotes (escapes as they
 * stand). 1, 0 at the end. `name` may be NULL for arrays. */
int json_next(struct json_iterator *iterator, struct slice *name, bool *name_escaped,
              struct json_value *value);

/* Finds members of an object by name: out[i] is JSON_INVALID when names[i] is absent. -EINVAL when
 * any member name of the object appears twice (escapes are compared decoded), when there are more
 * than JSON_MEMBERS_MAX members or a name is over JSON_NAME_MAX bytes, or when it is no object.
 * `count` at most 64. */
int json_members(const struct json_value *object, const char *const *names, size_t count,
                 struct json_value *out);

/* Decodes a string into out[0..room). Its size, or -EINVAL, -ENOSPC. NUL may be inside. */
long json_string(const struct json_value *value, char *out, size_t room);
/* Whether the string, decoded, is these bytes. */
bool json_string_is(const struct json_value *value, struct slice text);

/* An integer without fraction or exponent, within int64; else -EINVAL. */
int json_integer(const struct json_value *value, int64_t *out);
/* An integer by its value (42, 42.0, 4.2e1), from -2^53+1 to 2^53-1; else -EINVAL. */
int json_safe_integer(const struct json_value *value, int64_t *out);
/* A NumericDate (RFC 7519, 2): a non-negative number below 2^53; a fraction is cut off. */
int json_numeric_date(const struct json_value *value, int64_t *out);

/* Appending JSON: a string with quotes, escaped. 0 or -ENOMEM. Invalid UTF-8 becomes U+FFFD. */
struct buffer;
int json_append_string(struct buffer *out, struct slice text);

#endif
