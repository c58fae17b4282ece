#include "conf/role_schema.h"

#include "conf/metadata_schema.h"
#include "shared/json_pointer.h"
#include "shared/policy_record.h"

enum {
    NAME_SIZE_MAX = 100, /* bytes: a key of the store shows it as it is */
    SCOPE_MAX = 256,     /* bytes */
};

/* v3 to v8 are what Teleport's roles say. */
static const char *const versions[] = {"v1", "v3", "v4", "v5", "v6", "v7", "v8", NULL};
static const char *const kinds[] = {"role", NULL};

static const char *role_name_check(struct slice name)
{
    if (slice_is(name, POLICY_ROLE_ACCESS))
        return "the role \"access\" is built in: it allows everything of the apps of a config";
    return metadata_name_is_plain(name, NAME_SIZE_MAX)
               ? NULL
               : "must be letters, digits, '.', '_' and '-', at most 100";
}

const char *scope_check(struct slice scope)
{
    for (size_t i = 0; i < scope.size; i++)
        if (scope.data[i] <= ' ' || scope.data[i] > '~' || scope.data[i] == '"' ||
            scope.data[i] == '\\')
            return "a scope has no spaces, quotes, backslashes or non-ASCII characters";
    return scope.size <= SCOPE_MAX ? NULL : "a scope has at most 256 characters";
}

static const char *pointer_check(struct slice text)
{
    struct json_pointer pointer;
    char room[JSON_POINTER_SIZE_MAX];

    return json_pointer_read(&pointer, text, room) == 0
               ? NULL
               : "must be a JSON pointer (RFC 6901) of at most 16 steps and 512 bytes";
}

#define ALLOW(field) .offset = offsetof(struct role_form, sides[0].field)
#define DENY(field) .offset = offsetof(struct role_form, sides[1].field)

static const struct schema_row role_rows[] = {
    METADATA_ROWS(struct role_form, versions, NULL, kinds, role_name_check,
                  "delete the document when its time has come"),
    {.path = "spec", .type = SCHEMA_MAPPING, .required = true},
    {.path = "spec.options",
     .type = SCHEMA_REFUSED,
     .hint = "how long sessions live is in the app_auth_config"},
    {.path = "spec.allow", .type = SCHEMA_MAPPING},
    {.path = "spec.allow.app_labels", .type = SCHEMA_ANY, ALLOW(app_labels)},
    {.path = "spec.allow.app_labels_expression",
     .type = SCHEMA_REFUSED,
     .hint = "app_labels chooses apps"},
    {.path = "spec.allow.required_scopes",
     .type = SCHEMA_STRINGS,
     ALLOW(required_scopes),
     .low = 1,
     .high = POLICY_SCOPES_MAX,
     .check = scope_check},
    {.path = "spec.allow.mcp", .type = SCHEMA_MAPPING},
    {.path = "spec.allow.mcp.tools", .type = SCHEMA_ANY, ALLOW(tools)},
    {.path = "spec.allow.mcp.prompts", .type = SCHEMA_ANY, ALLOW(prompts)},
    {.path = "spec.allow.mcp.resources", .type = SCHEMA_ANY, ALLOW(resources)},
    {.path = "spec.deny", .type = SCHEMA_MAPPING},
    {.path = "spec.deny.app_labels", .type = SCHEMA_ANY, DENY(app_labels)},
    {.path = "spec.deny.app_labels_expression",
     .type = SCHEMA_REFUSED,
     .hint = "app_labels chooses apps"},
    {.path = "spec.deny.required_scopes",
     .type = SCHEMA_REFUSED,
     .hint = "what is forbidden is so with every scope"},
    {.path = "spec.deny.mcp", .type = SCHEMA_MAPPING},
    {.path = "spec.deny.mcp.tools", .type = SCHEMA_ANY, DENY(tools)},
    {.path = "spec.deny.mcp.prompts", .type = SCHEMA_ANY, DENY(prompts)},
    {.path = "spec.deny.mcp.resources", .type = SCHEMA_ANY, DENY(resources)},
};

const struct schema role_schema = {.rows = role_rows,
                                   .count = sizeof(role_rows) / sizeof(role_rows[0])};

static const struct schema_row role_rule_rows[] = {
    {.path = "name",
     .type = SCHEMA_STRING,
     .required = true,
     .offset = offsetof(struct role_rule_form, name)},
    {.path = "arguments",
     .type = SCHEMA_LIST,
     .offset = offsetof(struct role_rule_form, arguments),
     .low = 1,
     .high = POLICY_CONDITIONS_MAX},
    {.path = "scopes",
     .type = SCHEMA_STRINGS,
     .offset = offsetof(struct role_rule_form, scopes),
     .low = 1,
     .high = POLICY_SCOPES_MAX,
     .check = scope_check},
};

const struct schema role_rule_schema = {
    .rows = role_rule_rows, .count = sizeof(role_rule_rows) / sizeof(role_rule_rows[0])};

static const struct schema_row role_argument_rows[] = {
    {.path = "pointer",
     .type = SCHEMA_STRING,
     .required = true,
     .offset = offsetof(struct role_argument_form, pointer),
     .check = pointer_check,
     .hint = "such as /database, or /filter/owner"},
    {.path = "values",
     .type = SCHEMA_ANY,
     .required = true,
     .offset = offsetof(struct role_argument_form, values)},
};

const struct schema role_argument_schema = {.rows = role_argument_rows,
                                            .count = sizeof(role_argument_rows) /
                                                     sizeof(role_argument_rows[0])};
