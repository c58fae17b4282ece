/* auth_config_schema.h: the table of an app_auth_config's keys. Used by auth_config_document.c.
 */
#ifndef GATEHOUSE_CONF_AUTH_CONFIG_SCHEMA_H
#define GATEHOUSE_CONF_AUTH_CONFIG_SCHEMA_H

#include "conf/schema.h"

/* Times are milliseconds here. */
struct auth_config_form {
    unsigned version, kind, sub_kind;
    struct slice name, description, issuer, username_claim, jwks_url, static_jwks;
    uint64_t clock_skew, max_token_age, max_session_ttl;
    bool allow_unverified_email, insecure;
    const struct yaml_node *labels; /* of the document itself */
    const struct yaml_node *app_labels;
    const struct yaml_node *audience, *algorithms, *required_scopes; /* a text or a list */
    const struct yaml_node *required_claims;                         /* a mapping */
    const struct yaml_node *claims_to_roles;                         /* a list */
};

/* One element of claims_to_roles. */
struct role_mapping_form {
    struct slice claim, value;
    const struct yaml_node *roles;
};

extern const struct schema auth_config_schema;
extern const struct schema role_mapping_schema;

#endif
