#include "shared/jose.h"

#include "shared/base64url.h"
#include "shared/ecdsa_signature.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <errno.h>
#include <stdlib.h>

enum jose_family { JOSE_PKCS1, JOSE_PSS, JOSE_ECDSA, JOSE_ED25519 };

enum {
    JOSE_DER_MAX = 4096,  /* an 8192-bit RSA key has less than 1100 bytes */
    JOSE_PEM_MAX = 65536, /* a private one less than 8000 */
    JOSE_RSA_BITS_NEW = 2048,
};

/* RFC 7518, 3.1 and RFC 8037, 3.1. */
static const struct jose_rule {
    const char *name;
    enum jose_family family;
    const char *digest; /* NULL: the algorithm has its own */
    const char *curve;  /* crv of a JWK; NULL: not EC or OKP */
    const char *group;  /* OpenSSL's name of an EC curve */
    size_t number;      /* bytes of r and of s; of an EdDSA signature's half */
} jose_rules[JOSE_ALGORITHMS] = {
    [JOSE_RS256] = {"RS256", JOSE_PKCS1, "SHA2-256", NULL, NULL, 0},
    [JOSE_RS384] = {"RS384", JOSE_PKCS1, "SHA2-384", NULL, NULL, 0},
    [JOSE_RS512] = {"RS512", JOSE_PKCS1, "SHA2-512", NULL, NULL, 0},
    [JOSE_PS256] = {"PS256", JOSE_PSS, "SHA2-256", NULL, NULL, 0},
    [JOSE_PS384] = {"PS384", JOSE_PSS, "SHA2-384", NULL, NULL, 0},
    [JOSE_PS512] = {"PS512", JOSE_PSS, "SHA2-512", NULL, NULL, 0},
    [JOSE_ES256] = {"ES256", JOSE_ECDSA, "SHA2-256", "P-256", "prime256v1", 32},
    [JOSE_ES384] = {"ES384", JOSE_ECDSA, "SHA2-384", "P-384", "secp384r1", 48},
    [JOSE_ES512] = {"ES512", JOSE_ECDSA, "SHA2-512", "P-521", "secp521r1", 66},
    [JOSE_EDDSA] = {"EdDSA", JOSE_ED25519, NULL, "Ed25519", NULL, 32},
};

/* What verifying with one algorithm needs, made on first use and used again and again. */
struct jose_prepared {
    EVP_MD *digest;
    EVP_PKEY_CTX *context;
};

struct jose_key {
    EVP_PKEY *key;
    uint32_t fitting; /* algorithms of the key's type */
    uint32_t allowed; /* those that may be used */
    EVP_MD_CTX *work; /* begins anew with every message */
    struct jose_prepared prepared[JOSE_ALGORITHMS];
};

static uint32_t jose_bit(enum jose_algorithm algorithm)
{
    return UINT32_C(1) << algorithm;
}

int jose_algorithm_from_name(struct slice name)
{
    for (int i = 0; i < JOSE_ALGORITHMS; i++) {
        if (slice_is(name, jose_rules[i].name))
            return i;
    }
    return -1;
}

const char *jose_algorithm_name(enum jose_algorithm algorithm)
{
    return (unsigned)algorithm < JOSE_ALGORITHMS ? jose_rules[algorithm].name : "unknown";
}

/* OpenSSL keeps errors for the thread; TLS on the same thread must not find ours. */
static int jose_error(int error)
{
    ERR_clear_error();
    return error;
}

static bool jose_number_is_odd(EVP_PKEY *key, const char *name, int bits_max)
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
static const char *jose_check_rsa(EVP_PKEY *key)
{
    int bits = EVP_PKEY_get_bits(key);

    if (bits < JOSE_RSA_BITS_MIN)
        return "it is an RSA key of less than 2048 bits";
    if (bits > JOSE_RSA_BITS_MAX)
        return "it is an RSA key of more than 8192 bits";
    if (!jose_number_is_odd(key, OSSL_PKEY_PARAM_RSA_N, JOSE_RSA_BITS_MAX))
        return "its modulus is even";
    if (!jose_number_is_odd(key, OSSL_PKEY_PARAM_RSA_E, JWK_EXPONENT_MAX * 8))
        return "its public exponent is not an odd number above 2 and below 2^64";
    return NULL;
}

/* EC: the point is on its curve, and not at infinity. */
static const char *jose_check_point(EVP_PKEY *key)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    bool sound = context != NULL && EVP_PKEY_public_check(context) == 1;

    EVP_PKEY_CTX_free(context);
    return sound ? NULL : "its numbers are not those of a sound public key";
}

/* A curve given by its parameters, and not by its name, may be a forgery of the named one. */
static bool jose_has_explicit_curve(EVP_PKEY *key)
{
    int explicit_curve = 0;

    return EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS,
                                  &explicit_curve) == 1 &&
           explicit_curve != 0;
}

static uint32_t jose_fitting_group(EVP_PKEY *key)
{
    char group[32];
    uint32_t fitting = 0;

    if (EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) != 1 ||
        jose_has_explicit_curve(key))
        return 0;
    for (unsigned i = 0; i < JOSE_ALGORITHMS; i++) {
        if (jose_rules[i].family == JOSE_ECDSA && strcmp(group, jose_rules[i].group) == 0)
            fitting |= jose_bit(i);
    }
    return fitting;
}

static uint32_t jose_fitting(EVP_PKEY *key)
{
    uint32_t fitting = 0;

    if (EVP_PKEY_is_a(key, "ED25519"))
        return jose_bit(JOSE_EDDSA);
    if (EVP_PKEY_is_a(key, "EC"))
        return jose_fitting_group(key);
    if (!EVP_PKEY_is_a(key, "RSA"))
        return 0;
    for (unsigned i = 0; i < JOSE_ALGORITHMS; i++) {
        if (jose_rules[i].family == JOSE_PKCS1 || jose_rules[i].family == JOSE_PSS)
            fitting |= jose_bit(i);
    }
    return fitting;
}

/* NULL when the key may be used, else a literal; *fitting: the algorithms of its kind. */
static const char *jose_check(EVP_PKEY *key, uint32_t *fitting)
{
    *fitting = jose_fitting(key);
    if (*fitting == 0)
        return "it is not of a type and curve that can be used";
    return (*fitting & jose_bit(JOSE_RS256)) != 0 ? jose_check_rsa(key) : jose_check_point(key);
}

/* Takes `key` over, whatever the result; NULL is a key that could not be read. */
static int jose_key_make(struct jose_key **out, EVP_PKEY *key, uint32_t algorithms)
{
    struct jose_key *made = NULL;
    uint32_t fitting = 0;

    *out = NULL;
    if (key == NULL || jose_check(key, &fitting) != NULL || (fitting & algorithms) == 0) {
        EVP_PKEY_free(key);
        return jose_error(-EINVAL);
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
        return jose_error(-ENOMEM);
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
static bool jose_der_is_canonical(EVP_PKEY *key, struct slice der)
{
    unsigned char *encoded = NULL;
    int size = i2d_PUBKEY(key, &encoded);
    bool same = size > 0 && slice_equal(der, slice_make((char *)encoded, (size_t)size));

    OPENSSL_free(encoded);
    return same;
}

int jose_key_from_der(struct jose_key **out, struct slice der, uint32_t algorithms)
{
    const unsigned char *at = (const unsigned char *)der.data;
    EVP_PKEY *key;

    *out = NULL;
    if (der.size == 0 || der.size > JOSE_DER_MAX)
        return -EINVAL;
    key = d2i_PUBKEY(NULL, &at, (long)der.size);
    if (key != NULL && !jose_der_is_canonical(key, der)) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    return jose_key_make(out, key, algorithms);
}

/* An encrypted file is refused, not asked about on the terminal. */
static int jose_no_password(char *buffer, int size, int writing, void *data)
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
    if (pem.size == 0 || pem.size > JOSE_PEM_MAX)
        return -EINVAL;
    bio = BIO_new_mem_buf(pem.data, (int)pem.size);
    if (bio != NULL)
        key = PEM_read_bio_PrivateKey(bio, NULL, jose_no_password, NULL);
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
        key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)JOSE_RSA_BITS_NEW);
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
        return jose_error(-ENOMEM);
    if (PEM_write_bio_PrivateKey(bio, key->key, NULL, NULL, 0, NULL, NULL) == 1)
        size = BIO_get_mem_data(bio, &data);
    if (size > 0)
        error = buffer_append(out, data, (size_t)size);
    BIO_free(bio);
    return error == 0 ? 0 : jose_error(error);
}

/* The public half of a key as a JWK, with room for its numbers. */
struct jose_public {
    struct jwk jwk;
    uint8_t first[JWK_MODULUS_MAX];     /* n or x */
    uint8_t second[JWK_COORDINATE_MAX]; /* e or y */
};

/* A number of the key, in `size` bytes or (0) as few as it takes; empty when there is none. */
static struct slice jose_number(EVP_PKEY *key, const char *name, size_t size, uint8_t *out,
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

static int jose_key_public(const struct jose_key *key, struct jose_public *out)
{
    struct jwk *jwk = &out->jwk;
    const struct jose_rule *rule = NULL;

    *jwk = (struct jwk){.type = JWK_RSA};
    for (unsigned i = 0; i < JOSE_ALGORITHMS && rule == NULL; i++) {
        if ((key->fitting & jose_bit(i)) != 0)
            rule = &jose_rules[i];
    }
    if (rule == NULL)
        return -EINVAL;
    jwk->curve = slice_from(rule->curve);
    if (rule->family == JOSE_ECDSA) {
        jwk->type = JWK_EC;
        jwk->x = jose_number(key->key, OSSL_PKEY_PARAM_EC_PUB_X, rule->number, out->first,
                             sizeof(out->first));
        jwk->y = jose_number(key->key, OSSL_PKEY_PARAM_EC_PUB_Y, rule->number, out->second,
                             sizeof(out->second));
        return jwk->x.size > 0 && jwk->y.size > 0 ? 0 : jose_error(-EINVAL);
    }
    if (rule->family == JOSE_ED25519) {
        size_t size = sizeof(out->first);

        jwk->type = JWK_OKP;
        if (EVP_PKEY_get_raw_public_key(key->key, out->first, &size) != 1)
            return jose_error(-EINVAL);
        jwk->x = slice_make((char *)out->first, size);
        return 0;
    }
    jwk->n = jose_number(key->key, OSSL_PKEY_PARAM_RSA_N, 0, out->first, sizeof(out->first));
    jwk->e = jose_number(key->key, OSSL_PKEY_PARAM_RSA_E, 0, out->second, sizeof(out->second));
    return jwk->n.size > 0 && jwk->e.size > 0 ? 0 : jose_error(-EINVAL);
}

int jose_key_kid(const struct jose_key *key, struct buffer *out)
{
    struct jose_public public;
    struct digest digest;
    int error = jose_key_public(key, &public);

    if (error == 0)
        error = jwk_thumbprint(&public.jwk, &digest);
    if (error != 0)
        return error;
    return base64url_encode(slice_make((char *)digest.bytes, DIGEST_SIZE), out);
}

int jose_key_public_jwk(const struct jose_key *key, enum jose_algorithm algorithm,
                        struct buffer *out)
{
    struct jose_public public;
    struct buffer kid = {0};
    int error = (key->fitting & jose_bit(algorithm)) != 0 ? 0 : -EINVAL;

    if (error == 0)
        error = jose_key_public(key, &public);
    if (error == 0)
        error = jose_key_kid(key, &kid);
    if (error == 0) {
        public.jwk.alg = slice_from(jose_algorithm_name(algorithm));
        public.jwk.kid = buffer_slice(&kid);
        error = jwk_append(&public.jwk, out);
    }
    buffer_free(&kid);
    return error;
}

/* A public key from OpenSSL's parameters; NULL when they make none. */
static EVP_PKEY *jose_from_parameters(const char *type, OSSL_PARAM *parameters)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;

    if (context != NULL && parameters != NULL && EVP_PKEY_fromdata_init(context) == 1 &&
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    return key;
}

static EVP_PKEY *jose_from_rsa(const struct jwk *jwk)
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
    key = jose_from_parameters("RSA", parameters);
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(builder);
    BN_free(n);
    BN_free(e);
    return key;
}

/* SEC 1, 2.3.3: an uncompressed point. */
static EVP_PKEY *jose_from_point(const struct jwk *jwk)
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
    return jose_from_parameters("EC", parameters);
}

static EVP_PKEY *jose_from_jwk(const struct jwk *jwk)
{
    switch (jwk->type) {
    case JWK_RSA:
        return jwk->n.size <= JWK_MODULUS_MAX && jwk->e.size <= JWK_EXPONENT_MAX
                   ? jose_from_rsa(jwk)
                   : NULL;
    case JWK_EC:
        return jose_from_point(jwk);
    case JWK_OKP:
        return slice_is(jwk->curve, "Ed25519")
                   ? EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL,
                                                    (const uint8_t *)jwk->x.data, jwk->x.size)
                   : NULL;
    }
    return NULL;
}

/* The algorithms left by the JWK's own `alg`; 0 with a reason when it leaves none. */
static uint32_t jose_narrow(const struct jwk *jwk, uint32_t fitting, const char **reason)
{
    int algorithm;

    if (jwk->alg.size == 0)
        return fitting;
    algorithm = jose_algorithm_from_name(jwk->alg);
    if (algorithm < 0) {
        *reason = "its alg is not one that is accepted";
        return 0;
    }
    if ((fitting & jose_bit((enum jose_algorithm)algorithm)) == 0)
        *reason = "its alg does not fit its type and curve";
    return fitting & jose_bit((enum jose_algorithm)algorithm);
}

static int jose_append_der(EVP_PKEY *key, struct buffer *der)
{
    unsigned char *encoded = NULL;
    int size = i2d_PUBKEY(key, &encoded);
    int error = size > 0 ? buffer_append(der, encoded, (size_t)size) : -ENOMEM;

    OPENSSL_free(encoded);
    return error;
}

int jose_jwk_to_der(const struct jwk *jwk, struct buffer *der, uint32_t *algorithms,
                    const char **reason)
{
    EVP_PKEY *key = jose_from_jwk(jwk);
    uint32_t fitting = 0;
    int error = -EINVAL;

    *algorithms = 0;
    *reason = key == NULL ? "its numbers make no public key" : jose_check(key, &fitting);
    if (*reason == NULL)
        *algorithms = jose_narrow(jwk, fitting, reason);
    if (*algorithms != 0)
        error = jose_append_der(key, der);
    if (error == -ENOMEM)
        *reason = "there is no memory";
    EVP_PKEY_free(key);
    return jose_error(error);
}

/* Sets a context that is initialised to sign or verify up for the algorithm. */
static bool jose_configure(EVP_PKEY_CTX *context, const struct jose_rule *rule)
{
    if (rule->family == JOSE_PKCS1)
        return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1;
    /* RFC 7518, 3.5: the salt is as long as the digest, MGF1 uses the same digest (the default). */
    if (rule->family == JOSE_PSS)
        return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
    return true;
}

static bool jose_prepare(struct jose_key *key, enum jose_algorithm algorithm)
{
    struct jose_prepared *prepared = &key->prepared[algorithm];
    const struct jose_rule *rule = &jose_rules[algorithm];
    EVP_PKEY_CTX *context;

    if (prepared->context != NULL)
        return true;
    if (prepared->digest == NULL)
        prepared->digest = EVP_MD_fetch(NULL, rule->digest, NULL);
    context = EVP_PKEY_CTX_new_from_pkey(NULL, key->key, NULL);
    if (prepared->digest == NULL || context == NULL || EVP_PKEY_verify_init(context) != 1 ||
        EVP_PKEY_CTX_set_signature_md(context, prepared->digest) != 1 ||
        !jose_configure(context, rule)) {
        EVP_PKEY_CTX_free(context);
        return false;
    }
    prepared->context = context;
    return true;
}

/* The digest that a signature is of. */
struct jose_hash {
    uint8_t bytes[EVP_MAX_MD_SIZE];
    unsigned size; /* 0: none was made */
};

/* RSA and ECDSA: hash, then verify with the context that keeps its set-up between calls. */
static bool jose_verify_hash(struct jose_key *key, enum jose_algorithm algorithm,
                             struct slice input, struct slice signature, struct jose_hash *hash)
{
    if (!jose_prepare(key, algorithm))
        return false;
    return EVP_DigestInit_ex2(key->work, key->prepared[algorithm].digest, NULL) == 1 &&
           EVP_DigestUpdate(key->work, input.data, input.size) == 1 &&
           EVP_DigestFinal_ex(key->work, hash->bytes, &hash->size) == 1 &&
           EVP_PKEY_verify(key->prepared[algorithm].context, (const uint8_t *)signature.data,
                           signature.size, hash->bytes, hash->size) == 1;
}

static bool jose_verify_ecdsa(struct jose_key *key, enum jose_algorithm algorithm,
                              struct slice input, struct slice signature, struct jose_hash *hash)
{
    uint8_t der[ECDSA_DER_MAX];
    int size = ecdsa_signature_to_der(signature, der);

    return size > 0 &&
           jose_verify_hash(key, algorithm, input, slice_make((char *)der, (size_t)size), hash);
}

/* Ed25519 takes the message whole, and its context is used once. */
static bool jose_verify_ed25519(struct jose_key *key, struct slice input, struct slice signature)
{
    return EVP_MD_CTX_reset(key->work) == 1 &&
           EVP_DigestVerifyInit(key->work, NULL, NULL, NULL, key->key) == 1 &&
           EVP_DigestVerify(key->work, (const uint8_t *)signature.data, signature.size,
                            (const uint8_t *)input.data, input.size) == 1;
}

static int jose_verify_input(struct jose_key *key, enum jose_algorithm algorithm,
                             struct slice input, struct slice signature, struct jose_hash *hash)
{
    const struct jose_rule *rule;
    size_t size;
    bool right;

    hash->size = 0;
    if ((unsigned)algorithm >= JOSE_ALGORITHMS || (key->allowed & jose_bit(algorithm)) == 0)
        return -EINVAL;
    rule = &jose_rules[algorithm];
    size = rule->number > 0 ? 2 * rule->number : (size_t)EVP_PKEY_get_size(key->key);
    if (signature.size != size)
        return -EACCES;
    if (rule->family == JOSE_ED25519)
        right = jose_verify_ed25519(key, input, signature);
    else if (rule->family == JOSE_ECDSA)
        right = jose_verify_ecdsa(key, algorithm, input, signature, hash);
    else
        right = jose_verify_hash(key, algorithm, input, signature, hash);
    return right ? 0 : jose_error(-EACCES);
}

int jose_verify(struct jose_key *key, enum jose_algorithm algorithm, struct slice input,
                struct slice signature)
{
    struct jose_hash hash;

    return jose_verify_input(key, algorithm, input, signature, &hash);
}

int jose_verify_digest(struct jose_key *key, enum jose_algorithm algorithm, struct slice input,
                       struct slice signature, struct digest *digest)
{
    struct jose_hash hash;
    int error = jose_verify_input(key, algorithm, input, signature, &hash);

    if (error != 0)
        return error;
    /* Of the digests in jose_rules, only SHA-256 is this long. */
    if (hash.size == DIGEST_SIZE)
        memcpy(digest->bytes, hash.bytes, DIGEST_SIZE);
    else
        digest_of(input, digest);
    return 0;
}

/* OpenSSL's own spelling of the signature. */
static bool jose_sign_message(const struct jose_key *key, const struct jose_rule *rule,
                              struct slice input, uint8_t *out, size_t *size)
{
    EVP_MD_CTX *work = EVP_MD_CTX_new();
    EVP_PKEY_CTX *context = NULL; /* owned by `work` */
    bool done;

    done = work != NULL &&
           EVP_DigestSignInit_ex(work, &context, rule->digest, NULL, NULL, key->key, NULL) == 1 &&
           jose_configure(context, rule) &&
           EVP_DigestSign(work, out, size, (const uint8_t *)input.data, input.size) == 1;
    EVP_MD_CTX_free(work);
    return done;
}

int jose_sign(struct jose_key *key, enum jose_algorithm algorithm, struct slice input,
              struct buffer *out)
{
    const struct jose_rule *rule;
    uint8_t signature[JOSE_RSA_BITS_MAX / 8];
    uint8_t raw[2 * ECDSA_NUMBER_MAX];
    size_t size = sizeof(signature);

    if ((unsigned)algorithm >= JOSE_ALGORITHMS || (key->allowed & jose_bit(algorithm)) == 0)
        return -EINVAL;
    rule = &jose_rules[algorithm];
    if (!jose_sign_message(key, rule, input, signature, &size))
        return jose_error(-EINVAL);
    if (rule->family != JOSE_ECDSA)
        return buffer_append(out, signature, size);
    if (ecdsa_signature_from_der(slice_make((char *)signature, size), rule->number, raw) != 0)
        return -EINVAL;
    return buffer_append(out, raw, 2 * rule->number);
}
