#include "worker/tls.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TLS_PEM_MAX = 256 * 1024, /* bytes of a certificate or key file */
    TLS_NAME_MAX = 255,       /* bytes of a host name (RFC 1035) */
};

/* Debian's, and every distribution's that follows it. OpenSSL's default directory is of no use: it
 * is read when a certificate is verified, and a worker opens no path by then. */
static const char tls_system_bundle[] = "/etc/ssl/certs/ca-certificates.crt";

struct tls_server {
    SSL_CTX **contexts; /* owned */
    size_t count;
    const struct message_ticket_keys *tickets;
};

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

struct tls {
    SSL *ssl;
    bool wants_write;
    bool broken; /* after an error SSL_shutdown must not be called */
};

/* The queue's first error as a sentence, and an empty queue. */
static void tls_reason(char reason[TLS_REASON_MAX], const char *what)
{
    unsigned long code = ERR_peek_error();
    const char *detail = code == 0 ? NULL : ERR_reason_error_string(code);

    snprintf(reason, TLS_REASON_MAX, "%s%s%s", what, detail == NULL ? "" : ": ",
             detail == NULL ? "" : detail);
    ERR_clear_error();
}

static int tls_alpn_select(SSL *ssl, const unsigned char **out, unsigned char *out_size,
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

static int tls_sni_select(SSL *ssl, int *alert, void *context)
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

static int tls_ticket_prepare(EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, const uint8_t key[80],
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
static int tls_ticket_key(SSL *ssl, unsigned char name[16], unsigned char *iv,
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
        return tls_ticket_prepare(cipher, mac, tickets->keys[0], iv, 1) ? 1 : -1;
    }
    for (uint32_t i = 0; i < tickets->count; i++) {
        if (memcmp(name, tickets->keys[i], 16) != 0)
            continue;
        if (!tls_ticket_prepare(cipher, mac, tickets->keys[i], iv, 0))
            return -1;
        return i == 0 ? 1 : 2;
    }
    return 0;
}

static void tls_common_options(SSL_CTX *context)
{
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    /* An idle connection holds no record buffers: 14 KiB instead of 46. */
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* TLS 1.2 suites that RFC 9325, 4.2 recommends; those of 1.3 are all good. */
    SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20");
}

/* The whole file as a memory BIO; NULL when it cannot be read or is too large. */
static BIO *tls_read_pem(int fd)
{
    struct stat status;
    BIO *bio = NULL;
    char *text = NULL;
    ssize_t size;

    if (fstat(fd, &status) != 0 || status.st_size <= 0 || status.st_size > TLS_PEM_MAX)
        return NULL;
    text = malloc((size_t)status.st_size);
    if (text == NULL)
        return NULL;
    size = pread(fd, text, (size_t)status.st_size, 0);
    if (size > 0) {
        bio = BIO_new(BIO_s_mem());
        if (bio != NULL && BIO_write(bio, text, (int)size) != size) {
            BIO_free(bio);
            bio = NULL;
        }
    }
    explicit_bzero(text, (size_t)status.st_size);
    free(text);
    return bio;
}

static bool tls_load_chain(SSL_CTX *context, int fd)
{
    BIO *bio = tls_read_pem(fd);
    X509 *certificate = bio == NULL ? NULL : PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
    bool good = certificate != NULL && SSL_CTX_use_certificate(context, certificate) == 1;

    X509_free(certificate);
    while (good && (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        good = SSL_CTX_add0_chain_cert(context, certificate) == 1;
        if (!good)
            X509_free(certificate);
    }
    if (good)
        ERR_clear_error(); /* the end of the file is an error of PEM_read_bio */
    BIO_free(bio);
    return good;
}

/* Without it OpenSSL would ask at the terminal, and the worker wait. */
static int tls_no_password(char *buffer, int size, int writing, void *context)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

static bool tls_load_key(SSL_CTX *context, int fd)
{
    BIO *bio = tls_read_pem(fd);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, tls_no_password, NULL);
    bool good = key != NULL && SSL_CTX_use_PrivateKey(context, key) == 1 &&
                SSL_CTX_check_private_key(context) == 1;

    EVP_PKEY_free(key);
    BIO_free(bio);
    return good;
}

static SSL_CTX *tls_server_context(struct tls_server *server, const struct tls_pair *pair,
                                   char reason[TLS_REASON_MAX])
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());

    if (context == NULL) {
        tls_reason(reason, "no memory for a TLS context");
        return NULL;
    }
    tls_common_options(context);
    /* Clients end without close_notify all the time; for an upstream it would be a truncation. */
    SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
    /* Tickets are the only resumption: a cache would be a worker's own. */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_id_context(context, (const unsigned char *)"gatehouse", 9);
    SSL_CTX_set_app_data(context, server);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, tls_ticket_key);
    SSL_CTX_set_alpn_select_cb(context, tls_alpn_select, NULL);
    SSL_CTX_set_tlsext_servername_callback(context, tls_sni_select);
    SSL_CTX_set_tlsext_servername_arg(context, server);
    if (!tls_load_chain(context, pair->certificate)) {
        tls_reason(reason, "a certificate cannot be used (gatehouse check names it)");
    } else if (!tls_load_key(context, pair->key)) {
        tls_reason(reason, "a key cannot be used with its certificate (gatehouse check names it)");
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
        tls_reason(reason, "no memory for TLS contexts");
        return -ENOMEM;
    }
    server->tickets = tickets;
    for (size_t i = 0; i < count; i++) {
        server->contexts[i] = tls_server_context(server, &pairs[i], reason);
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

int tls_trust_open(struct tls_trust **out)
{
    struct tls_trust *trust = calloc(1, sizeof(*trust));

    *out = trust;
    if (trust == NULL)
        return -ENOMEM;
    trust->system = X509_STORE_new();
    if (trust->system != NULL && X509_STORE_load_file(trust->system, tls_system_bundle) != 1) {
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
static bool tls_load_bundle(SSL_CTX *context, struct slice ca_pem)
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

static SSL_CTX *tls_client_context(struct tls_trust *trust, struct slice ca_pem, bool verify)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    if (context == NULL)
        return NULL;
    tls_common_options(context);
    SSL_CTX_set_alpn_protos(context, (const unsigned char *)"\x08http/1.1", 9);
    if (!verify)
        return context;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    if (ca_pem.size > 0) {
        if (!tls_load_bundle(context, ca_pem)) {
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
    client->context = tls_client_context(trust, ca_pem, verify);
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
    if (!tls_load_chain(client->context, pair->certificate)) {
        tls_reason(reason, "the certificate cannot be used");
        return -EINVAL;
    }
    if (!tls_load_key(client->context, pair->key)) {
        tls_reason(reason, "the key cannot be used with its certificate");
        return -EINVAL;
    }
    return 0;
}

static int tls_open(struct tls **out, SSL_CTX *context, int fd)
{
    struct tls *tls = calloc(1, sizeof(*tls));

    *out = NULL;
    if (tls == NULL)
        return -ENOMEM;
    tls->ssl = SSL_new(context);
    if (tls->ssl == NULL || SSL_set_fd(tls->ssl, fd) != 1) {
        tls_free(tls);
        ERR_clear_error();
        return -ENOMEM;
    }
    tls->broken = true; /* until the handshake is done there is nothing to say goodbye to */
    *out = tls;
    return 0;
}

int tls_accept(struct tls **out, struct tls_server *server, int fd)
{
    int error = tls_open(out, server->contexts[0], fd);

    if (error == 0)
        SSL_set_accept_state((*out)->ssl);
    return error;
}

int tls_connect(struct tls **out, struct tls_client *client, int fd, struct slice host, bool ip)
{
    char name[TLS_NAME_MAX + 1];
    int error;
    int good;

    if (host.size == 0 || host.size > TLS_NAME_MAX)
        return -EINVAL;
    memcpy(name, host.data, host.size);
    name[host.size] = '\0';
    error = tls_open(out, client->context, fd);
    if (error != 0)
        return error;
    SSL_set_connect_state((*out)->ssl);
    if (ip)
        good = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param((*out)->ssl), name);
    else
        good = SSL_set_tlsext_host_name((*out)->ssl, name) == 1 &&
               SSL_set1_host((*out)->ssl, name) == 1;
    if (!good) {
        tls_free(*out);
        *out = NULL;
        ERR_clear_error();
        return -EINVAL;
    }
    return 0;
}

void tls_free(struct tls *tls)
{
    if (tls == NULL)
        return;
    if (tls->ssl != NULL && !tls->broken)
        SSL_shutdown(tls->ssl);
    SSL_free(tls->ssl);
    ERR_clear_error();
    free(tls);
}

/* What SSL_get_error says of a call that gave no bytes. */
static int tls_failure(struct tls *tls, int result)
{
    int error = SSL_get_error(tls->ssl, result);

    tls->wants_write = error == SSL_ERROR_WANT_WRITE;
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return -EAGAIN;
    if (error == SSL_ERROR_ZERO_RETURN)
        return 0;
    tls->broken = true;
    return -EPROTO;
}

int tls_handshake(struct tls *tls, char reason[TLS_REASON_MAX])
{
    int result;
    int error;

    ERR_clear_error();
    result = SSL_do_handshake(tls->ssl);
    if (result == 1) {
        tls->broken = false;
        return 0;
    }
    error = tls_failure(tls, result);
    if (error == -EAGAIN)
        return error;
    if (SSL_get_verify_result(tls->ssl) != X509_V_OK) {
        snprintf(reason, TLS_REASON_MAX, "certificate not trusted: %s",
                 X509_verify_cert_error_string(SSL_get_verify_result(tls->ssl)));
        ERR_clear_error();
    } else {
        tls_reason(reason, "handshake failed");
    }
    tls->broken = true;
    return -EPROTO;
}

ssize_t tls_read(struct tls *tls, void *data, size_t size)
{
    int result;

    ERR_clear_error();
    result = SSL_read(tls->ssl, data, size > INT32_MAX ? INT32_MAX : (int)size);
    return result > 0 ? result : tls_failure(tls, result);
}

ssize_t tls_write(struct tls *tls, const void *data, size_t size)
{
    int result;

    ERR_clear_error();
    result = SSL_write(tls->ssl, data, size > INT32_MAX ? INT32_MAX : (int)size);
    if (result > 0)
        return result;
    result = tls_failure(tls, result);
    return result == 0 ? -EPROTO : result;
}

bool tls_pending(const struct tls *tls)
{
    return SSL_has_pending(tls->ssl) == 1;
}

bool tls_wants_write(const struct tls *tls)
{
    return tls->wants_write;
}
