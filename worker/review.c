#include "worker/review.h"

#include "worker/session_roles.h"

static enum auth_reason review_refuse(const char **description, enum auth_reason reason,
                                      const char *text)
{
    *description = text;
    return reason;
}

/* A claim as the session recorded it; JSON_INVALID when it did not. */
static struct json_value review_claim(const struct session_record *session, struct slice name)
{
    struct json_value value = {.kind = JSON_INVALID};
    const char *reason;

    for (size_t i = 0; i < session->claim_count; i++) {
        if (slice_equal(session->claims[i].name, name) &&
            json_parse(session->claims[i].value, &value, &reason) != 0)
            value.kind = JSON_INVALID;
    }
    return value;
}

static enum auth_reason review_user(const struct session_record *session,
                                    const struct auth_config_record *config,
                                    const char **description)
{
    struct json_value user = review_claim(session, config->username_claim);
    struct json_value verified = review_claim(session, slice_from(JUDGEMENT_EMAIL_VERIFIED));

    if (user.kind != JSON_STRING || !json_string_is(&user, session->user))
        return review_refuse(description, AUTH_CLAIM, "users are named by another claim now");
    if (slice_is(config->username_claim, "email") && !config->allow_unverified_email &&
        judgement_email_unverified(&verified))
        return review_refuse(description, AUTH_CLAIM, "the token's email is not verified");
    return AUTH_OK;
}

static bool review_has_scope(const struct session_record *session, struct slice scope)
{
    for (size_t i = 0; i < session->scope_count; i++)
        if (slice_equal(session->scopes[i], scope))
            return true;
    return false;
}

static enum auth_reason review_requirements(const struct session_record *session,
                                            const struct auth_config_record *config,
                                            const char **description)
{
    for (size_t i = 0; i < config->required_claim_count; i++) {
        struct json_value claim = review_claim(session, config->required_claims[i].name);

        if (!judgement_claim_holds(&claim, config->required_claims[i].value))
            return review_refuse(description, AUTH_CLAIM, "a claim is required now");
    }
    for (size_t i = 0; i < config->required_scope_count; i++)
        if (!review_has_scope(session, config->required_scopes[i]))
            return review_refuse(description, AUTH_CLAIM, "a scope is required now");
    return AUTH_OK;
}

static bool review_role_claim(const void *context, struct slice name, struct json_value *out)
{
    *out = review_claim(context, name);
    return out->kind != JSON_INVALID;
}

/* Other roles are another judgement of what the stream carries. */
static enum auth_reason review_roles(const struct session_record *session,
                                     const struct auth_config_record *config,
                                     const char **description)
{
    struct slice roles[SESSION_ROLES_MAX];
    size_t count;
    const char *wrong = session_roles_judge(config, review_role_claim, session, roles, &count);
    bool same = wrong == NULL && count == session->role_count;

    if (wrong != NULL)
        return review_refuse(description, AUTH_CLAIM, wrong);
    for (size_t i = 0; i < count && same; i++)
        same = slice_equal(roles[i], session->roles[i]);
    return same ? AUTH_OK
                : review_refuse(description, AUTH_CLAIM, "the token gives other roles now");
}

static enum auth_reason review_key(struct catalog *catalog, const struct session_record *session,
                                   const char **description)
{
    struct jose_key *keys[CATALOG_KEYS_MAX];
    struct slice thumbprints[CATALOG_KEYS_MAX];
    size_t count =
        catalog_keys(catalog, session->config, session->kid, keys, thumbprints, CATALOG_KEYS_MAX);

    for (size_t i = 0; i < count; i++)
        if (slice_equal(thumbprints[i], session->key_thumbprint))
            return AUTH_OK;
    if (catalog_error(catalog) != 0)
        return AUTH_STORE;
    return review_refuse(description, AUTH_KID, "the token's key was withdrawn");
}

enum auth_reason review_session(struct catalog *catalog, const struct session_record *session,
                                int64_t now, const char **description)
{
    const struct catalog_binding *binding =
        catalog_binding_find(catalog, session->app, session->issuer);
    int algorithm = jose_algorithm_from_name(session->algorithm);
    const struct auth_config_record *config;
    enum auth_reason reason;

    if (binding == NULL && catalog_error(catalog) != 0)
        return AUTH_STORE;
    if (binding == NULL || !slice_equal(binding->config.name, session->config))
        return review_refuse(description, AUTH_ISSUER, "the issuer is not accepted here any more");
    config = &binding->config;
    if (!judgement_audience_fits(session, &binding->record))
        return review_refuse(description, AUTH_AUDIENCE, "the token is not for this resource now");
    if (config->revision == session->revision)
        return AUTH_OK;
    if (algorithm < 0 || (config->algorithms & (1u << algorithm)) == 0)
        return review_refuse(description, AUTH_ALGORITHM, "the token's algorithm is refused now");
    if (config->max_session_ttl > 0 && session->issued_at + config->max_session_ttl <= now)
        return review_refuse(description, AUTH_EXPIRED, "the longest session is over");
    reason = review_user(session, config, description);
    if (reason == AUTH_OK)
        reason = review_requirements(session, config, description);
    if (reason == AUTH_OK)
        reason = review_roles(session, config, description);
    return reason == AUTH_OK ? review_key(catalog, session, description) : reason;
}
