#include "conf/label_document.h"

#include "conf/scalar.h"

#include <stddef.h>
#include <stdio.h>

enum {
    PREFIX_MAX = 512,      /* bytes of a key's path */
    LABEL_NAME_MAX = 255,  /* bytes */
    LABEL_VALUE_MAX = 255, /* bytes */
    LABEL_VALUES_MAX = 64, /* of one label of a selector */
};

struct selector_form {
    struct slice name;
    const struct yaml_node *values;
};

/* Teleport's rule for label names. */
static bool label_name_is_legal(struct slice name)
{
    for (size_t i = 0; i < name.size; i++) {
        char byte = name.data[i];
        bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');

        if (!letter && !(byte >= '0' && byte <= '9') && strchr("/._:-", byte) == NULL)
            return false;
    }
    return name.size > 0 && name.size <= LABEL_NAME_MAX;
}

static const char *label_name_check(struct slice name)
{
    if (label_name_is_legal(name) || slice_is(name, "*"))
        return NULL;
    return "a label's name has letters, digits and / . _ : -, at most 255";
}

/* Teleport's globs and expressions are not ours: taken as they stand they would match nothing, and
 * in a rule that denies that would open a door. */
static const char *selector_value_check(struct slice value)
{
    if (slice_is(value, "*"))
        return NULL;
    if (value.size > LABEL_VALUE_MAX)
        return "a label's value has at most 255 characters";
    if (memchr(value.data, '*', value.size) != NULL)
        return "only \"*\" alone is a wildcard";
    if (value.data[0] == '^' && value.data[value.size - 1] == '$')
        return "expressions are not supported in labels";
    return NULL;
}

static const struct schema_row selector_rows[] = {
    {.path = "name",
     .type = SCHEMA_STRING,
     .required = true,
     .offset = offsetof(struct selector_form, name),
     .check = label_name_check},
    {.path = "values",
     .type = SCHEMA_STRINGS,
     .required = true,
     .offset = offsetof(struct selector_form, values),
     .low = 1,
     .high = LABEL_VALUES_MAX,
     .check = selector_value_check},
};

static const struct schema selector_schema = {
    .rows = selector_rows, .count = sizeof(selector_rows) / sizeof(selector_rows[0])};

static bool label_is_reserved(struct slice name)
{
    return slice_has_prefix(name, slice_from("teleport.internal/")) ||
           slice_has_prefix(name, slice_from("gatehouse/"));
}

static bool label_read(const struct yaml_node *node, const char *prefix,
                       struct schema_context *context, struct label *out)
{
    *out = (struct label){.name = node->key, .value = node->text};
    if (!label_name_is_legal(node->key))
        schema_error(context, node, prefix, node->key.data, NULL, "%s",
                     "a label's name has letters, digits and / . _ : -, at most 255");
    else if (label_is_reserved(node->key))
        schema_error(context, node, prefix, node->key.data, "use a name of your own",
                     "labels that begin teleport.internal/ or gatehouse/ are set by Gatehouse");
    else if (node->text.size > LABEL_VALUE_MAX)
        schema_error(context, node, prefix, node->key.data, NULL,
                     "a label's value has at most 255 characters");
    else
        return true;
    return false;
}

size_t labels_read(const struct yaml_node *mapping, const char *prefix,
                   struct schema_context *context, struct label *labels, size_t room)
{
    size_t count = 0;

    for (const struct yaml_node *node = mapping == NULL ? NULL : mapping->first;
         node != NULL && count < room; node = node->next)
        if (label_read(node, prefix, context, &labels[count]))
            count++;
    return count;
}

static void selector_take_values(const struct yaml_node *values, struct schema_context *context,
                                 struct label_selector *out)
{
    size_t count = values->kind == YAML_LIST ? values->count : 1;
    const struct yaml_node *node = values->kind == YAML_LIST ? values->first : values;
    struct slice *texts = arena_array(context->arena, count, sizeof(*texts));

    out->values = texts;
    out->value_count = 0;
    for (; texts != NULL && out->value_count < count; node = node->next)
        texts[out->value_count++] = node->text;
}

static bool selector_finish(const struct yaml_node *node, const char *prefix,
                            const struct selector_form *form, struct schema_context *context,
                            struct label_selector *out)
{
    if (form->name.size == 0 || form->values == NULL)
        return false;
    out->name = form->name;
    selector_take_values(form->values, context, out);
    if (slice_is(out->name, "*") && !(out->value_count == 1 && slice_is(out->values[0], "*")))
        schema_error(context, node, prefix, "", "write values: [\"*\"] for every app",
                     "the name \"*\" goes with the value \"*\" only");
    return out->value_count > 0;
}

/* `name: value` or `name: [values]`: read as the row "values" of the other shape would be. */
static bool selector_read_member(const struct yaml_node *node, const char *prefix,
                                 struct schema_context *context, struct label_selector *out)
{
    struct yaml_node name = {.kind = YAML_SCALAR,
                             .place = node->key_place,
                             .text = node->key,
                             .key = slice_from("name"),
                             .key_place = node->key_place};
    struct yaml_node values = *node;
    struct yaml_node mapping = {
        .kind = YAML_MAPPING, .place = node->key_place, .first = &name, .count = 2};
    struct selector_form form = {0};
    char path[PREFIX_MAX];

    name.next = &values;
    values.key = slice_from("values");
    values.next = NULL;
    snprintf(path, sizeof(path), "%s.%s", prefix, node->key.data);
    schema_read(&selector_schema, &mapping, path, context, &form);
    return selector_finish(node, path, &form, context, out);
}

static bool selector_read_item(const struct yaml_node *node, const char *prefix, size_t index,
                               struct schema_context *context, struct label_selector *out)
{
    struct selector_form form = {0};
    char path[PREFIX_MAX];

    snprintf(path, sizeof(path), "%s[%zu]", prefix, index);
    schema_read(&selector_schema, node, path, context, &form);
    return selector_finish(node, path, &form, context, out);
}

size_t selectors_read(const struct yaml_node *node, const char *prefix,
                      struct schema_context *context, struct label_selector **out)
{
    size_t count = 0;
    size_t index = 0;

    *out = NULL;
    if (node->kind == YAML_SCALAR) {
        schema_error(context, node, prefix, "", "such as app_labels: {env: prod}",
                     "must be a list of {name, values}, or a mapping");
        return 0;
    }
    if (node->count == 0 || node->count > LABELS_MAX) {
        schema_error(context, node, prefix, "",
                     node->count == 0 ? "name: \"*\", values: [\"*\"] means every app" : NULL,
                     node->count == 0 ? "must hold at least one label, otherwise no app is chosen"
                                      : "must hold at most 64 labels");
        return 0;
    }
    *out = arena_array(context->arena, node->count, sizeof(**out));
    for (const struct yaml_node *item = node->first; *out != NULL && item != NULL;
         item = item->next, index++)
        if (node->kind == YAML_LIST
                ? selector_read_item(item, prefix, index, context, &(*out)[count])
                : selector_read_member(item, prefix, context, &(*out)[count]))
            count++;
    return count;
}
