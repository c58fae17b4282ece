/* tls.h: a connection by TLS 1.2 or 1.3, of either side, by OpenSSL.
 *
 * Called by connection.c (bytes), listener.c (accepting), and who connects. Contexts are
 * tls_server.h's and tls_trust.h's.
 */
#ifndef GATEHOUSE_WORKER_TLS_H
#define GATEHOUSE_WORKER_TLS_H

#include "shared/slice.h"
#include "worker/tls_context.h"

#include <stddef.h>
#include <sys/types.h>

struct tls_client;
struct tls_server;
struct tls;

/* A connection that will be the server's, or the client's, side. `fd` is borrowed. 0 or -ENOMEM. */
int tls_accept(struct tls **out, struct tls_server *server, int fd);
/* `host`: for SNI and verification; an IP literal when `ip`. */
int tls_connect(struct tls **out, struct tls_client *client, int fd, struct slice host, bool ip);
/* Says goodbye without waiting (close_notify), and frees. NULL is ignored. */
void tls_free(struct tls *tls);

/* 0 when done; -EAGAIN: see tls_wants_write; -EPROTO: failed, `reason` is filled. */
int tls_handshake(struct tls *tls, char reason[TLS_REASON_MAX]);
/* > 0 bytes; 0 at the end; -EAGAIN; -EPROTO. */
ssize_t tls_read(struct tls *tls, void *data, size_t size);
ssize_t tls_write(struct tls *tls, const void *data, size_t size);
/* Whether bytes wait that were read from the socket already: no event will announce them. */
bool tls_pending(const struct tls *tls);
/* What the last -EAGAIN waits for. */
bool tls_wants_write(const struct tls *tls);

#endif
