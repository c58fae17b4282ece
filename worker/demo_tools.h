/* demo_tools.h: what the demo server offers: three tools, one resource, one prompt; and the results
 * of every method, in both eras. Pure: appends JSON.
 */
#ifndef GATEHOUSE_WORKER_DEMO_TOOLS_H
#define GATEHOUSE_WORKER_DEMO_TOOLS_H

#include "shared/buffer.h"
#include "worker/demo_message.h"

/* What a call of `slow_count` asks for: it is answered step by step, by the connection. */
struct demo_count {
    int64_t to;    /* 1 to 100000; 0: no such call */
    int64_t delay; /* milliseconds between two steps, 0 to 60000 */
};

/* Appends the result of a request (not of `slow_count`'s call, which fills *count instead). false
 * with *error. */
bool demo_tools_result(const struct demo_message *message, struct buffer *result,
                       struct demo_count *count, struct demo_error *error);

/* slow_count's result, when it is done. 0 or -ENOMEM. */
int demo_tools_counted(struct buffer *result, int64_t to, bool modern);

#endif
