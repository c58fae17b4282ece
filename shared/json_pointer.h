/* json_pointer.h: the value at a JSON pointer (RFC 6901), found without doubt or not at all. Pure.
 *
 * Called by the judge of argument conditions. Servers differ in which of two equal names they take,
 * and some ignore case: an object on the way that leaves room for that gives no value but doubt.
 */
#ifndef GATEHOUSE_SHARED_JSON_POINTER_H
#define GATEHOUSE_SHARED_JSON_POINTER_H

#include "shared/json.h"

enum {
    JSON_POINTER_TOKENS_MAX = 16,
    JSON_POINTER_SIZE_MAX = 512, /* bytes */
};

struct json_pointer {
    struct slice tokens[JSON_POINTER_TOKENS_MAX]; /* decoded; borrowed from `room` */
    size_t count;
};

/* Reads "/a/b~1c". `room` has JSON_POINTER_SIZE_MAX bytes, or as many as the text. 0 or -EINVAL:
 * empty, without its first '/', a '~' that is no escape, too long or too deep. */
int json_pointer_read(struct json_pointer *out, struct slice text, char *room);

enum json_pointer_answer {
    JSON_POINTER_ABSENT,
    JSON_POINTER_FOUND,
    JSON_POINTER_DOUBT, /* an object on the way has a name twice, a name that differs from the
                           pointer's in case alone, or more than JSON_MEMBERS_MAX members */
};

enum json_pointer_answer json_pointer_find(const struct json_pointer *pointer,
                                           const struct json_value *root, struct json_value *out);

#endif
