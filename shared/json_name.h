/* json_name.h: the member names of one object, so that none comes twice. Pure.
 *
 * Servers differ in which of two equal names they take, and some ignore case: a reader that decides
 * must refuse both. Called by json.c and by the reader of MCP messages.
 */
#ifndef GATEHOUSE_SHARED_JSON_NAME_H
#define GATEHOUSE_SHARED_JSON_NAME_H

#include "shared/json.h"
#include "shared/json_text.h"

/* Set count to 0; the rest needs no clearing. */
struct json_names {
    size_t count;
    uint32_t hashes[JSON_MEMBERS_MAX];
    struct json_text texts[JSON_MEMBERS_MAX]; /* borrowed from the text that is read */
};

/* -EINVAL when the name (escapes decoded) was there before, is longer than JSON_NAME_MAX bytes, or
 * is one more than JSON_MEMBERS_MAX. */
int json_names_add(struct json_names *names, struct json_text text);

enum json_likeness {
    JSON_NAME_OTHER,
    JSON_NAME_EQUAL,
    JSON_NAME_ALIKE, /* some reader would take it for the name: case, or a NUL that ends it */
};

/* How a name (escapes decoded) stands to a name of ours, which is ASCII letters and "._-/". Alike
 * are names that differ in case, also by the letters beyond ASCII that fold to ASCII ones (U+0130,
 * U+0131, U+017F, U+212A), and names that go on behind a U+0000. */
enum json_likeness json_name_likeness(struct json_text name, struct slice ours);

#endif
