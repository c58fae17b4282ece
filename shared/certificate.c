#include "shared/certificate.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

/* Without it OpenSSL would ask at the terminal. */
static int certificate_no_password(char *buffer, int size, int writing, void *context)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

static BIO *certificate_bio(struct slice text)
{
    return text.size == 0 || text.size > INT_MAX ? NULL
                                                 : BIO_new_mem_buf(text.data, (int)text.size);
}

static X509 *certificate_first(struct slice text)
{
    BIO *bio = certificate_bio(text);
    X509 *first = bio == NULL ? NULL : PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);

    BIO_free(bio);
    return first;
}

static EVP_PKEY *certificate_key(struct slice text)
{
    BIO *bio = certificate_bio(text);
    EVP_PKEY *key =
        bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, certificate_no_password, NULL);

    BIO_free(bio);
    return key;
}

static enum certificate_fault certificate_judge(X509 *certificate, EVP_PKEY *key)
{
    if (certificate == NULL)
        return CERTIFICATE_UNREADABLE;
    if (key == NULL)
        return CERTIFICATE_KEY_UNREADABLE;
    if (X509_check_private_key(certificate, key) != 1)
        return CERTIFICATE_KEY_OTHER;
    if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
        return CERTIFICATE_EXPIRED;
    if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0)
        return CERTIFICATE_NOT_YET;
    return CERTIFICATE_GOOD;
}

enum certificate_fault certificate_check(struct slice certificate, struct slice key)
{
    X509 *first = certificate_first(certificate);
    EVP_PKEY *private = certificate_key(key);
    enum certificate_fault fault = certificate_judge(first, private);

    X509_free(first);
    EVP_PKEY_free(private);
    ERR_clear_error();
    return fault;
}
