/* tls_server.h: what a listener needs for TLS: a context for each certificate, chosen by SNI.
 *
 * Made before READY, and anew when other certificates come as descriptors. Sessions resume by
 * tickets, whose keys all workers share. Called by listener.c.
 */
#ifndef GATEHOUSE_WORKER_TLS_SERVER_H
#define GATEHOUSE_WORKER_TLS_SERVER_H

#include "shared/channel.h"
#include "worker/tls_context.h"

#include <stddef.h>

/* Without SNI, the first certificate. */
struct tls_server;

/* `tickets` is borrowed for the server's life, and may change meanwhile. 0 or -EINVAL, -ENOMEM with
 * `reason` filled. */
int tls_server_open(struct tls_server **out, const struct tls_pair *pairs, size_t count,
                    const struct message_ticket_keys *tickets, char reason[TLS_REASON_MAX]);
/* Connections that it accepted go on. NULL is ignored. */
void tls_server_close(struct tls_server *server);

/* For tls.c: with which a connection begins. Borrowed. */
struct ssl_ctx_st *tls_server_context(const struct tls_server *server);

#endif
