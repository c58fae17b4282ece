/* tls_trust.h: which certificates of servers are believed: contexts by CA bundle, kept until
 * closed.
 *
 * The only path that is opened is the system's CA bundle, in tls_trust_open. Called by who
 * connects: workers, the bridge, and the connect command.
 */
#ifndef GATEHOUSE_WORKER_TLS_TRUST_H
#define GATEHOUSE_WORKER_TLS_TRUST_H

#include "shared/slice.h"
#include "worker/tls_context.h"

struct tls_trust;
struct tls_client;

/* Loads the system's CA bundle; without one, only named bundles verify. 0 or -ENOMEM. */
int tls_trust_open(struct tls_trust **out);
void tls_trust_close(struct tls_trust *trust);
/* The client context for a bundle (empty: the system's), shared by all who ask alike; lives as long
 * as the trust. NULL when the bundle cannot be used. */
struct tls_client *tls_client_find(struct tls_trust *trust, struct slice ca_pem, bool verify);

/* Presents this certificate to servers that ask for one. 0 or -EINVAL with `reason` filled. */
int tls_client_identify(struct tls_client *client, const struct tls_pair *pair,
                        char reason[TLS_REASON_MAX]);

/* For tls.c. Borrowed. */
struct ssl_ctx_st *tls_client_context(const struct tls_client *client);

#endif
