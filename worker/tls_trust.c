#include "worker/tls_trust.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdlib.h>

/* Debian's, and every distribution's that follows it. OpenSSL's default directory is of no use: it
 * is read when a certificate is verified, and a worker opens no path by then. */
static const char system_bundle[] = "/etc/ssl/certs/ca-certificates.crt";

struct tls_client {
    struct tls_client *next;
    SSL_CTX *context; /* owned */
    char *bundle;     /* owned; NULL: the system's */
    size_t bundle_size;
    bool verify;
};

struct tls_trust {
    struct tls_client *clients;
    X509_STORE *system; /* owned; NULL when there is none */
};

int tls_trust_open(struct tls_trust **out)
{
    struct tls_trust *trust = calloc(1, sizeof(*trust));

    *out = trust;
    if (trust == NULL)
        return -ENOMEM;
    trust->system = X509_STORE_new();
    if (trust->system != NULL && X509_STORE_load_file(trust->system, system_bundle) != 1) {
        X509_STORE_free(trust->system);
        trust->system = NULL;
    }
    ERR_clear_error();
    return 0;
}

void tls_trust_close(struct tls_trust *trust)
{
    if (trust == NULL)
        return;
    while (trust->clients != NULL) {
        struct tls_client *client = trust->clients;

        trust->clients = client->next;
        SSL_CTX_free(client->context);
        free(client->bundle);
        free(client);
    }
    X509_STORE_free(trust->system);
    free(trust);
}

/* Adds each certificate of the bundle to the context's store; false when there is none. */
static bool client_bundle(SSL_CTX *context, struct slice ca_pem)
{
    BIO *bio = BIO_new_mem_buf(ca_pem.data, (int)ca_pem.size);
    X509_STORE *store = SSL_CTX_get_cert_store(context);
    X509 *certificate;
    bool any = false;

    while (bio != NULL && (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        any = X509_STORE_add_cert(store, certificate) == 1 || any;
        X509_free(certificate);
    }
    ERR_clear_error();
    BIO_free(bio);
    return any;
}

static SSL_CTX *client_context(struct tls_trust *trust, struct slice ca_pem, bool verify)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    if (context == NULL)
        return NULL;
    tls_context_options(context);
    SSL_CTX_set_alpn_protos(context, (const unsigned char *)"\x08http/1.1", 9);
    if (!verify)
        return context;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    if (ca_pem.size > 0) {
        if (!client_bundle(context, ca_pem)) {
            SSL_CTX_free(context);
            return NULL;
        }
    } else if (trust->system != NULL) {
        SSL_CTX_set1_cert_store(context, trust->system);
    }
    return context;
}

struct tls_client *tls_client_find(struct tls_trust *trust, struct slice ca_pem, bool verify)
{
    struct tls_client *client;

    if (!verify)
        ca_pem = slice_make(NULL, 0);
    for (client = trust->clients; client != NULL; client = client->next)
        if (client->verify == verify &&
            slice_equal(ca_pem, slice_make(client->bundle, client->bundle_size)))
            return client;
    client = calloc(1, sizeof(*client));
    if (client == NULL)
        return NULL;
    client->verify = verify;
    client->context = client_context(trust, ca_pem, verify);
    if (ca_pem.size > 0) {
        client->bundle = malloc(ca_pem.size);
        client->bundle_size = ca_pem.size;
    }
    if (client->context == NULL || (ca_pem.size > 0 && client->bundle == NULL)) {
        SSL_CTX_free(client->context);
        free(client->bundle);
        free(client);
        return NULL;
    }
    if (ca_pem.size > 0)
        memcpy(client->bundle, ca_pem.data, ca_pem.size);
    client->next = trust->clients;
    trust->clients = client;
    return client;
}

int tls_client_identify(struct tls_client *client, const struct tls_pair *pair,
                        char reason[TLS_REASON_MAX])
{
    if (!tls_context_chain(client->context, pair->certificate)) {
        tls_context_reason(reason, "the certificate cannot be used");
        return -EINVAL;
    }
    if (!tls_context_key(client->context, pair->key)) {
        tls_context_reason(reason, "the key cannot be used with its certificate");
        return -EINVAL;
    }
    return 0;
}

SSL_CTX *tls_client_context(const struct tls_client *client)
{
    return client->context;
}
