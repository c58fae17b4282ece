/* tls_context.h: what the contexts of both sides have in common: options, and a certificate.
 *
 * Called by tls_server.c and tls_trust.c; tls.c makes connections of their contexts. Opens no path:
 * files come as descriptors.
 */
#ifndef GATEHOUSE_WORKER_TLS_CONTEXT_H
#define GATEHOUSE_WORKER_TLS_CONTEXT_H

#include <stdbool.h>

enum {
    TLS_REASON_MAX = 200, /* bytes of a reason that a function fills, with its NUL */
    TLS_NAME_MAX = 255,   /* bytes of a host name (RFC 1035) */
};

/* PEM files, open for reading; borrowed: not closed, and read from their begin. */
struct tls_pair {
    int certificate;
    int key;
};

struct ssl_ctx_st; /* OpenSSL's SSL_CTX */

void tls_context_options(struct ssl_ctx_st *context);
/* The certificate that it shows with its chain, and then the key. false: see tls_context_reason. */
bool tls_context_chain(struct ssl_ctx_st *context, int fd);
bool tls_context_key(struct ssl_ctx_st *context, int fd);

/* `what`, and OpenSSL's first error; its queue is empty then. */
void tls_context_reason(char reason[TLS_REASON_MAX], const char *what);

#endif
