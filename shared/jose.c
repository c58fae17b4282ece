#include "shared/jose.h"

#include "shared/ecdsa_signature.h"
#include "shared/jose_key_parts.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <errno.h>

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
    if ((unsigned)algorithm >= JOSE_ALGORITHMS ||
        (key->allowed & jose_algorithm_bit(algorithm)) == 0)
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
    return right ? 0 : jose_key_error(-EACCES);
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

    if ((unsigned)algorithm >= JOSE_ALGORITHMS ||
        (key->allowed & jose_algorithm_bit(algorithm)) == 0)
        return -EINVAL;
    rule = &jose_rules[algorithm];
    if (!jose_sign_message(key, rule, input, signature, &size))
        return jose_key_error(-EINVAL);
    if (rule->family != JOSE_ECDSA)
        return buffer_append(out, signature, size);
    if (ecdsa_signature_from_der(slice_make((char *)signature, size), rule->number, raw) != 0)
        return -EINVAL;
    return buffer_append(out, raw, 2 * rule->number);
}
