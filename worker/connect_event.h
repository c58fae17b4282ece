/* connect_event.h: the fields of a server-sent event that a resuming reader keeps. Pure.
 *
 * event_stream.h cuts events and joins their data; `id` and `retry` (WHATWG HTML, 9.2.6) are only
 * for whoever asks for the rest of a broken stream.
 */
#ifndef GATEHOUSE_WORKER_CONNECT_EVENT_H
#define GATEHOUSE_WORKER_CONNECT_EVENT_H

#include "worker/event_stream.h"

#include <stdint.h>

struct connect_event {
    bool has_id;     /* the last one that may stand in a header counts */
    struct slice id; /* borrowed from the event; empty: forget the last one */
    bool has_retry;
    uint64_t retry; /* milliseconds */
};

void connect_event_read(const struct event *event, struct connect_event *out);

#endif
