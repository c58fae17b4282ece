/* exchange_mcp_session.h: whose MCP session an exchange is of, and what becomes of it.
 *
 * A session belongs to who began it: the request that names one goes on only for its owner, to the
 * server that made it; for others it is as if it never was. A response that begins or ends one
 * waits until that is on record (EXCHANGE_RECORD). An open event stream keeps its session alive.
 * Called by the files of exchange.h; a session whose server is lost is exchange_reopen.h's.
 */
#ifndef GATEHOUSE_WORKER_EXCHANGE_MCP_SESSION_H
#define GATEHOUSE_WORKER_EXCHANGE_MCP_SESSION_H

#include "worker/exchange.h"
#include "worker/mcp_response.h"

/* The caller was admitted: false when the MCP session that the head names is not theirs (the
 * exchange has ended then). `caller` is borrowed. */
bool exchange_mcp_session(struct exchange *exchange, const struct session_record *caller);
/* 404, alike for a session that never was, that is over, and that is another caller's. Always
 * false. */
bool exchange_mcp_lost(struct exchange *exchange);
/* The server of the request's MCP session is lost, and there are others: the session has ended, and
 * so has the exchange. */
void exchange_mcp_orphaned(struct exchange *exchange);
/* A response's head was parsed into worker.response, and `data` begins with it: false when the
 * response has to wait (`data` was copied), or the exchange has ended. */
bool exchange_mcp_response(struct exchange *exchange, struct slice data);
/* Pins the exchange to that server of the app; false: the app has it no longer. */
bool exchange_mcp_pin(struct exchange *exchange, const struct mcp_origin *origin);
/* Of what the server, whose response is read, just made for the caller; borrowed from both. */
struct mcp_origin exchange_mcp_origin(const struct exchange *exchange,
                                      const struct session_record *caller);
/* An observer of responses that begin an MCP session: EXCHANGE_LOOKS_VERSION. */
enum mcp_verdict exchange_mcp_version(struct exchange *exchange, struct slice text,
                                      struct buffer *out);
/* The request's head goes away, and an event stream begins: remembers its session. */
void exchange_mcp_stream(struct exchange *exchange);
/* Whether the session of an event stream, of a GET, goes on at another server: no events come here
 * any more. */
bool exchange_mcp_moved(struct exchange *exchange);
/* The event stream is alive: and so is its session. */
void exchange_mcp_touch(struct exchange *exchange);
/* The Mcp-Session-Id of the request; empty: none. */
struct slice exchange_mcp_id(const struct exchange *exchange);
/* Forgets what waits, and gives back what is held. */
void exchange_mcp_dispose(struct exchange *exchange);

#endif
