#include "worker/tls.h"

#include "worker/tls_server.h"
#include "worker/tls_trust.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>

struct tls {
    SSL *ssl;
    bool wants_write;
    bool broken; /* after an error SSL_shutdown must not be called */
};

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
    int error = tls_open(out, tls_server_context(server), fd);

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
    error = tls_open(out, tls_client_context(client), fd);
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
        tls_context_reason(reason, "handshake failed");
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
