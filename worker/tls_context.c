#include "worker/tls_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONTEXT_PEM_MAX = 256 * 1024 }; /* bytes of a certificate or key file */

void tls_context_reason(char reason[TLS_REASON_MAX], const char *what)
{
    unsigned long code = ERR_peek_error();
    const char *detail = code == 0 ? NULL : ERR_reason_error_string(code);

    snprintf(reason, TLS_REASON_MAX, "%s%s%s", what, detail == NULL ? "" : ": ",
             detail == NULL ? "" : detail);
    ERR_clear_error();
}

void tls_context_options(SSL_CTX *context)
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
static BIO *context_read_pem(int fd)
{
    struct stat status;
    BIO *bio = NULL;
    char *text = NULL;
    ssize_t size;

    if (fstat(fd, &status) != 0 || status.st_size <= 0 || status.st_size > CONTEXT_PEM_MAX)
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

bool tls_context_chain(SSL_CTX *context, int fd)
{
    BIO *bio = context_read_pem(fd);
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
static int context_no_password(char *buffer, int size, int writing, void *context)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

bool tls_context_key(SSL_CTX *context, int fd)
{
    BIO *bio = context_read_pem(fd);
    EVP_PKEY *key =
        bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, context_no_password, NULL);
    bool good = key != NULL && SSL_CTX_use_PrivateKey(context, key) == 1 &&
                SSL_CTX_check_private_key(context) == 1;

    EVP_PKEY_free(key);
    BIO_free(bio);
    return good;
}
