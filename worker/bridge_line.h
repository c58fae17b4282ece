/* bridge_line.h: the lines of a stdio server's output, cut out of what its pipe gives. Pure.
 *
 * Feed it bytes as they come, split anywhere. A line longer than the limit is told once and its
 * bytes are dropped up to its end, so that memory stays bounded whatever a server writes.
 */
#ifndef GATEHOUSE_WORKER_BRIDGE_LINE_H
#define GATEHOUSE_WORKER_BRIDGE_LINE_H

#include "shared/buffer.h"

/* Set limit (bytes of a line without its end); the rest is zero. */
struct bridge_lines {
    size_t limit;
    /* private */
    struct buffer part; /* the begin of a line whose end has not come */
    bool given;         /* `part` was given out: it is over */
    bool skipping;      /* the rest of a line that was too long */
};

enum bridge_line {
    BRIDGE_LINE_MORE,  /* all input was used */
    BRIDGE_LINE_FOUND, /* *line, without its end; borrowed until the next call */
    BRIDGE_LINE_LONG,  /* a line is over the limit (or memory is short), and is dropped */
};

/* Takes bytes from the front of *input. */
enum bridge_line bridge_line_next(struct bridge_lines *lines, struct slice *input,
                                  struct slice *line);
void bridge_line_free(struct bridge_lines *lines);

#endif
