#include "worker/verification.h"

#include "shared/clock.h"
#include "shared/jose.h"

#include <errno.h>
#include <stddef.h>

static enum auth_reason verification_refuse(struct verification *verification,
                                            enum auth_reason reason, const char *description)
{
    verification->description = description;
    return reason;
}

static enum auth_reason verification_parse(struct verification *verification)
{
    switch (jws_parse(verification->token, &verification->jws)) {
    case JWS_OK:
        return AUTH_OK;
    case JWS_ALGORITHM:
        return verification_refuse(verification, AUTH_ALGORITHM,
                                   "the token's algorithm is not allowed");
    default:
        return verification_refuse(verification, AUTH_MALFORMED,
                                   "the token is not a well-formed JWT");
    }
}

/* Who issued it picks the binding. An app that does not exist has none, and is told apart by
 * nothing. */
static enum auth_reason verification_bind(struct verification *verification)
{
    /* Unverified; who is said to have issued it decides how the rest is read. */
    struct json_value claim = json_table_get(&verification->jws.claims, slice_from("iss"));
    char issuer[JUDGEMENT_ISSUER_MAX];
    long size = judgement_issuer(&claim, issuer);

    if (size > 0) {
        verification->binding = catalog_binding_find(verification->catalog, verification->app,
                                                     slice_make(issuer, (size_t)size));
        if (verification->binding != NULL)
            return AUTH_OK;
        if (catalog_error(verification->catalog) != 0)
            return AUTH_STORE;
    }
    return verification_refuse(verification, AUTH_ISSUER,
                               "the token's issuer is not accepted here");
}

static enum auth_reason verification_judge(struct verification *verification)
{
    enum auth_reason reason =
        judgement_make(&verification->judgement, &verification->jws, verification->binding,
                       verification->previous, clock_wall_seconds());

    verification->description = verification->judgement.description;
    return reason;
}

static int verification_try(struct verification *verification, struct jose_key *key,
                            struct slice signature)
{
    const struct jws *jws = &verification->jws;

    if (verification->stands)
        return jose_verify(key, jws->algorithm, jws->signing_input, signature);
    return jose_verify_digest(key, jws->algorithm, jws->signing_input, signature,
                              &verification->digest);
}

/* Tries the keys that the token's kid names, or all of the config's for a token without one. */
static enum auth_reason verification_prove(struct verification *verification)
{
    struct jose_key *keys[CATALOG_KEYS_MAX];
    struct slice thumbprints[CATALOG_KEYS_MAX];
    const struct jws *jws = &verification->jws;
    struct slice signature = slice_make((const char *)jws->signature, jws->signature_size);
    size_t tried = 0;
    size_t count =
        catalog_keys(verification->catalog, verification->binding->config.name,
                     slice_make(jws->kid, jws->kid_size), keys, thumbprints, CATALOG_KEYS_MAX);

    if (count == 0)
        return catalog_error(verification->catalog) != 0 ? AUTH_STORE : AUTH_KID;
    for (size_t i = 0; i < count && tried < VERIFICATION_KEYS_TRIED; i++) {
        int error = verification_try(verification, keys[i], signature);

        if (error == -EINVAL)
            continue;
        tried++;
        scoreboard_count(verification->block, COUNT_SIGNATURE_CHECKS);
        if (error == 0) {
            verification->judgement.session.key_thumbprint = thumbprints[i];
            return AUTH_OK;
        }
    }
    if (tried == 0)
        return verification_refuse(verification, AUTH_ALGORITHM,
                                   "the token's algorithm fits no key");
    return verification_refuse(verification, AUTH_SIGNATURE, "the token's signature is wrong");
}

/* Behind the proof: what else a token needs is told to nobody who made one up. */
static enum auth_reason verification_scopes(struct verification *verification)
{
    if (!verification->judgement.lacks_scope)
        return AUTH_OK;
    return verification_refuse(verification, AUTH_SCOPE, "the token lacks a required scope");
}

static enum auth_reason verification_record(struct verification *verification)
{
    struct session_record *session = &verification->judgement.session;

    if (verification->stands)
        return AUTH_OK;
    digest_hex(&verification->digest, verification->signing_input);
    session->signing_input = slice_make(verification->signing_input, DIGEST_HEX_SIZE);
    session->app = verification->app;
    session->client_address = verification->client_address;
    session->created =
        verification->previous != NULL ? verification->previous->created : clock_wall_seconds();
    return AUTH_OK;
}

void verification_begin(struct verification *verification)
{
    memset(verification, 0, offsetof(struct verification, jws));
}

enum auth_reason verification_make(struct verification *verification)
{
    static enum auth_reason (*const steps[])(struct verification * verification) = {
        verification_parse, verification_bind,   verification_judge,
        verification_prove, verification_scopes, verification_record,
    };

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        enum auth_reason reason = steps[i](verification);

        if (reason != AUTH_OK)
            return reason;
    }
    return AUTH_OK;
}

void verification_free(struct verification *verification)
{
    judgement_free(&verification->judgement);
    jws_free(&verification->jws);
}
