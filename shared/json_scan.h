/* json_scan.h: a cursor over JSON text (RFC 8259) that checks every byte as it passes it. Pure.
 *
 * For readers that decide while they go through a text once: json_parse, and the messages of MCP. A
 * caller steps into the containers that it looks at, and passes whole values that it does not.
 * Refuses what json.h refuses; duplicate members are for the caller (json_name.h). Allocates
 * nothing. After a failure every call fails.
 */
#ifndef GATEHOUSE_SHARED_JSON_SCAN_H
#define GATEHOUSE_SHARED_JSON_SCAN_H

#include "shared/json.h"
#include "shared/json_text.h"

struct json_scan {
    const char *reason; /* why it failed; a literal; NULL before */
    /* private */
    const char *at;
    const char *end;
    uint64_t objects; /* the containers around `at`, innermost last; 1: an object */
    unsigned depth;
    bool first; /* nothing of the innermost container was passed */
};

/* Before the text's one value. false: there is none, or a BOM. */
bool json_scan_begin(struct json_scan *scan, struct slice text);
/* The kind of the value that begins here, told by its first byte alone. */
enum json_kind json_scan_kind(const struct json_scan *scan);
/* Passes the value that begins here. false when it is not valid. `out` may be NULL. */
bool json_scan_value(struct json_scan *scan, struct json_value *out);
/* Steps into the object or array that begins here. false: nested too deeply. */
bool json_scan_enter(struct json_scan *scan);
/* In a container: 1 before its next value (of a member: *name is its name; NULL is allowed); 0 when
 * the container has ended and was passed; -EINVAL. */
int json_scan_next(struct json_scan *scan, struct json_text *name);
/* After the value: whether only white space follows. */
bool json_scan_end(struct json_scan *scan);

#endif
