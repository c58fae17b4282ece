/* exchange_reopen.h: an exchange of an MCP session whose server may be lost: on_endpoint_loss.
 *
 * For sessions of apps that ask for it, and those that were moved; other exchanges have no
 * exchange.reopen, and cost nothing here. A server is lost when the request cannot be sent to it
 * (exchange_endpoint.c), when probes found it dead and another is alive, when the app names it no
 * longer, or when it answers that it knows no such session. Then the request waits until the
 * session is open elsewhere (reopening.h), and goes there. What a server may have run goes nowhere
 * again: such a request gets its 502, and the next one finds the loss.
 *
 * Clients know a session by its first id for ever: heads are rewritten both ways. A DELETE of a
 * lost session ends it without a server. Called by exchange_mcp.c, exchange_endpoint.c and
 * exchange_response.c.
 */
#ifndef GATEHOUSE_WORKER_EXCHANGE_REOPEN_H
#define GATEHOUSE_WORKER_EXCHANGE_REOPEN_H

#include "worker/exchange.h"

/* The caller's session was found, and is pinned to its server unless the app names that no longer.
 * 0; -ENOENT when it is over for the want of that server; -ENOMEM. */
int exchange_reopen_begin(struct exchange *exchange, const struct mcp_session_record *record,
                          bool pinned);
/* Whether the record names the server that the exchange knows. */
bool exchange_reopen_is_home(const struct exchange *exchange,
                             const struct mcp_session_record *record);
/* The request is about to be sent. true: that is of no use, and the exchange waits, went on, or has
 * ended. */
bool exchange_reopen_first(struct exchange *exchange);
/* The session's server is lost. true: the exchange waits, went on, or has ended. false: there is
 * nothing to be done. */
bool exchange_reopen(struct exchange *exchange);
/* A response's head was parsed into worker.response, and `data` begins with it. true: it says that
 * the session is lost, and the exchange waits, went on, or has ended; or more of it must come first
 * (`data` was copied). */
bool exchange_reopen_answers(struct exchange *exchange, struct slice data);
/* The request's head is in worker.request: names what its server knows. */
void exchange_reopen_request(const struct exchange *exchange);
/* The response's head is in worker.response: names what the client knows. */
void exchange_reopen_response(const struct exchange *exchange);
/* What its server calls the session; empty: what the client does. */
struct slice exchange_reopen_upstream(const struct exchange *exchange);
/* The `initialize` of a session that begins, if it may be recorded; else empty. */
struct slice exchange_reopen_opening(const struct exchange *exchange);
void exchange_reopen_dispose(struct exchange *exchange);

#endif
