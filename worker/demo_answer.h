/* demo_answer.h: the demo server's answers on the wire: JSON, errors, event streams. Pure: appends
 * to a buffer. Each is 0 or -ENOMEM.
 */
#ifndef GATEHOUSE_WORKER_DEMO_ANSWER_H
#define GATEHOUSE_WORKER_DEMO_ANSWER_H

#include "shared/buffer.h"
#include "worker/demo_message.h"

struct demo_answer {
    unsigned status;
    bool close;          /* the connection ends after it */
    const char *session; /* Mcp-Session-Id; NULL: none */
    const char *allow;   /* for 405; NULL: none */
};

/* `body` empty: no body at all. */
int demo_answer_json(struct buffer *out, const struct demo_answer *answer, struct slice body);
int demo_answer_error(struct buffer *out, const struct demo_answer *answer, struct slice id,
                      const struct demo_error *error);

/* The error as a message by itself; `id` empty: null. */
int demo_answer_error_body(struct buffer *out, struct slice id, const struct demo_error *error);

/* A notification of progress for the token, JSON text. */
int demo_answer_progress(struct buffer *out, struct slice token, int64_t at, int64_t total);

/* {"jsonrpc":"2.0","id":<id>,"result":<result>}. */
int demo_answer_result(struct buffer *out, struct slice id, struct slice result);

/* Head of an event stream; chunked, or until the connection closes. */
int demo_answer_stream(struct buffer *out, bool chunked);
/* An event of that data (without line breaks), a comment when it is empty. */
int demo_answer_event(struct buffer *out, bool chunked, struct slice data);
/* Ends a chunked stream. */
int demo_answer_stream_end(struct buffer *out, bool chunked);

#endif
