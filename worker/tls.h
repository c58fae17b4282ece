/* tls.h: TLS 1.2 and 1.3, both sides, by OpenSSL. The only file of a worker that knows it.
 *
 * Contexts are made before READY (and when new certificates come as descriptors): no path is opened
 * here but the system's CA bundle, in tls_trust_open. Sessions resume by tickets whose keys all
 * workers share. Called by connection.c (bytes), listener.c (server contexts) and upstream.c.
 */
#ifndef GATEHOUSE_WORKER_TLS_H
#define GATEHOUSE_WORKER_TLS_H

#include "shared/channel.h"
#include "shared/slice.h"

#include <stddef.h>
#include <sys/types.h>

enum { TLS_REASON_MAX = 200 }; /* bytes of a reason that a function fills, with its NUL */

/* PEM files, open for reading; borrowed: not closed, and read from their begin. */
struct tls_pair {
    int certificate;
    int key;
};

/* What a listener needs: a context for each certificate, chosen by SNI; the first without. */
struct tls_server;

/* `tickets` is borrowed for the server's life, and may change meanwhile. 0 or -EINVAL, -ENOMEM with
 * `reason` filled. */
int tls_server_open(struct tls_server **out, const struct tls_pair *pairs, size_t count,
                    const struct message_ticket_keys *tickets, char reason[TLS_REASON_MAX]);
/* Connections that it accepted go on. NULL is ignored. */
void tls_server_close(struct tls_server *server);

/* Which upstream certificates are believed: contexts by CA bundle, kept until closed. */
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
