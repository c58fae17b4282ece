/* bridge_exchange.h: one request of a worker's, by the Streamable HTTP transport, or by the old
 * HTTP+SSE one: which session, which server, which stream answers.
 *
 *     POST, GET, DELETE  /mcp                      Streamable HTTP
 *     GET                /sse                      an old client's stream: `endpoint` comes first
 *     POST               /sse/message?sessionId=…  its messages
 *     POST               /sse/answer?sessionId=…   a worker's own answer to one, for the stream
 */
#ifndef GATEHOUSE_WORKER_BRIDGE_EXCHANGE_H
#define GATEHOUSE_WORKER_BRIDGE_EXCHANGE_H

#include "worker/bridge_client.h"

/* Answers client->request, with client->body: at once, or by a stream. */
void bridge_exchange_run(struct bridge_client *client);

#endif
