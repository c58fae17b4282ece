#include "conf/auth_config_document.h"

#include "conf/auth_config_schema.h"
#include "conf/discovery.h"
#include "conf/document_hash.h"
#include "conf/label_document.h"
#include "shared/jose_jwk.h"
#include "shared/store.h"
#include "shared/uri.h"

#include <stdio.h>

enum { PREFIX_MAX = 64 }; /* bytes of "spec.jwt.claims_to_roles[255]" */

struct auth_config_reading {
    struct schema_context *context;
    const struct yaml_node *root;
    struct auth_config_form form;
    struct auth_config_document *out;
};

/* An error at the key, or at the document when it has no such key. */
static void auth_config_error(struct auth_config_reading *reading, const char *key,
                              const char *hint, const char *reason)
{
    const struct yaml_node *node = yaml_find(reading->root, key);

    schema_error(reading->context, node == NULL ? reading->root : node, "", key, hint, "%s",
                 reason);
}

static void auth_config_warn(struct auth_config_reading *reading, const char *key, const char *hint,
                             const char *reason)
{
    diagnostics_add(reading->context->diagnostics, DIAGNOSTIC_WARNING,
                    yaml_find(reading->root, key)->place, key, hint, "%s", reason);
}

static uint32_t auth_config_algorithms(const struct yaml_node *node)
{
    struct slice names[JOSE_ALGORITHMS];
    size_t count = yaml_strings(node, names, JOSE_ALGORITHMS);
    uint32_t bits = 0;

    for (size_t i = 0; i < count; i++) {
        int algorithm = jose_algorithm_from_name(names[i]);

        if (algorithm >= 0)
            bits |= UINT32_C(1) << algorithm;
    }
    return count == 0 ? JOSE_ALL : bits;
}

/* JWT times are whole seconds (RFC 7519, 2). */
static int64_t auth_config_seconds(struct auth_config_reading *reading, const char *key,
                                   uint64_t milliseconds)
{
    if (milliseconds % 1000 != 0)
        auth_config_error(reading, key, NULL, "must be whole seconds");
    return (int64_t)(milliseconds / 1000);
}

static void auth_config_read_claims(struct auth_config_reading *reading)
{
    struct auth_config_record *record = &reading->out->record;
    const struct yaml_node *node = reading->form.required_claims;

    for (node = node == NULL ? NULL : node->first;
         node != NULL && record->required_claim_count < AUTH_CLAIMS_MAX; node = node->next)
        record->required_claims[record->required_claim_count++] =
            (struct auth_claim){.name = node->key, .value = node->text};
}

static void auth_config_add_mapping(struct auth_config_reading *reading,
                                    const struct role_mapping_form *form, struct buffer *mappings)
{
    struct role_mapping mapping = {.claim = form->claim, .value = form->value};

    mapping.role_count = yaml_strings(form->roles, mapping.roles, ROLE_MAPPING_ROLES_MAX);
    if (role_mapping_append(mappings, &mapping) != 0)
        auth_config_error(reading, "spec.jwt.claims_to_roles", NULL, "out of memory");
}

static void auth_config_read_roles(struct auth_config_reading *reading)
{
    const struct yaml_node *list = reading->form.claims_to_roles;
    struct buffer mappings = {0};
    size_t index = 0;

    if (list == NULL)
        return;
    if (list->count == 0)
        auth_config_error(reading, "spec.jwt.claims_to_roles",
                          "leave it out to give everybody the role \"access\"",
                          "is empty: it would give nobody a role");
    for (const struct yaml_node *node = list->first; node != NULL; node = node->next) {
        struct role_mapping_form form = {0};
        char prefix[PREFIX_MAX];

        snprintf(prefix, sizeof(prefix), "spec.jwt.claims_to_roles[%zu]", index++);
        if (schema_read(&role_mapping_schema, node, prefix, reading->context, &form))
            auth_config_add_mapping(reading, &form, &mappings);
    }
    reading->out->record.role_mappings =
        arena_copy(reading->context->arena, buffer_slice(&mappings));
    if (!role_mappings_are_sound(reading->out->record.role_mappings))
        auth_config_error(reading, "spec.jwt.claims_to_roles", NULL,
                          "reads more than 8 different claims");
    buffer_free(&mappings);
}

static const char *jwks_url_wrong(struct slice text, bool insecure, const char **hint)
{
    const char *reason;
    struct uri uri;

    *hint = "such as https://idp.example.com/.well-known/jwks.json";
    if (uri_parse(text, &uri, &reason) != 0)
        return reason;
    if (uri.tls && slice_equal_nocase(uri.scheme, slice_from("https")))
        return NULL;
    if (!slice_equal_nocase(uri.scheme, slice_from("http")))
        return "the scheme must be https";
    if (insecure || uri_is_loopback(&uri))
        return NULL;
    *hint = "spec.jwt.insecure: true allows it: whoever is on the way can then forge tokens";
    return "plain http is only for a loopback host";
}

static const char *key_usable(const struct jwk *key, struct buffer *der)
{
    const char *reason = NULL;
    uint32_t algorithms;

    buffer_clear(der);
    if (jose_jwk_to_der(key, der, &algorithms, &reason) == 0)
        return NULL;
    return reason == NULL ? "it cannot be used" : reason;
}

static void key_skipped(struct auth_config_reading *reading, size_t index, struct slice kid,
                        const char *why)
{
    char reason[512];

    snprintf(reason, sizeof(reason), "key %zu (kid \"%.*s\") is skipped: %s", index + 1,
             kid.size > 128 ? 128 : (int)kid.size, kid.size == 0 ? "" : kid.data, why);
    auth_config_warn(reading, "spec.jwt.static_jwks", NULL, reason);
}

static void auth_config_check_keys(struct auth_config_reading *reading)
{
    const char *key = "spec.jwt.static_jwks";
    struct buffer der = {0};
    struct jwk_set set;
    const char *reason;
    size_t usable = 0;

    if (jwk_set_parse(reading->form.static_jwks, reading->context->arena, &set, &reason) != 0) {
        auth_config_error(reading, key, "a JSON Web Key Set is {\"keys\": [...]}", reason);
        return;
    }
    for (size_t i = 0; i < set.refusal_count; i++)
        key_skipped(reading, set.refusals[i].index, set.refusals[i].kid, set.refusals[i].reason);
    for (size_t i = 0; i < set.count; i++) {
        const char *why = key_usable(&set.keys[i], &der);

        if (why == NULL)
            usable++;
        else
            key_skipped(reading, set.keys[i].index, set.keys[i].kid, why);
    }
    buffer_free(&der);
    if (usable == 0)
        auth_config_error(reading, key, "add a public key that verifies signatures",
                          "holds no usable key");
}

static void auth_config_read_keys(struct auth_config_reading *reading)
{
    const struct auth_config_form *form = &reading->form;
    bool has_url = yaml_find(reading->root, "spec.jwt.jwks_url") != NULL;
    bool has_set = yaml_find(reading->root, "spec.jwt.static_jwks") != NULL;
    const char *reason;
    const char *hint;

    reading->out->jwks_url = form->jwks_url;
    reading->out->jwks_insecure = form->insecure;
    reading->out->static_jwks = form->static_jwks;
    reading->out->record.keys_static = form->static_jwks.size > 0;
    if (!has_url && !has_set && yaml_find(reading->root, "spec.jwt") != NULL &&
        discovery_refused(form->issuer, form->insecure) != NULL)
        auth_config_error(reading, "spec.jwt",
                          "where the issuer publishes its public keys; an issuer that is an https "
                          "URL is asked for it",
                          "spec.jwt.jwks_url or spec.jwt.static_jwks must be provided");
    if (has_url && has_set)
        auth_config_error(reading, "spec.jwt.static_jwks", "keep one of the two",
                          "stands beside spec.jwt.jwks_url");
    reason = form->jwks_url.size > 0 ? jwks_url_wrong(form->jwks_url, form->insecure, &hint) : NULL;
    if (reason != NULL)
        auth_config_error(reading, "spec.jwt.jwks_url", hint, reason);
    if (form->static_jwks.size > 0)
        auth_config_check_keys(reading);
}

static void auth_config_fill(struct auth_config_reading *reading)
{
    const struct auth_config_form *form = &reading->form;
    struct auth_config_document *out = reading->out;
    struct auth_config_record *record = &out->record;

    record->name = form->name;
    record->issuer = form->issuer;
    record->username_claim = form->username_claim;
    record->algorithms = auth_config_algorithms(form->algorithms);
    record->clock_skew = auth_config_seconds(reading, "spec.jwt.clock_skew", form->clock_skew);
    record->max_token_age =
        auth_config_seconds(reading, "spec.jwt.max_token_age", form->max_token_age);
    record->max_session_ttl =
        auth_config_seconds(reading, "spec.jwt.max_session_ttl", form->max_session_ttl);
    record->allow_unverified_email = form->allow_unverified_email;
    auth_config_read_claims(reading);
    record->required_scope_count =
        yaml_strings(form->required_scopes, record->required_scopes, AUTH_SCOPES_MAX);
    out->audience_count = yaml_strings(form->audience, out->audiences, AUTH_AUDIENCES_MAX);
    if (form->app_labels != NULL)
        out->selector_count =
            selectors_read(form->app_labels, "spec.app_labels", reading->context, &out->selectors);
    auth_config_read_roles(reading);
    auth_config_read_keys(reading);
}

static void auth_config_check_size(struct auth_config_reading *reading)
{
    struct buffer encoded = {0};

    if (auth_config_record_encode(&reading->out->record, &encoded) != 0)
        auth_config_error(reading, "", NULL, "out of memory");
    else if (buffer_size(&encoded) > STORE_RECORD_MAX)
        auth_config_error(reading, "spec.jwt", "shorten its claims or scopes",
                          "is too large for a record of 34000 bytes");
    buffer_free(&encoded);
}

void auth_config_document_read(const struct yaml_node *root, struct schema_context *context,
                               struct document *out)
{
    struct auth_config_reading reading = {
        .context = context, .root = root, .out = &out->auth_config};
    size_t before = context->diagnostics->errors;

    *out = (struct document){.kind = DOCUMENT_AUTH_CONFIG, .place = root->place};
    schema_read(&auth_config_schema, root, "", context, &reading.form);
    auth_config_fill(&reading);
    auth_config_check_size(&reading);
    out->name = reading.form.name;
    if (context->diagnostics->errors == before)
        document_hash(out, context->arena);
    out->state = out->hash.size > 0 ? DOCUMENT_GOOD : DOCUMENT_REFUSED;
}
