/* json_text.h: the inside of JSON strings: UTF-8 and escapes (RFC 3629; RFC 8259, 7). Pure.
 *
 * Called by json.c, json_scan.c and json_name.c; others read strings through json.h.
 */
#ifndef GATEHOUSE_SHARED_JSON_TEXT_H
#define GATEHOUSE_SHARED_JSON_TEXT_H

#include "shared/slice.h"

#include <stdint.h>

enum { JSON_TEXT_PIECE = 4 }; /* bytes that one escape gives at most */

/* What stands between a string's quotes; borrowed. */
struct json_text {
    struct slice raw;
    bool escaped; /* has at least one backslash */
};

/* Bytes of the well-formed UTF-8 sequence that begins here with a byte beyond ASCII; 0: none. */
size_t json_text_utf8(const char *at, const char *end);
/* Decodes the escape at *at (a backslash) and steps over it. Its size, or 0 when it is none, or
 * half of a surrogate pair. */
size_t json_text_unescape(const char **at, const char *end, char out[JSON_TEXT_PIECE]);

/* Decodes into out[0..room). The size, or -EINVAL, -ENOSPC. */
long json_text_decode(struct json_text text, char *out, size_t room);
/* Whether the text, decoded, is these bytes. */
bool json_text_is(struct json_text text, struct slice plain);
/* A hash of the decoded bytes: to spare comparisons. Collisions can be made, and must only cost. */
uint32_t json_text_hash(struct json_text text);

#endif
