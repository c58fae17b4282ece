/* demo_exchange.h: one request to the demo server, from its complete form to its answer, by the
 * Streamable HTTP transport of both eras.
 */
#ifndef GATEHOUSE_WORKER_DEMO_EXCHANGE_H
#define GATEHOUSE_WORKER_DEMO_EXCHANGE_H

#include "worker/demo_connection.h"

/* Answers connection->request, with connection->body, into connection->out; may begin a stream. */
void demo_exchange_run(struct demo_connection *connection);

#endif
