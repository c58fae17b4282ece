/* exchange_stream.h: how a response's body goes on: an event stream's dates, and its last event.
 *
 * A silent event stream is kept alive by comments, ends with its token, its session or the worker,
 * and says why in an event of its own. Runs for hours without the request (exchange_request.h):
 * none of these functions touches exchange.request, but for a body that is no event stream. Called
 * by exchange.c, exchange_response.c and exchange_reading.c.
 */
#ifndef GATEHOUSE_WORKER_EXCHANGE_STREAM_H
#define GATEHOUSE_WORKER_EXCHANGE_STREAM_H

#include "worker/exchange.h"

/* Sets the next date: of an event stream a keep-alive comment, or its end. Another body may not
 * stall. */
void exchange_stream_wait(struct exchange *exchange);
/* The date has come. */
void exchange_stream_late(struct exchange *exchange);
/* Bytes of an event stream go to the client. */
void exchange_stream_remember(struct exchange *exchange, struct slice data);
/* Whether the stream stands between two events: there, another can be put in. */
bool exchange_stream_is_between(const struct exchange *exchange);
/* Ends an event stream with a last event that says why: end_reason. */
void exchange_stream_end(struct exchange *exchange);
/* Ends it with an error in the place of the request's answer, when the request's id is known. */
void exchange_stream_fail(struct exchange *exchange, const char *reason);

#endif
