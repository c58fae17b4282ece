#include "shared/jose_jwk.h"

#include "shared/base64url.h"
#include "shared/jose_key_parts.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <errno.h>

/* The public half of a key as a JWK, with room for its numbers. */
struct jose_jwk {
    struct jwk jwk;
    uint8_t first[JWK_MODULUS_MAX];     /* n or x */
    uint8_t second[JWK_COORDINATE_MAX]; /* e or y */
};

/* A number of the key, in `size` bytes or (0) as few as it takes; empty when there is none. */
static struct slice jose_jwk_number(EVP_PKEY *key, const char *name, size_t size, uint8_t *out,
                                    size_t room)
{
    BIGNUM *number = NULL;
    int used = -1;

    if (EVP_PKEY_get_bn_param(key, name, &number) == 1) {
        size_t wanted = size == 0 ? (size_t)BN_num_bytes(number) : size;

        if (wanted <= room)
            used = BN_bn2binpad(number, out, (int)wanted);
    }
    BN_free(number);
    return slice_make((char *)out, used < 0 ? 0 : (size_t)used);
}

static int jose_jwk_of(const struct jose_key *key, struct jose_jwk *out)
{
    struct jwk *jwk = &out->jwk;
    const struct jose_rule *rule = NULL;

    *jwk = (struct jwk){.type = JWK_RSA};
    for (unsigned i = 0; i < JOSE_ALGORITHMS && rule == NULL; i++) {
        if ((key->fitting & jose_algorithm_bit(i)) != 0)
            rule = &jose_rules[i];
    }
    if (rule == NULL)
        return -EINVAL;
    jwk->curve = slice_from(rule->curve);
    if (rule->family == JOSE_ECDSA) {
        jwk->type = JWK_EC;
        jwk->x = jose_jwk_number(key->key, OSSL_PKEY_PARAM_EC_PUB_X, rule->number, out->first,
                                 sizeof(out->first));
        jwk->y = jose_jwk_number(key->key, OSSL_PKEY_PARAM_EC_PUB_Y, rule->number, out->second,
                                 sizeof(out->second));
        return jwk->x.size > 0 && jwk->y.size > 0 ? 0 : jose_key_error(-EINVAL);
    }
    if (rule->family == JOSE_ED25519) {
        size_t size = sizeof(out->first);

        jwk->type = JWK_OKP;
        if (EVP_PKEY_get_raw_public_key(key->key, out->first, &size) != 1)
            return jose_key_error(-EINVAL);
        jwk->x = slice_make((char *)out->first, size);
        return 0;
    }
    jwk->n = jose_jwk_number(key->key, OSSL_PKEY_PARAM_RSA_N, 0, out->first, sizeof(out->first));
    jwk->e = jose_jwk_number(key->key, OSSL_PKEY_PARAM_RSA_E, 0, out->second, sizeof(out->second));
    return jwk->n.size > 0 && jwk->e.size > 0 ? 0 : jose_key_error(-EINVAL);
}

int jose_jwk_kid(const struct jose_key *key, struct buffer *out)
{
    struct jose_jwk public;
    struct digest digest;
    int error = jose_jwk_of(key, &public);

    if (error == 0)
        error = jwk_thumbprint(&public.jwk, &digest);
    if (error != 0)
        return error;
    return base64url_encode(slice_make((char *)digest.bytes, DIGEST_SIZE), out);
}

int jose_jwk_append(const struct jose_key *key, enum jose_algorithm algorithm, struct buffer *out)
{
    struct jose_jwk public;
    struct buffer kid = {0};
    int error = (key->fitting & jose_algorithm_bit(algorithm)) != 0 ? 0 : -EINVAL;

    if (error == 0)
        error = jose_jwk_of(key, &public);
    if (error == 0)
        error = jose_jwk_kid(key, &kid);
    if (error == 0) {
        public.jwk.alg = slice_from(jose_algorithm_name(algorithm));
        public.jwk.kid = buffer_slice(&kid);
        error = jwk_append(&public.jwk, out);
    }
    buffer_free(&kid);
    return error;
}

/* A public key from OpenSSL's parameters; NULL when they make none. */
static EVP_PKEY *jose_jwk_key_from_parameters(const char *type, OSSL_PARAM *parameters)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;

    if (context != NULL && parameters != NULL && EVP_PKEY_fromdata_init(context) == 1 &&
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    return key;
}

static EVP_PKEY *jose_jwk_key_from_rsa(const struct jwk *jwk)
{
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    BIGNUM *n = BN_bin2bn((const uint8_t *)jwk->n.data, (int)jwk->n.size, NULL);
    BIGNUM *e = BN_bin2bn((const uint8_t *)jwk->e.data, (int)jwk->e.size, NULL);
    OSSL_PARAM *parameters = NULL;
    EVP_PKEY *key;

    if (builder != NULL && n != NULL && e != NULL &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        parameters = OSSL_PARAM_BLD_to_param(builder);
    key = jose_jwk_key_from_parameters("RSA", parameters);
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(builder);
    BN_free(n);
    BN_free(e);
    return key;
}

/* SEC 1, 2.3.3: an uncompressed point. */
static EVP_PKEY *jose_jwk_key_from_point(const struct jwk *jwk)
{
    uint8_t point[1 + 2 * JWK_COORDINATE_MAX] = {0x04};
    size_t size = 1 + jwk->x.size + jwk->y.size;
    OSSL_PARAM parameters[3];
    char *group = NULL;

    for (unsigned i = 0; i < JOSE_ALGORITHMS; i++) {
        if (jose_rules[i].family == JOSE_ECDSA && slice_is(jwk->curve, jose_rules[i].curve) &&
            jwk->x.size == jose_rules[i].number && jwk->y.size == jose_rules[i].number)
            group = (char *)(uintptr_t)jose_rules[i].group; /* OpenSSL only reads it */
    }
    if (group == NULL)
        return NULL;
    memcpy(point + 1, jwk->x.data, jwk->x.size);
    memcpy(point + 1 + jwk->x.size, jwk->y.data, jwk->y.size);
    parameters[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
    parameters[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, size);
    parameters[2] = OSSL_PARAM_construct_end();
    return jose_jwk_key_from_parameters("EC", parameters);
}

static EVP_PKEY *jose_jwk_key(const struct jwk *jwk)
{
    switch (jwk->type) {
    case JWK_RSA:
        return jwk->n.size <= JWK_MODULUS_MAX && jwk->e.size <= JWK_EXPONENT_MAX
                   ? jose_jwk_key_from_rsa(jwk)
                   : NULL;
    case JWK_EC:
        return jose_jwk_key_from_point(jwk);
    case JWK_OKP:
        return slice_is(jwk->curve, "Ed25519")
                   ? EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL,
                                                    (const uint8_t *)jwk->x.data, jwk->x.size)
                   : NULL;
    }
    return NULL;
}

/* The algorithms left by the JWK's own `alg`; 0 with a reason when it leaves none. */
static uint32_t jose_jwk_narrow(const struct jwk *jwk, uint32_t fitting, const char **reason)
{
    int algorithm;

    if (jwk->alg.size == 0)
        return fitting;
    algorithm = jose_algorithm_from_name(jwk->alg);
    if (algorithm < 0) {
        *reason = "its alg is not one that is accepted";
        return 0;
    }
    if ((fitting & jose_algorithm_bit((enum jose_algorithm)algorithm)) == 0)
        *reason = "its alg does not fit its type and curve";
    return fitting & jose_algorithm_bit((enum jose_algorithm)algorithm);
}

int jose_jwk_to_der(const struct jwk *jwk, struct buffer *der, uint32_t *algorithms,
                    const char **reason)
{
    EVP_PKEY *key = jose_jwk_key(jwk);
    uint32_t fitting = 0;
    int error = -EINVAL;

    *algorithms = 0;
    *reason = key == NULL ? "its numbers make no public key" : jose_key_check(key, &fitting);
    if (*reason == NULL)
        *algorithms = jose_jwk_narrow(jwk, fitting, reason);
    if (*algorithms != 0)
        error = jose_key_append_der(key, der);
    if (error == -ENOMEM)
        *reason = "there is no memory";
    EVP_PKEY_free(key);
    return jose_key_error(error);
}
