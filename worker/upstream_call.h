/* upstream_call.h: a small request of the gate's own to an app's server, and its answer.
 *
 * For opening an MCP session anew (reopening.h), which is seldom: each call has a connection of its
 * own, which ends with it, so that nothing is to be found out about one that was kept. The answer's
 * messages are shown to the caller one by one, from a JSON document or an event stream alike; of an
 * answer that is no 200 only the head is read. Ends itself, once: in `done`, by its deadline, or by
 * upstream_call_stop.
 */
#ifndef GATEHOUSE_WORKER_UPSTREAM_CALL_H
#define GATEHOUSE_WORKER_UPSTREAM_CALL_H

#include "worker/http_head.h"
#include "worker/upstream.h"

/* Bytes of one message, and of a document: an InitializeResult with icons and instructions in it.
 */
enum { UPSTREAM_CALL_MESSAGE_MAX = 256 * 1024 };

enum upstream_call_end {
    UPSTREAM_CALL_ANSWERED,  /* the answer is complete, or `message` wanted no more of it */
    UPSTREAM_CALL_UNREACHED, /* no connection was had: it was not sent */
    UPSTREAM_CALL_BROKEN,    /* cut off, malformed, too large or late */
};

/* Any may be NULL. `reason`: of an end without an answer; a literal, or borrowed. */
struct upstream_call_hooks {
    void (*head)(void *context, const struct http_response *response);
    /* One message, of which nothing was checked. true: the answer is known, the rest of no use. */
    bool (*message)(void *context, struct slice text);
    /* The call is gone when it is called. */
    void (*done)(void *context, enum upstream_call_end end, const char *reason);
};

struct upstream_call;

/* `request`: head and body; its memory is taken over (and wiped: heads may hold credentials), also
 * on failure. `timeout`: milliseconds, in all. `done` is never called before this returns. NULL: it
 * cannot even be begun. */
struct upstream_call *upstream_call_start(struct worker *worker,
                                          const struct upstream_target *target,
                                          struct buffer *request, uint64_t timeout,
                                          const struct upstream_call_hooks *hooks, void *context);
/* Without a word to its caller. Not from its hooks. NULL is ignored. */
void upstream_call_stop(struct upstream_call *call);

#endif
