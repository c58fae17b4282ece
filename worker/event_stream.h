/* event_stream.h: server-sent events (WHATWG HTML, 9.2.6), cut out of a stream of bytes. Pure.
 *
 * Bytes go in as they come, split anywhere; whole events come out with their exact bytes, so that
 * what comes out, one after the other, is what went in. Lines end with LF, CRLF or CR; a byte order
 * mark may begin the stream; comments and other fields belong to the event that they stand in. An
 * event that lies within one input is not copied; of one that does not, the begin is held, up to
 * `limit` bytes. Called by mcp_response.c.
 */
#ifndef GATEHOUSE_WORKER_EVENT_STREAM_H
#define GATEHOUSE_WORKER_EVENT_STREAM_H

#include "shared/buffer.h"

#include <stdbool.h>

/* Set `limit`; the rest zeroed. */
struct event_stream {
    size_t limit; /* bytes of the largest event */
    /* private */
    bool given;           /* `held` was given out */
    bool begun;           /* a line of the stream was seen: no byte order mark any more */
    bool after_cr;        /* an LF that comes now belongs to the line before */
    struct buffer held;   /* the begin of an event, or one that was given out; owned */
    struct buffer joined; /* data of several lines; owned */
    uint32_t skip;        /* of the event, bytes before its first line */
    uint32_t line;        /* of the event, where the present line begins */
    uint32_t scanned;     /* of the event, bytes that were looked at */
    uint32_t data_at, data_size, data_lines;
};

struct event {
    struct slice bytes; /* all of it, with the empty line that ends it */
    struct slice data;  /* of its data lines, joined by LF */
    bool has_data;      /* false: a comment, or only other fields */
    size_t skip;        /* of bytes: a byte order mark, or the LF of a CRLF that was split */
};

/* Cuts the next event off *input (below BUFFER_MAX bytes): 1. 0: all of *input was used, and no
 * event is complete. -EMSGSIZE when one is larger than the limit, -ENOMEM: the stream is of no
 * further use. `out` is borrowed from the input and the stream, until the next call. */
int event_stream_next(struct event_stream *stream, struct slice *input, struct event *out);
/* The stream ended: 1 with what stands behind the last complete event. A reader by the book drops
 * it; a sloppy one takes it for an event. 0: nothing does. -ENOMEM. */
int event_stream_end(struct event_stream *stream, struct event *out);
/* Bytes that are held. */
size_t event_stream_held(const struct event_stream *stream);
void event_stream_free(struct event_stream *stream);

/* Appends the event with other data; its other lines stay as they are, and where they are. 0 or
 * -ENOMEM. */
int event_replace(struct buffer *out, const struct event *event, struct slice data);

#endif
