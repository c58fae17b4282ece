#include "shared/jose_key.h"

#include "shared/jose_key_parts.h"
#include "shared/jwk.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <errno.h>
#include <stdlib.h>

enum {
    KEY_DER_MAX = 4096,  /* an 8192-bit RSA key has less than 1100 bytes */
    KEY_PEM_MAX = 65536, /* a private one less than 8000 */
    KEY_RSA_BITS_NEW = 2048,
};

int jose_key_error(int error)
{
    ERR_clear_error();
    return error;
}

static bool jose_key_number_is_odd(EVP_PKEY *key, const char *name, int bits_max)
{
    BIGNUM *number = NULL;
    bool good = EVP_PKEY_get_bn_param(key, name, &number) == 1 && BN_is_odd(number) &&
                !BN_is_one(number) && BN_num_bits(number) <= bits_max;

    BN_free(number);
    return good;
}

/* NULL when there is no fault, else a literal. Whether the modulus is no prime is not asked, as
 * EVP_PKEY_public_check would: that takes up to a second, and an issuer with a bad modulus harms
 * itself alone. */
static const char *jose_key_check_rsa(EVP_PKEY *key)
{
    int bits = EVP_PKEY_get_bits(key);

    if (bits < JOSE_RSA_BITS_MIN)
        return "it is an RSA key of less than 2048 bits";
    if (bits > JOSE_RSA_BITS_MAX)
        return "it is an RSA key of more than 8192 bits";
    if (!jose_key_number_is_odd(key, OSSL_PKEY_PARAM_RSA_N, JOSE_RSA_BITS_MAX))
        return "its modulus is even";
    if (!jose_key_number_is_odd(key, OSSL_PKEY_PARAM_RSA_E, JWK_EXPONENT_MAX * 8))
        return "its public exponent is not an odd number above 2 and below 2^64";
    return NULL;
}

/* EC: the point is on its curve, and not at infinity. */
static const char *jose_key_check_point(EVP_PKEY *key)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    bool sound = context != NULL && EVP_PKEY_public_check(context) == 1;

    EVP_PKEY_CTX_free(context);
    return sound ? NULL : "its numbers are not those of a sound public key";
}

/* A curve given by its parameters, and not by its name, may be a forgery of the named one. */
static bool jose_key_has_explicit_curve(EVP_PKEY *key)
{
    int explicit_curve = 0;

    return EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS,
                                  &explicit_curve) == 1 &&
           explicit_curve != 0;
}

static uint32_t jose_key_fitting_group(EVP_PKEY *key)
{
    char group[32];
    uint32_t fitting = 0;

    if (EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) != 1 ||
        jose_key_has_explicit_curve(key))
        return 0;
    for (unsigned i = 0; i < JOSE_ALGORITHMS; i++) {
        if (jose_rules[i].family == JOSE_ECDSA && strcmp(group, jose_rules[i].group) == 0)
            fitting |= jose_algorithm_bit(i);
    }
    return fitting;
}

static uint32_t jose_key_fitting(EVP_PKEY *key)
{
    uint32_t fitting = 0;

    if (EVP_PKEY_is_a(key, "ED25519"))
        return jose_algorithm_bit(JOSE_EDDSA);
    if (EVP_PKEY_is_a(key, "EC"))
        return jose_key_fitting_group(key);
    if (!EVP_PKEY_is_a(key, "RSA"))
        return 0;
    for (unsigned i = 0; i < JOSE_ALGORITHMS; i++) {
        if (jose_rules[i].family == JOSE_PKCS1 || jose_rules[i].family == JOSE_PSS)
            fitting |= jose_algorithm_bit(i);
    }
    return fitting;
}

const char *jose_key_check(EVP_PKEY *key, uint32_t *fitting)
{
    *fitting = jose_key_fitting(key);
    if (*fitting == 0)
        return "it is not of a type and curve that can be used";
    return (*fitting & jose_algorithm_bit(JOSE_RS256)) != 0 ? jose_key_check_rsa(key)
                                                            : jose_key_check_point(key);
}

/* Takes `key` over, whatever the result; NULL is a key that could not be read. */
static int jose_key_make(struct jose_key **out, EVP_PKEY *key, uint32_t algorithms)
{
    struct jose_key *made = NULL;
    uint32_t fitting = 0;

    *out = NULL;
    if (key == NULL || jose_key_check(key, &fitting) != NULL || (fitting & algorithms) == 0) {
        EVP_PKEY_free(key);
        return jose_key_error(-EINVAL);
    }
    ERR_clear_error();
    made = calloc(1, sizeof(*made));
    if (made == NULL) {
        EVP_PKEY_free(key);
        return -ENOMEM;
    }
    made->key = key;
    made->fitting = fitting;
    made->allowed = fitting & algorithms;
    made->work = EVP_MD_CTX_new();
    if (made->work == NULL) {
        jose_key_free(made);
        return jose_key_error(-ENOMEM);
    }
    *out = made;
    return 0;
}

void jose_key_free(struct jose_key *key)
{
    if (key == NULL)
        return;
    for (size_t i = 0; i < JOSE_ALGORITHMS; i++) {
        EVP_MD_free(key->prepared[i].digest);
        EVP_PKEY_CTX_free(key->prepared[i].context);
    }
    EVP_MD_CTX_free(key->work);
    EVP_PKEY_free(key->key);
    free(key);
}

/* Whether the key's own encoding is these bytes: no BER, no second spelling. */
static bool jose_key_der_is_canonical(EVP_PKEY *key, struct slice der)
{
    unsigned char *encoded = NULL;
    int size = i2d_PUBKEY(key, &encoded);
    bool same = size > 0 && slice_equal(der, slice_make((char *)encoded, (size_t)size));

    OPENSSL_free(encoded);
    return same;
}

int jose_key_append_der(EVP_PKEY *key, struct buffer *der)
{
    unsigned char *encoded = NULL;
    int size = i2d_PUBKEY(key, &encoded);
    int error = size > 0 ? buffer_append(der, encoded, (size_t)size) : -ENOMEM;

    OPENSSL_free(encoded);
    return error;
}

int jose_key_from_der(struct jose_key **out, struct slice der, uint32_t algorithms)
{
    const unsigned char *at = (const unsigned char *)der.data;
    EVP_PKEY *key;

    *out = NULL;
    if (der.size == 0 || der.size > KEY_DER_MAX)
        return -EINVAL;
    key = d2i_PUBKEY(NULL, &at, (long)der.size);
    if (key != NULL && !jose_key_der_is_canonical(key, der)) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    return jose_key_make(out, key, algorithms);
}

/* An encrypted file is refused, not asked about on the terminal. */
static int jose_key_no_password(char *buffer, int size, int writing, void *data)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)data;
    return -1;
}

int jose_key_from_pem(struct jose_key **out, struct slice pem)
{
    EVP_PKEY *key = NULL;
    BIO *bio;

    *out = NULL;
    if (pem.size == 0 || pem.size > KEY_PEM_MAX)
        return -EINVAL;
    bio = BIO_new_mem_buf(pem.data, (int)pem.size);
    if (bio != NULL)
        key = PEM_read_bio_PrivateKey(bio, NULL, jose_key_no_password, NULL);
    BIO_free(bio);
    return jose_key_make(out, key, JOSE_ALL);
}

int jose_key_generate(struct jose_key **out, enum jose_algorithm algorithm)
{
    const struct jose_rule *rule = &jose_rules[algorithm];
    EVP_PKEY *key;

    if (rule->family == JOSE_ED25519)
        key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    else if (rule->family == JOSE_ECDSA)
        key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", rule->group);
    else
        key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)KEY_RSA_BITS_NEW);
    return jose_key_make(out, key, JOSE_ALL);
}

uint32_t jose_key_algorithms(const struct jose_key *key)
{
    return key->fitting;
}

int jose_key_private_pem(const struct jose_key *key, struct buffer *out)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    char *data = NULL;
    long size = 0;
    int error = -EINVAL;

    if (bio == NULL)
        return jose_key_error(-ENOMEM);
    if (PEM_write_bio_PrivateKey(bio, key->key, NULL, NULL, 0, NULL, NULL) == 1)
        size = BIO_get_mem_data(bio, &data);
    if (size > 0)
        error = buffer_append(out, data, (size_t)size);
    BIO_free(bio);
    return error == 0 ? 0 : jose_key_error(error);
}
