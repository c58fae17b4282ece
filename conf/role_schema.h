/* role_schema.h: the tables of a role's keys. Used by role_document.c.
 */
#ifndef GATEHOUSE_CONF_ROLE_SCHEMA_H
#define GATEHOUSE_CONF_ROLE_SCHEMA_H

#include "conf/schema.h"

struct role_form {
    unsigned version, kind;
    struct slice name, description;
    const struct yaml_node *labels; /* of the document itself */
    struct {
        const struct yaml_node *app_labels, *required_scopes, *tools, *prompts, *resources;
    } sides[2]; /* [deny] */
};

/* A rule that is more than its pattern. */
struct role_rule_form {
    struct slice name;
    const struct yaml_node *arguments, *scopes;
};

struct role_argument_form {
    struct slice pointer;
    const struct yaml_node *values;
};

extern const struct schema role_schema;
extern const struct schema role_rule_schema;
extern const struct schema role_argument_schema;

/* Why a scope is none (RFC 6749, 3.3), or NULL. */
const char *scope_check(struct slice scope);

#endif
