/* demo_stream.h: what a demo connection sends as an event stream: slow_count's steps, or a GET's
 * silence with comments. Writes to the connection's buffer; the connection does the rest.
 */
#ifndef GATEHOUSE_WORKER_DEMO_STREAM_H
#define GATEHOUSE_WORKER_DEMO_STREAM_H

#include "worker/demo_connection.h"

/* `message`: the call to answer, NULL for a GET. `session`: empty when modern. */
void demo_stream_begin(struct demo_connection *connection, const struct demo_message *message,
                       struct slice session, struct demo_count count);
/* One step; the connection's state tells whether the stream goes on. */
void demo_stream_tick(struct demo_connection *connection);
/* Ends a session's streams: all, or the one that answers the request of that id. Each ends at its
 * own next turn. */
void demo_stream_end(struct demo_server *server, struct slice session, struct slice id);
void demo_stream_free(struct demo_stream *stream);

#endif
