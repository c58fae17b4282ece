#include "conf/role_rule.h"

#include "conf/role_schema.h"
#include "conf/scalar.h"
#include "shared/condition.h"
#include "shared/json_number.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Bytes of "spec.allow.mcp.resources[255]", of that with ".arguments[7]", and with ".values". */
enum { RULE_PREFIX_MAX = 64, ARGUMENT_PREFIX_MAX = 112, VALUES_PREFIX_MAX = 128 };

struct rule_reading {
    const struct role_rule_place *place;
    struct schema_context *context;
    struct policy_rule *out;
    bool never; /* it was found never to match */
};

struct slice role_place_text(struct place place, struct arena *arena)
{
    struct buffer text = {0};
    struct slice copy = {0};

    if (buffer_append_slice(&text, place.file) == 0 &&
        buffer_append_format(&text, ":%u:%u", place.line, place.column) == 0)
        copy = arena_copy(arena, buffer_slice(&text));
    buffer_free(&text);
    return copy.data == NULL ? slice_make(NULL, 0) : copy;
}

struct place role_place_read(struct slice text, struct place document)
{
    struct slice numbers = slice_skip(text, document.file.size + 1);
    const char *colon = numbers.size == 0 ? NULL : memchr(numbers.data, ':', numbers.size);
    struct place place = {.file = document.file};

    if (colon == NULL)
        return document;
    place.line = (unsigned)strtoul(numbers.data, NULL, 10);
    place.column = (unsigned)strtoul(colon + 1, NULL, 10);
    return place;
}

static bool pattern_refuse(struct schema_context *context, const struct yaml_node *node,
                           const char *key, const struct pattern_mistake *mistake)
{
    if (mistake->offset == 0)
        schema_error(context, node, "", key, NULL, "%s", mistake->reason);
    else
        schema_error(context, node, "", key, NULL, "behind its first %zu bytes: %s",
                     mistake->offset, mistake->reason);
    return false;
}

static bool pattern_check(struct schema_context *context, const struct yaml_node *node,
                          const char *key, struct slice text)
{
    bool begins = text.size > 0 && text.data[0] == '^';
    struct pattern_mistake mistake = {0};
    struct pattern pattern;
    int status;

    if (text.size > 1 && memmem(text.data, text.size, "{{", 2) != NULL) {
        schema_error(context, node, "", key,
                     "give such users a role of their own by claims_to_roles",
                     "templates such as {{internal.mcp_tools}} are not filled in");
        return false;
    }
    if (begins && pattern_kind_of(text) != PATTERN_REGEX) {
        schema_error(context, node, "", key, "end it with $",
                     "a regular expression stands between ^ and $");
        return false;
    }
    status = pattern_make(&pattern, text, false, &mistake);
    if (status == -ENOMEM)
        schema_error(context, node, "", key, NULL, "out of memory");
    else if (status < 0)
        pattern_refuse(context, node, key, &mistake);
    pattern_free(&pattern);
    return status == 0;
}

/* What a plain scalar says in YAML's core schema and in JSON alike; all else is a string. */
static bool value_is_bare(const struct yaml_node *node)
{
    struct slice text = node->text;
    bool ignored;

    if (!node->plain || text.size == 0)
        return false;
    return scalar_bool(node, &ignored) || slice_is(text, "null") ||
           json_number_skip(text.data, text.data + text.size) == text.data + text.size;
}

static struct slice value_text(const struct yaml_node *node, struct arena *arena)
{
    struct buffer text = {0};
    struct slice copy = {0};

    if (value_is_bare(node))
        return node->text;
    if (json_append_string(&text, node->text) == 0)
        copy = arena_copy(arena, buffer_slice(&text));
    buffer_free(&text);
    return copy;
}

static bool value_read(struct rule_reading *reading, const struct yaml_node *node, const char *key,
                       struct slice *out)
{
    if (node->kind != YAML_SCALAR || (yaml_is_null(node) && !slice_is(node->text, "null"))) {
        schema_error(reading->context, node, "", key, "write null for JSON's null",
                     "must be a text, a number, true, false or null");
        return false;
    }
    if (!value_is_bare(node) && node->text.size > 0 &&
        !pattern_check(reading->context, node, key, node->text))
        return false;
    *out = value_text(node, reading->context->arena);
    return out->data != NULL;
}

static bool condition_values(struct rule_reading *reading, const struct yaml_node *values,
                             const char *prefix, struct policy_condition *out)
{
    const struct yaml_node *node = values->kind == YAML_LIST ? values->first : values;
    size_t count = values->kind == YAML_LIST ? values->count : 1;
    char key[VALUES_PREFIX_MAX];
    struct slice *texts;

    snprintf(key, sizeof(key), "%s.values", prefix);
    if (count == 0) {
        diagnostics_add(reading->context->diagnostics, DIAGNOSTIC_WARNING, values->place, key, NULL,
                        "no value is in an empty list: the rule never matches");
        reading->never = true;
        return true;
    }
    texts = arena_array(reading->context->arena, count, sizeof(*texts));
    if (count > POLICY_VALUES_MAX || texts == NULL) {
        schema_error(reading->context, values, "", key, NULL, "must hold at most %d values",
                     POLICY_VALUES_MAX);
        return false;
    }
    out->values = texts;
    for (; node != NULL && out->value_count < count; node = node->next)
        if (!value_read(reading, node, key, &texts[out->value_count++]))
            return false;
    return true;
}

static bool conditions_read(struct rule_reading *reading, const struct yaml_node *list,
                            const char *prefix)
{
    struct policy_condition *conditions =
        arena_array(reading->context->arena, list->count, sizeof(*conditions));
    bool good = conditions != NULL;

    reading->out->conditions = conditions;
    for (const struct yaml_node *node = list->first; node != NULL && good; node = node->next) {
        struct policy_condition *condition = &conditions[reading->out->condition_count];
        struct role_argument_form form = {0};
        char path[ARGUMENT_PREFIX_MAX];

        snprintf(path, sizeof(path), "%s.arguments[%zu]", prefix, reading->out->condition_count++);
        good = schema_read(&role_argument_schema, node, path, reading->context, &form);
        condition->pointer = form.pointer;
        if (good)
            good = condition_values(reading, form.values, path, condition);
    }
    return good;
}

static bool scopes_read(struct rule_reading *reading, const struct yaml_node *node)
{
    size_t count = node->kind == YAML_LIST ? node->count : 1;
    struct slice *scopes = arena_array(reading->context->arena, count, sizeof(*scopes));
    const struct yaml_node *item = node->kind == YAML_LIST ? node->first : node;

    reading->out->scopes = scopes;
    for (; scopes != NULL && reading->out->scope_count < count; item = item->next)
        scopes[reading->out->scope_count++] = item->text;
    return scopes != NULL;
}

/* Scopes and conditions make an allow rule narrower; what is forbidden knows no scopes. */
static bool rule_read_mapping(struct rule_reading *reading, const struct yaml_node *node,
                              const char *prefix)
{
    struct role_rule_form form = {0};

    if (!schema_read(&role_rule_schema, node, prefix, reading->context, &form))
        return false;
    reading->out->pattern = form.name;
    if (form.arguments != NULL && reading->place->kind != POLICY_TOOL) {
        schema_error(reading->context, form.arguments, prefix, "arguments", NULL,
                     "only a tool's arguments are judged");
        return false;
    }
    if (form.scopes != NULL && reading->place->deny) {
        schema_error(reading->context, form.scopes, prefix, "scopes", NULL,
                     "what is forbidden is so with every scope");
        return false;
    }
    if (form.arguments != NULL && !conditions_read(reading, form.arguments, prefix))
        return false;
    return form.scopes == NULL || scopes_read(reading, form.scopes);
}

bool role_rule_read(const struct yaml_node *node, const struct role_rule_place *place,
                    struct schema_context *context, struct policy_rule *out)
{
    struct rule_reading reading = {.place = place, .context = context, .out = out};
    const struct yaml_node *name = node;
    char prefix[RULE_PREFIX_MAX];

    *out = (struct policy_rule){.kind = place->kind};
    snprintf(prefix, sizeof(prefix), "%s[%zu]", place->key, place->index);
    if (node->kind == YAML_LIST || yaml_is_null(node)) {
        schema_error(context, node, "", prefix, NULL, "must be a text, or a mapping with a name");
        return false;
    }
    if (node->kind == YAML_SCALAR)
        out->pattern = node->text;
    else if (!rule_read_mapping(&reading, node, prefix))
        return false;
    else
        name = yaml_find(node, "name");
    out->place = role_place_text(node->place, context->arena);
    return pattern_check(context, name, prefix, out->pattern) && !reading.never;
}
