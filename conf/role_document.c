#include "conf/role_document.h"

#include "conf/document_hash.h"
#include "conf/label_document.h"
#include "conf/role_rule.h"
#include "conf/role_schema.h"
#include "conf/role_warning.h"
#include "shared/store.h"

#include <stdio.h>

struct role_reading {
    struct schema_context *context;
    const struct yaml_node *root;
    struct role_form form;
    struct role_sides *out;
};

static void side_error(struct role_reading *reading, const char *key, const char *hint,
                       const char *reason)
{
    schema_error(reading->context, yaml_find(reading->root, key), "", key, hint, "%s", reason);
}

/* A text, or a list whose elements are texts or rules with conditions. */
static void side_read_kind(struct role_reading *reading, bool deny, enum policy_kind kind,
                           const struct yaml_node *node, const char *key)
{
    struct policy_record *record = &reading->out->records[deny];
    const struct yaml_node *item = node == NULL ? NULL : node->first;
    struct policy_rule *rules = (struct policy_rule *)record->rules;
    size_t index = 0;

    if (node == NULL)
        return;
    if (node->kind != YAML_LIST) {
        schema_error(reading->context, node, "", key, "such as [get_*, ^list_[a-z]+$, echo]",
                     "must be a list");
        return;
    }
    for (; item != NULL; item = item->next, index++) {
        struct role_rule_place place = {.kind = kind, .deny = deny, .key = key, .index = index};

        if (record->rule_count == POLICY_RULES_MAX) {
            schema_error(reading->context, item, "", key, "make it two roles",
                         "a side of a role has at most %d rules", POLICY_RULES_MAX);
            return;
        }
        if (role_rule_read(item, &place, reading->context, &rules[record->rule_count]))
            record->rule_count++;
    }
}

static void side_read_rules(struct role_reading *reading, bool deny)
{
    static const char *const keys[2][POLICY_KINDS] = {
        {"spec.allow.mcp.tools", "spec.allow.mcp.prompts", "spec.allow.mcp.resources"},
        {"spec.deny.mcp.tools", "spec.deny.mcp.prompts", "spec.deny.mcp.resources"}};
    const struct yaml_node *nodes[POLICY_KINDS] = {reading->form.sides[deny].tools,
                                                   reading->form.sides[deny].prompts,
                                                   reading->form.sides[deny].resources};
    struct policy_record *record = &reading->out->records[deny];
    size_t room = 1;

    for (int kind = 0; kind < POLICY_KINDS; kind++)
        room += nodes[kind] == NULL ? 0 : nodes[kind]->count;
    record->rules = arena_array(reading->context->arena, room, sizeof(*record->rules));
    for (int kind = 0; kind < POLICY_KINDS && record->rules != NULL; kind++)
        side_read_kind(reading, deny, (enum policy_kind)kind, nodes[kind], keys[deny][kind]);
}

static void side_read_scopes(struct role_reading *reading, bool deny)
{
    const struct yaml_node *node = reading->form.sides[deny].required_scopes;
    struct policy_record *record = &reading->out->records[deny];

    if (node == NULL)
        return;
    if (node->kind == YAML_SCALAR) {
        record->scopes[record->scope_count++] = node->text;
        return;
    }
    for (node = node->first; node != NULL && record->scope_count < POLICY_SCOPES_MAX;
         node = node->next)
        record->scopes[record->scope_count++] = node->text;
}

/* An empty deny.mcp could mean nothing or everything: neither is guessed. */
static void deny_check(struct role_reading *reading)
{
    const struct yaml_node *mcp = yaml_find(reading->root, "spec.deny.mcp");
    struct policy_record *record = &reading->out->records[1];

    record->whole_app = mcp == NULL && record->selector_count > 0;
    if (mcp != NULL && mcp->kind == YAML_MAPPING && mcp->count == 0)
        side_error(reading, "spec.deny.mcp", "leave it out to forbid the apps whole",
                   "names no tools, prompts or resources");
}

static void side_read(struct role_reading *reading, bool deny, const struct yaml_node *side)
{
    const char *key = deny ? "spec.deny.app_labels" : "spec.allow.app_labels";
    struct policy_record *record = &reading->out->records[deny];
    const struct yaml_node *labels = reading->form.sides[deny].app_labels;
    struct label_selector *selectors = NULL;

    reading->out->has[deny] = true;
    record->role = reading->form.name;
    record->deny = deny;
    record->file = side->place.file;
    record->place = role_place_text(side->key_place, reading->context->arena);
    if (labels != NULL)
        record->selector_count = selectors_read(labels, key, reading->context, &selectors);
    record->selectors = selectors;
    side_read_scopes(reading, deny);
    side_read_rules(reading, deny);
    if (deny)
        deny_check(reading);
}

static void role_check_size(struct role_reading *reading, bool deny)
{
    struct buffer encoded = {0};
    int status = policy_record_encode(&reading->out->records[deny], &encoded);

    if (status < 0)
        side_error(reading, deny ? "spec.deny" : "spec.allow", NULL,
                   "cannot be recorded, or there is no memory");
    else if (buffer_size(&encoded) > STORE_RECORD_MAX)
        side_error(reading, deny ? "spec.deny" : "spec.allow", "make it two roles",
                   "is too large for a record of 34000 bytes");
    buffer_free(&encoded);
}

static void role_read_sides(struct role_reading *reading)
{
    static const char *const keys[2] = {"spec.allow", "spec.deny"};
    size_t before = reading->context->diagnostics->errors;

    for (int deny = 0; deny < 2; deny++) {
        const struct yaml_node *side = yaml_find(reading->root, keys[deny]);

        if (side == NULL || side->kind != YAML_MAPPING)
            continue;
        side_read(reading, deny, side);
        if (reading->context->diagnostics->errors == before)
            role_check_size(reading, deny);
    }
}

void role_document_read(const struct yaml_node *root, struct schema_context *context,
                        struct document *out)
{
    struct role_reading reading = {.context = context, .root = root, .out = &out->role};
    size_t before = context->diagnostics->errors;

    *out = (struct document){.kind = DOCUMENT_ROLE, .place = root->place};
    schema_read(&role_schema, root, "", context, &reading.form);
    out->name = reading.form.name;
    role_read_sides(&reading);
    if (context->diagnostics->errors == before)
        role_warn(root, &out->role, context);
    if (context->diagnostics->errors == before)
        document_hash(out, context->arena);
    out->state = out->hash.size > 0 ? DOCUMENT_GOOD : DOCUMENT_REFUSED;
}
