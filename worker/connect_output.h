/* connect_output.h: standard output, which a desktop client reads as fast as it likes.
 *
 * Never blocks, and never makes the descriptor non-blocking: it may be shared with others. Only
 * protocol goes here; words go to standard error by connect_say.
 */
#ifndef GATEHOUSE_WORKER_CONNECT_OUTPUT_H
#define GATEHOUSE_WORKER_CONNECT_OUTPUT_H

#include "shared/buffer.h"

#include <ev.h>

struct connect_output {
    struct ev_loop *loop; /* borrowed */
    /* `slow`: the reader is behind, so that no more should be made for now. */
    void (*paced)(void *context, bool slow);
    void (*gone)(void *context); /* nobody reads any more */
    void *context;
    /* private */
    struct ev_io writer;
    struct buffer waiting;
    bool slow, broken;
};

/* `loop`, the call-backs and `context` are set. */
void connect_output_open(struct connect_output *output);
/* One message; see connect_line.h. */
void connect_output_line(struct connect_output *output, struct slice message);
/* Gives the reader a moment for what still waits, and ends. */
void connect_output_close(struct connect_output *output);

/* A line of words on standard error. Never with a token in it. */
void connect_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
