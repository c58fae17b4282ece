/* connect_line.h: MCP's stdio framing: a message a line, no newline within. Pure.
 *
 * Lines in come from a desktop client, and lines out from a server far away: both are bounded, and
 * what goes out is made one line whatever white space its JSON had.
 */
#ifndef GATEHOUSE_WORKER_CONNECT_LINE_H
#define GATEHOUSE_WORKER_CONNECT_LINE_H

#include "shared/buffer.h"

/* Bytes of a line, both ways: more than the gate takes in one body by default (4 MiB), and enough
 * for what servers send in one message. */
enum { CONNECT_LINE_MAX = 16 * 1024 * 1024 };

struct connect_lines {
    struct buffer in; /* what was read and not yet given out; owned */
    size_t scanned;   /* bytes of it that hold no newline */
    bool skipping;    /* the rest of a line that was too long */
};

/* 1 with the next line (no LF, no CR before it; not empty), borrowed until the next call; 0: more
 * is needed; -EMSGSIZE: a line was too long, and is passed over. */
int connect_lines_next(struct connect_lines *lines, struct slice *out);
/* What stands behind the last LF when the input ended: 1, or 0 when nothing does. */
int connect_lines_end(struct connect_lines *lines, struct slice *out);
void connect_lines_free(struct connect_lines *lines);

/* Appends the message as one line with its LF. Newlines in valid JSON are white space, and become
 * spaces. 0 or -ENOMEM. */
int connect_line_append(struct buffer *out, struct slice message);

#endif
