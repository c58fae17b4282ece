#include "conf/role_warning.h"

#include "conf/role_rule.h"
#include "shared/pattern.h"
#include "shared/resource_name.h"

#include <stdio.h>
#include <stdlib.h>

enum { TOOL_NAME_MAX = 128 }; /* bytes: MCP 2025-11-25, server/tools */

struct warning {
    const struct yaml_node *root;
    const struct role_sides *sides;
    struct schema_context *context;
};

static void warn_rule(const struct warning *warning, const struct policy_record *record,
                      const struct policy_rule *rule, const char *hint, const char *reason)
{
    char key[64];

    snprintf(key, sizeof(key), "spec.%s.mcp.%ss", record->deny ? "deny" : "allow",
             policy_kind_name(rule->kind));
    diagnostics_add(warning->context->diagnostics, DIAGNOSTIC_WARNING,
                    role_place_read(rule->place, warning->root->place), key, hint, "\"%.*s\" %s",
                    (int)rule->pattern.size, rule->pattern.data, reason);
}

static void warn_side(const struct warning *warning, const char *key, const char *hint,
                      const char *reason)
{
    const struct yaml_node *node = yaml_find(warning->root, key);

    diagnostics_add(warning->context->diagnostics, DIAGNOSTIC_WARNING,
                    node == NULL ? warning->root->place : node->key_place, key, hint, "%s", reason);
}

static bool conditions_equal(const struct policy_rule *a, const struct policy_rule *b)
{
    if (a->condition_count != b->condition_count || a->scope_count != b->scope_count)
        return false;
    for (size_t i = 0; i < a->scope_count; i++)
        if (!slice_equal(a->scopes[i], b->scopes[i]))
            return false;
    for (size_t i = 0; i < a->condition_count; i++) {
        const struct policy_condition *x = &a->conditions[i];
        const struct policy_condition *y = &b->conditions[i];

        if (!slice_equal(x->pointer, y->pointer) || x->value_count != y->value_count)
            return false;
        for (size_t j = 0; j < x->value_count; j++)
            if (!slice_equal(x->values[j], y->values[j]))
                return false;
    }
    return true;
}

static void warn_duplicates(const struct warning *warning, const struct policy_record *record)
{
    for (size_t i = 1; i < record->rule_count; i++)
        for (size_t j = 0; j < i; j++)
            if (record->rules[i].kind == record->rules[j].kind &&
                slice_equal(record->rules[i].pattern, record->rules[j].pattern) &&
                conditions_equal(&record->rules[i], &record->rules[j])) {
                warn_rule(warning, record, &record->rules[i], NULL, "stands there twice");
                break;
            }
}

/* NULL: it can be one. */
static const char *tool_mistake(struct slice name)
{
    for (size_t i = 0; i < name.size; i++)
        if ((unsigned char)name.data[i] <= ' ' || name.data[i] == 0x7f)
            return "is no tool's name: they have no spaces and no control characters";
    return name.size > TOOL_NAME_MAX ? "is no tool's name: they have at most 128 bytes" : NULL;
}

static const char *rule_mistake(const struct policy_rule *rule)
{
    enum pattern_kind kind = pattern_kind_of(rule->pattern);

    if (rule->kind == POLICY_TOOL && kind != PATTERN_REGEX)
        return tool_mistake(rule->pattern);
    if (rule->kind == POLICY_RESOURCE && kind == PATTERN_LITERAL &&
        !resource_name_is_plain(rule->pattern))
        return "never matches: a URI with .. or the like is always denied";
    return NULL;
}

static void warn_names(const struct warning *warning, const struct policy_record *record)
{
    for (size_t i = 0; i < record->rule_count; i++) {
        const char *reason = rule_mistake(&record->rules[i]);

        if (reason != NULL)
            warn_rule(warning, record, &record->rules[i], NULL, reason);
    }
}

static bool value_is_number(struct slice json)
{
    return json.data[0] == '-' || (json.data[0] >= '0' && json.data[0] <= '9');
}

/* Of a string, as it stands in JSON: what is written with an escape may be one. */
static bool value_is_pattern(struct slice json)
{
    struct slice text = slice_make(json.data + 1, json.size - 2);

    return pattern_kind_of(text) != PATTERN_LITERAL ||
           (text.size > 0 && memchr(text.data, '\\', text.size) != NULL);
}

/* Whether one JSON value can be both. Numbers and patterns are taken to agree with their like. */
static bool values_meet(struct slice a, struct slice b)
{
    bool strings = a.data[0] == '"' && b.data[0] == '"';

    if (slice_equal(a, b))
        return true;
    if (strings)
        return value_is_pattern(a) || value_is_pattern(b);
    return value_is_number(a) && value_is_number(b);
}

static bool conditions_meet(const struct policy_condition *a, const struct policy_condition *b)
{
    for (size_t i = 0; i < a->value_count; i++)
        for (size_t j = 0; j < b->value_count; j++)
            if (values_meet(a->values[i], b->values[j]))
                return true;
    return false;
}

/* Whether no arguments can hold both: what is one of the values has nothing in it. */
static bool conditions_exclude(const struct policy_condition *a, const struct policy_condition *b)
{
    struct slice below = b->pointer;

    if (slice_equal(a->pointer, b->pointer))
        return !conditions_meet(a, b);
    return slice_has_prefix(below, a->pointer) && below.data[a->pointer.size] == '/';
}

static void warn_conditions(const struct warning *warning, const struct policy_record *record)
{
    for (size_t i = 0; i < record->rule_count; i++) {
        const struct policy_rule *rule = &record->rules[i];
        bool never = false;

        for (size_t j = 0; j < rule->condition_count; j++)
            for (size_t k = 0; k < rule->condition_count; k++)
                never |= j != k && conditions_exclude(&rule->conditions[j], &rule->conditions[k]);
        if (never)
            warn_rule(warning, record, rule, NULL,
                      "never matches: no arguments meet all of its conditions");
    }
}

/* Whether whatever the one pattern fits, the other fits, too. A glob whose text another glob fits
 * is covered by it: only a `*` can have taken its stars. */
static bool pattern_covers(struct slice wide, struct slice narrow)
{
    bool covers = slice_equal(wide, narrow);
    struct pattern pattern;
    unsigned given_up = 0;

    if (covers || pattern_make(&pattern, wide, false, NULL) < 0)
        return covers;
    if (pattern.kind == PATTERN_ANY)
        covers = true;
    else if (pattern_kind_of(narrow) == PATTERN_LITERAL ||
             (pattern.kind == PATTERN_GLOB && pattern_kind_of(narrow) == PATTERN_GLOB))
        covers = pattern_match(&pattern, narrow, &given_up) == PATTERN_YES;
    pattern_free(&pattern);
    return covers;
}

/* Whether the deny side is of every app that the allow side is of, as far as their texts say. */
static bool sides_cover(const struct role_sides *sides)
{
    struct role_sides mirrored = {.has = {true, true}};
    struct role_sides allow = {.has = {true, true}};
    const struct label_selector *selectors;
    size_t count;

    selectors = role_side_selectors(&sides->records[1], &count);
    if (count == 1 && slice_is(selectors[0].name, "*"))
        return true;
    mirrored.records[0] = sides->records[1];
    allow.records[0] = sides->records[0];
    return role_sides_choose_alike(&mirrored, &allow);
}

static void warn_covered(const struct warning *warning)
{
    const struct policy_record *allow = &warning->sides->records[0];
    const struct policy_record *deny = &warning->sides->records[1];

    if (!warning->sides->has[0] || !warning->sides->has[1] || !sides_cover(warning->sides))
        return;
    if (deny->whole_app)
        warn_side(warning, "spec.allow", NULL, "allows nothing: spec.deny forbids its apps whole");
    for (size_t i = 0; i < allow->rule_count; i++)
        for (size_t j = 0; j < deny->rule_count; j++)
            if (deny->rules[j].kind == allow->rules[i].kind &&
                deny->rules[j].condition_count == 0 &&
                pattern_covers(deny->rules[j].pattern, allow->rules[i].pattern)) {
                warn_rule(warning, allow, &allow->rules[i], NULL,
                          "allows nothing: spec.deny forbids all of it");
                break;
            }
}

static void warn_empty(const struct warning *warning)
{
    const struct policy_record *allow = &warning->sides->records[0];
    const struct policy_record *deny = &warning->sides->records[1];

    if (!warning->sides->has[0] && !warning->sides->has[1])
        warn_side(warning, "spec", NULL, "the role allows and forbids nothing");
    if (warning->sides->has[0] && allow->selector_count == 0)
        warn_side(warning, "spec.allow", "such as app_labels: {env: prod}",
                  "without app_labels it allows no app");
    else if (warning->sides->has[0] && allow->rule_count == 0)
        warn_side(warning, "spec.allow", "such as mcp: {tools: [\"*\"]}",
                  "it names no tool, prompt or resource, and so allows none");
    if (warning->sides->has[1] && deny->rule_count == 0 && !deny->whole_app)
        warn_side(warning, "spec.deny", NULL, "it forbids nothing");
}

void role_warn(const struct yaml_node *root, const struct role_sides *sides,
               struct schema_context *context)
{
    struct warning warning = {.root = root, .sides = sides, .context = context};

    warn_empty(&warning);
    for (int deny = 0; deny < 2; deny++) {
        if (!sides->has[deny])
            continue;
        warn_duplicates(&warning, &sides->records[deny]);
        warn_names(&warning, &sides->records[deny]);
    }
    if (sides->has[0])
        warn_conditions(&warning, &sides->records[0]);
    warn_covered(&warning);
}
