/* audit_line.h: one line of the audit trail as it is made: members of a JSON object. Pure.
 *
 * Appends to bytes that are lent (audit.c's, or a text that exchange_audit.c keeps), never beyond
 * `room`: a member that does not fit is left out or shortened, and `cut` says so. What comes from
 * outside is escaped: control characters, quotes, backslashes; invalid UTF-8 becomes U+FFFD.
 * Names are literals that need no escape.
 */
#ifndef GATEHOUSE_WORKER_AUDIT_LINE_H
#define GATEHOUSE_WORKER_AUDIT_LINE_H

#include "shared/slice.h"

#include <stdint.h>

enum {
    AUDIT_VALUE_MAX = 512, /* bytes of a text from outside; what is longer is cut: names and URIs
                              that mean something are shorter */
};

struct audit_line {
    char *bytes; /* borrowed */
    size_t room;
    size_t size;
    bool cut; /* something was left out, or shortened */
};

/* `"name":"text",`; nothing when the text is empty. At most `most` of its bytes. */
void audit_line_text(struct audit_line *line, const char *name, struct slice text, size_t most);
/* A text that needs no escape: a number's digits, an address, one of our own words. */
void audit_line_plain(struct audit_line *line, const char *name, const char *text);
void audit_line_number(struct audit_line *line, const char *name, uint64_t number);
/* As milliseconds with three digits. */
void audit_line_duration(struct audit_line *line, const char *name, int64_t microseconds);
/* RFC 3339, in UTC, with seconds. */
void audit_line_time(struct audit_line *line, const char *name, int64_t wall_seconds);
/* `"127.0.0.1:80"`, `"[::1]:80"`. */
void audit_line_endpoint(struct audit_line *line, const char *name, struct slice address,
                         uint16_t port);
void audit_line_true(struct audit_line *line, const char *name);
/* JSON text that a strict reader accepted as a string or an integer, as it stands; a string that is
 * longer than AUDIT_VALUE_MAX is cut. */
void audit_line_json(struct audit_line *line, const char *name, struct slice json);
/* An array of texts; nothing when there are none. */
void audit_line_texts(struct audit_line *line, const char *name, const struct slice *texts,
                      size_t count);
/* Members that were made before. */
void audit_line_members(struct audit_line *line, struct slice members);

#endif
