#include "conf/auth_config_schema.h"

#include "conf/metadata_schema.h"
#include "conf/role_schema.h"
#include "shared/auth_config_record.h"
#include "shared/jose_algorithm.h"
#include "shared/jwk.h"
#include "shared/pattern.h"

enum {
    CLAIM_NAME_MAX = 256, /* bytes; namespaced claims are URLs */
    AUDIENCE_MAX = 1024,  /* bytes */
    ISSUER_MAX = 1024,    /* bytes */
    NAME_SIZE_MAX = 128,  /* bytes */
};

static const char *const versions[] = {"v1", NULL};
static const char *const kinds[] = {"app_auth_config", NULL};
static const char *const sub_kinds[] = {"jwt", NULL};

static const char *config_name_check(struct slice name)
{
    return metadata_name_is_plain(name, NAME_SIZE_MAX)
               ? NULL
               : "must be letters, digits, '.', '_' and '-', at most 128";
}

static bool text_has_space(struct slice text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] == ' ' || text.data[i] == '\t' || text.data[i] == '\n')
            return true;
    return false;
}

static const char *issuer_check(struct slice issuer)
{
    return text_has_space(issuer) ? "must not hold spaces: it is compared byte by byte" : NULL;
}

/* The one template, at most once: what an audience can grow to stays within a record. */
static const char *audience_check(struct slice audience)
{
    const char *template = "{{app.resource}}";
    const char *open;

    if (audience.size > AUDIENCE_MAX)
        return "an audience has at most 1024 characters";
    if (text_has_space(audience))
        return "must not hold spaces: it is compared byte by byte";
    open = memmem(audience.data, audience.size, "{{", 2);
    if (open == NULL)
        return NULL;
    audience = slice_skip(audience, (size_t)(open - audience.data));
    if (!slice_has_prefix(audience, slice_from(template)))
        return "the only template is {{app.resource}}";
    audience = slice_skip(audience, strlen(template));
    return memmem(audience.data, audience.size, "{{", 2) == NULL
               ? NULL
               : "{{app.resource}} may stand once only";
}

static const char *algorithm_check(struct slice name)
{
    return jose_algorithm_from_name(name) >= 0 ? NULL : "this algorithm is not supported";
}

static const char *claim_value_check(struct slice value)
{
    if (pattern_kind_of(value) == PATTERN_REGEX)
        return "a regular expression is not supported here; * stands for any text";
    return memmem(value.data, value.size, "{{", 2) == NULL ? NULL : "templates are not filled in";
}

#define CONFIG(field) .offset = offsetof(struct auth_config_form, field)
#define JWT(field) .path = "spec.jwt." #field, CONFIG(field)

static const struct schema_row auth_config_rows[] = {
    METADATA_ROWS(struct auth_config_form, versions, "app auth config only supports version \"v1\"",
                  kinds, config_name_check, "delete the document when its time has come"),
    {.path = "sub_kind", .type = SCHEMA_CHOICE, CONFIG(sub_kind), .choices = sub_kinds},
    {.path = "spec", .type = SCHEMA_MAPPING, .required = true},
    {.path = "spec.app_labels",
     .type = SCHEMA_ANY,
     .required = true,
     CONFIG(app_labels),
     .hint = "without a label the config is not effective"},
    {.path = "spec.jwt", .type = SCHEMA_MAPPING, .required = true},
    {JWT(issuer), .type = SCHEMA_STRING, .required = true, .low = 1, .high = ISSUER_MAX,
     .check = issuer_check, .hint = "the token's iss, byte for byte"},
    {JWT(audience), .type = SCHEMA_STRINGS, .required = true, .low = 1, .high = AUTH_AUDIENCES_MAX,
     .check = audience_check, .hint = "such as \"{{app.resource}}\""},
    {JWT(username_claim), .type = SCHEMA_STRING, .low = 1, .high = CLAIM_NAME_MAX,
     .fallback = "email"},
    /* An attacker who controls a mailbox elsewhere must not become its user here. */
    {JWT(allow_unverified_email), .type = SCHEMA_BOOL},
    {JWT(jwks_url), .type = SCHEMA_STRING},
    {JWT(insecure), .type = SCHEMA_BOOL},
    {JWT(static_jwks), .type = SCHEMA_STRING, .low = 1, .high = JWK_SET_SIZE_MAX,
     .hint = "write the JSON text as a block: static_jwks: |"},
    {JWT(algorithms), .type = SCHEMA_STRINGS, .low = 1, .high = JOSE_ALGORITHMS,
     .check = algorithm_check,
     .hint = "one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA"},
    /* The leeway of most libraries; more than minutes would outlive a revoked key. */
    {JWT(clock_skew), .type = SCHEMA_DURATION, .low = 0, .high = 300000, .fallback = "60s"},
    /* A stolen old token opens no new session. */
    {JWT(max_token_age), .type = SCHEMA_DURATION, .low = 1000, .high = UINT64_C(3660) * 86400000,
     .fallback = "30m"},
    /* 0: as long as the token says. */
    {JWT(max_session_ttl), .type = SCHEMA_DURATION, .low = 0, .high = UINT64_C(30) * 86400000},
    {JWT(required_claims), .type = SCHEMA_MAP, .low = 0, .high = AUTH_CLAIMS_MAX},
    {JWT(required_scopes), .type = SCHEMA_STRINGS, .low = 0, .high = AUTH_SCOPES_MAX,
     .check = scope_check},
    {JWT(claims_to_roles), .type = SCHEMA_LIST, .low = 0, .high = ROLE_MAPPINGS_MAX},
    {.path = "spec.jwt.authorization_header",
     .type = SCHEMA_REFUSED,
     .hint = "the token is read from Authorization: Bearer, always"},
};

const struct schema auth_config_schema = {
    .rows = auth_config_rows, .count = sizeof(auth_config_rows) / sizeof(auth_config_rows[0])};

static const struct schema_row role_mapping_rows[] = {
    {.path = "claim",
     .type = SCHEMA_STRING,
     .required = true,
     .offset = offsetof(struct role_mapping_form, claim),
     .low = 1,
     .high = CLAIM_NAME_MAX},
    {.path = "value",
     .type = SCHEMA_STRING,
     .required = true,
     .offset = offsetof(struct role_mapping_form, value),
     .low = 1,
     .high = PATTERN_MAX,
     .check = claim_value_check},
    {.path = "roles",
     .type = SCHEMA_STRINGS,
     .required = true,
     .offset = offsetof(struct role_mapping_form, roles),
     .low = 1,
     .high = ROLE_MAPPING_ROLES_MAX,
     .check = config_name_check},
};

const struct schema role_mapping_schema = {
    .rows = role_mapping_rows, .count = sizeof(role_mapping_rows) / sizeof(role_mapping_rows[0])};
