#include "worker/tls_server.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

struct tls_server {
    SSL_CTX **contexts; /* owned */
    size_t count;
    const struct message_ticket_keys *tickets;
};

static int server_alpn_select(SSL *ssl, const unsigned char **out, unsigned char *out_size,
                              const unsigned char *offered, unsigned offered_size, void *context)
{
    static const unsigned char ours[] = "\x08http/1.1";

    (void)ssl;
    (void)context;
    if (SSL_select_next_proto((unsigned char **)out, out_size, ours, sizeof(ours) - 1, offered,
                              offered_size) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301, 3.2 */
    return SSL_TLSEXT_ERR_OK;
}

static int server_sni_select(SSL *ssl, int *alert, void *context)
{
    const struct tls_server *server = context;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    (void)alert;
    if (name == NULL || strlen(name) > TLS_NAME_MAX)
        return SSL_TLSEXT_ERR_NOACK;
    for (size_t i = 0; i < server->count; i++) {
        X509 *certificate = SSL_CTX_get0_certificate(server->contexts[i]);

        if (X509_check_host(certificate, name, 0, 0, NULL) == 1) {
            SSL_set_SSL_CTX(ssl, server->contexts[i]);
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_OK;
}

static int server_ticket_prepare(EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, const uint8_t key[80],
                                 unsigned char *iv, int encrypt)
{
    char digest[] = "SHA256";
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(key + 48), 32),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };

    return EVP_MAC_CTX_set_params(mac, parameters) == 1 &&
           EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key + 16, iv, encrypt) == 1;
}

/* SSL_CTX_set_tlsext_ticket_key_evp_cb(3): the first key seals, every key opens; a ticket that was
 * sealed with an old one is renewed. */
static int server_ticket_key(SSL *ssl, unsigned char name[16], unsigned char *iv,
                             EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt)
{
    const struct tls_server *server = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    const struct message_ticket_keys *tickets = server->tickets;

    if (tickets->count == 0 || tickets->count > TICKET_KEYS_MAX)
        return 0;
    if (encrypt) {
        if (RAND_bytes(iv, EVP_MAX_IV_LENGTH) != 1)
            return -1;
        memcpy(name, tickets->keys[0], 16);
        return server_ticket_prepare(cipher, mac, tickets->keys[0], iv, 1) ? 1 : -1;
    }
    for (uint32_t i = 0; i < tickets->count; i++) {
        if (memcmp(name, tickets->keys[i], 16) != 0)
            continue;
        if (!server_ticket_prepare(cipher, mac, tickets->keys[i], iv, 0))
            return -1;
        return i == 0 ? 1 : 2;
    }
    return 0;
}

static SSL_CTX *server_context(struct tls_server *server, const struct tls_pair *pair,
                               char reason[TLS_REASON_MAX])
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());

    if (context == NULL) {
        tls_context_reason(reason, "no memory for a TLS context");
        return NULL;
    }
    tls_context_options(context);
    /* Clients end without close_notify all the time; for an upstream it would be a truncation. */
    SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
    /* Tickets are the only resumption: a cache would be a worker's own. */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_id_context(context, (const unsigned char *)"gatehouse", 9);
    SSL_CTX_set_app_data(context, server);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, server_ticket_key);
    SSL_CTX_set_alpn_select_cb(context, server_alpn_select, NULL);
    SSL_CTX_set_tlsext_servername_callback(context, server_sni_select);
    SSL_CTX_set_tlsext_servername_arg(context, server);
    if (!tls_context_chain(context, pair->certificate)) {
        tls_context_reason(reason, "a certificate cannot be used (gatehouse check names it)");
    } else if (!tls_context_key(context, pair->key)) {
        tls_context_reason(reason,
                           "a key cannot be used with its certificate (gatehouse check names it)");
    } else {
        return context;
    }
    SSL_CTX_free(context);
    return NULL;
}

int tls_server_open(struct tls_server **out, const struct tls_pair *pairs, size_t count,
                    const struct message_ticket_keys *tickets, char reason[TLS_REASON_MAX])
{
    struct tls_server *server = calloc(1, sizeof(*server));

    *out = NULL;
    if (server != NULL)
        server->contexts = calloc(count, sizeof(SSL_CTX *));
    if (server == NULL || server->contexts == NULL) {
        tls_server_close(server);
        tls_context_reason(reason, "no memory for TLS contexts");
        return -ENOMEM;
    }
    server->tickets = tickets;
    for (size_t i = 0; i < count; i++) {
        server->contexts[i] = server_context(server, &pairs[i], reason);
        if (server->contexts[i] == NULL) {
            tls_server_close(server);
            return -EINVAL;
        }
        server->count++;
    }
    *out = server;
    return 0;
}

void tls_server_close(struct tls_server *server)
{
    if (server == NULL)
        return;
    for (size_t i = 0; i < server->count; i++) {
        /* Accepted connections share the context; its callbacks must not find a freed server. */
        SSL_CTX_set_tlsext_ticket_key_evp_cb(server->contexts[i], NULL);
        SSL_CTX_set_tlsext_servername_callback(server->contexts[i], NULL);
        SSL_CTX_set_options(server->contexts[i], SSL_OP_NO_TICKET);
        SSL_CTX_free(server->contexts[i]);
    }
    free(server->contexts);
    free(server);
}

SSL_CTX *tls_server_context(const struct tls_server *server)
{
    return server->contexts[0];
}
