#include "conf/schema.h"

#include "conf/scalar.h"
#include "conf/suggestion.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum {
    KEY_MAX = 512,       /* bytes of a key's path in an error */
    REASON_MAX = 512,    /* bytes of a reason */
    SHOWN_MAX = 96,      /* bytes of a described value */
    SIBLINGS_MAX = 64,   /* rows directly under one mapping */
    ITEM_NAME_MAX = 128, /* bytes of "audience[12]" */
};

/* One walk of a table over a mapping. */
struct schema_walk {
    const struct schema *schema;
    const char *prefix;
    struct schema_context *context;
    char *target;
};

void schema_error(struct schema_context *context, const struct yaml_node *node, const char *prefix,
                  const char *name, const char *hint, const char *format, ...)
{
    char key[KEY_MAX];
    char reason[REASON_MAX];
    va_list arguments;

    snprintf(key, sizeof(key), "%s%s%s", prefix, prefix[0] != '\0' && name[0] != '\0' ? "." : "",
             name);
    va_start(arguments, format);
    vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    diagnostics_add(context->diagnostics, DIAGNOSTIC_ERROR, node->place, key, hint, "%s", reason);
}

bool schema_string(struct schema_context *context, const struct yaml_node *node, const char *prefix,
                   const char *name, struct slice *out)
{
    char found[SHOWN_MAX];
    bool flag;

    if (node->kind == YAML_SCALAR && !yaml_is_null(node) && !scalar_bool(node, &flag)) {
        *out = node->text;
        return true;
    }
    scalar_describe(node, found, sizeof(found));
    schema_error(context, node, prefix, name,
                 node->kind == YAML_SCALAR ? "put quotes around a text" : NULL,
                 "must be a text, found %s", found);
    return false;
}

/* The error "must be <what>, found <node>". */
static void schema_mismatch(struct schema_walk *walk, const struct schema_row *row,
                            const struct yaml_node *node, const char *what)
{
    char found[SHOWN_MAX];

    scalar_describe(node, found, sizeof(found));
    schema_error(walk->context, node, walk->prefix, row->path, row->hint, "must be %s, found %s",
                 what, found);
}

static void schema_write(struct schema_walk *walk, const struct schema_row *row, const void *value,
                         size_t size)
{
    memcpy(walk->target + row->offset, value, size);
}

static bool schema_in_range(const struct schema_row *row, uint64_t value)
{
    return (row->low == 0 && row->high == 0) || (value >= row->low && value <= row->high);
}

static void schema_write_node(struct schema_walk *walk, const struct schema_row *row,
                              const struct yaml_node *node)
{
    if (!schema_in_range(row, node->count) && node->kind != YAML_SCALAR) {
        schema_error(walk->context, node, walk->prefix, row->path, row->hint,
                     "must have %" PRIu64 " to %" PRIu64 " entries, has %zu", row->low, row->high,
                     node->count);
        return;
    }
    schema_write(walk, row, &node, sizeof(node));
}

/* Whether the string keeps the row's bounds; `name` is what the error calls it. */
static bool schema_check_string(struct schema_walk *walk, const struct schema_row *row,
                                const struct yaml_node *node, const char *name, struct slice text)
{
    const char *reason;

    if (text.size == 0) {
        schema_error(walk->context, node, walk->prefix, name, row->hint, "must not be empty");
        return false;
    }
    if (row->type != SCHEMA_STRINGS && !schema_in_range(row, text.size)) {
        schema_error(walk->context, node, walk->prefix, name, row->hint,
                     "must have at most %" PRIu64 " characters, has %zu", row->high, text.size);
        return false;
    }
    reason = row->check == NULL ? NULL : row->check(text);
    if (reason == NULL)
        return true;
    schema_error(walk->context, node, walk->prefix, name, row->hint, "%s", reason);
    return false;
}

static void schema_read_string(struct schema_walk *walk, const struct schema_row *row,
                               const struct yaml_node *node)
{
    struct slice text;

    if (schema_string(walk->context, node, walk->prefix, row->path, &text) &&
        schema_check_string(walk, row, node, row->path, text))
        schema_write(walk, row, &text, sizeof(text));
}

struct slice schema_directory(struct slice file)
{
    const char *slash = file.size == 0 ? NULL : memrchr(file.data, '/', file.size);

    return slash == NULL ? slice_from(".") : slice_make(file.data, (size_t)(slash - file.data));
}

struct slice schema_absolute(struct schema_context *context, struct slice text)
{
    size_t size = context->directory.size + 1 + text.size;
    char *path;

    if (text.size == 0 || text.data[0] == '/')
        return text;
    path = arena_allocate(context->arena, size + 1);
    if (path == NULL)
        return slice_make(NULL, 0);
    if (context->directory.size > 0)
        memcpy(path, context->directory.data, context->directory.size);
    path[context->directory.size] = '/';
    memcpy(path + context->directory.size + 1, text.data, text.size);
    return slice_make(path, size);
}

static void schema_read_path(struct schema_walk *walk, const struct schema_row *row,
                             const struct yaml_node *node)
{
    struct slice text;

    if (!schema_string(walk->context, node, walk->prefix, row->path, &text) ||
        !schema_check_string(walk, row, node, row->path, text))
        return;
    text = schema_absolute(walk->context, text);
    if (text.data == NULL)
        schema_error(walk->context, node, walk->prefix, row->path, NULL, "out of memory");
    schema_write(walk, row, &text, sizeof(text));
}

static void schema_read_bool(struct schema_walk *walk, const struct schema_row *row,
                             const struct yaml_node *node)
{
    bool value;

    if (scalar_bool(node, &value))
        schema_write(walk, row, &value, sizeof(value));
    else
        schema_mismatch(walk, row, node, "true or false");
}

static void schema_format_number(enum schema_type type, uint64_t value, char *out, size_t room)
{
    if (type == SCHEMA_SIZE)
        scalar_format_size(value, out, room);
    else if (type == SCHEMA_DURATION)
        scalar_format_duration(value, out, room);
    else
        snprintf(out, room, "%" PRIu64, value);
}

static void schema_read_number(struct schema_walk *walk, const struct schema_row *row,
                               const struct yaml_node *node)
{
    bool scalar = node->kind == YAML_SCALAR;
    uint64_t value = 0;
    char low[32];
    char high[32];

    if (row->type == SCHEMA_INTEGER && !(scalar && scalar_integer(node->text, &value)))
        schema_mismatch(walk, row, node, "a whole number");
    else if (row->type == SCHEMA_SIZE && !(scalar && scalar_size(node->text, &value)))
        schema_mismatch(walk, row, node, "a size such as 16KiB, 10MiB or 1GiB");
    else if (row->type == SCHEMA_DURATION && !(scalar && scalar_duration(node->text, &value)))
        schema_mismatch(walk, row, node, "a duration with a unit, such as 500ms, 30s or 5m");
    else if (schema_in_range(row, value))
        schema_write(walk, row, &value, sizeof(value));
    else {
        schema_format_number(row->type, row->low, low, sizeof(low));
        schema_format_number(row->type, row->high, high, sizeof(high));
        schema_error(walk->context, node, walk->prefix, row->path, row->hint,
                     "must be from %s to %s, found %.*s", low, high, (int)node->text.size,
                     node->text.data);
    }
}

/* "a, b or c" */
static void schema_list_choices(const char *const *choices, char *out, size_t room)
{
    size_t size = 0;

    out[0] = '\0';
    for (size_t i = 0; choices[i] != NULL && size < room; i++) {
        const char *between = i == 0 ? "" : choices[i + 1] == NULL ? " or " : ", ";
        int length = snprintf(out + size, room - size, "%s%s", between, choices[i]);

        size += length < 0 ? room : (size_t)length;
    }
}

static void schema_read_choice(struct schema_walk *walk, const struct schema_row *row,
                               const struct yaml_node *node)
{
    char known[REASON_MAX / 2];
    char found[SHOWN_MAX];
    char hint[SHOWN_MAX] = "";
    const char *nearest;

    for (unsigned i = 0; node->kind == YAML_SCALAR && row->choices[i] != NULL; i++)
        if (slice_is(node->text, row->choices[i])) {
            schema_write(walk, row, &i, sizeof(i));
            return;
        }
    nearest = node->kind == YAML_SCALAR ? suggestion_find(node->text, row->choices) : NULL;
    if (nearest != NULL)
        snprintf(hint, sizeof(hint), "did you mean \"%s\"?", nearest);
    schema_list_choices(row->choices, known, sizeof(known));
    scalar_describe(node, found, sizeof(found));
    schema_error(walk->context, node, walk->prefix, row->path, hint[0] == '\0' ? row->hint : hint,
                 "must be %s, found %s", known, found);
}

static void schema_read_strings(struct schema_walk *walk, const struct schema_row *row,
                                const struct yaml_node *node)
{
    char name[ITEM_NAME_MAX];
    size_t index = 0;
    size_t before = walk->context->diagnostics->errors;
    struct slice text;

    if (node->kind == YAML_SCALAR) {
        if (schema_string(walk->context, node, walk->prefix, row->path, &text) &&
            schema_check_string(walk, row, node, row->path, text))
            schema_write_node(walk, row, node);
        return;
    }
    if (node->kind != YAML_LIST) {
        schema_mismatch(walk, row, node, "a text or a list of texts");
        return;
    }
    for (const struct yaml_node *item = node->first; item != NULL; item = item->next) {
        snprintf(name, sizeof(name), "%s[%zu]", row->path, index++);
        if (schema_string(walk->context, item, walk->prefix, name, &text))
            schema_check_string(walk, row, item, name, text);
    }
    if (walk->context->diagnostics->errors == before)
        schema_write_node(walk, row, node);
}

static void schema_read_map(struct schema_walk *walk, const struct schema_row *row,
                            const struct yaml_node *node)
{
    size_t before = walk->context->diagnostics->errors;
    char name[ITEM_NAME_MAX];
    struct slice text;

    if (node->kind != YAML_MAPPING) {
        schema_mismatch(walk, row, node, "a mapping of names to texts");
        return;
    }
    for (const struct yaml_node *item = node->first; item != NULL; item = item->next) {
        snprintf(name, sizeof(name), "%s.%s", row->path, item->key.data);
        schema_string(walk->context, item, walk->prefix, name, &text);
    }
    if (walk->context->diagnostics->errors == before)
        schema_write_node(walk, row, node);
}

static void schema_walk_mapping(struct schema_walk *walk, const struct yaml_node *mapping,
                                const char *base);

static void schema_read_value(struct schema_walk *walk, const struct schema_row *row,
                              const struct yaml_node *node)
{
    switch (row->type) {
    case SCHEMA_MAPPING:
        if (node->kind == YAML_MAPPING)
            schema_walk_mapping(walk, node, row->path);
        else
            schema_mismatch(walk, row, node, "a mapping");
        return;
    case SCHEMA_STRING:
        schema_read_string(walk, row, node);
        return;
    case SCHEMA_PATH:
        schema_read_path(walk, row, node);
        return;
    case SCHEMA_BOOL:
        schema_read_bool(walk, row, node);
        return;
    case SCHEMA_INTEGER:
    case SCHEMA_SIZE:
    case SCHEMA_DURATION:
        schema_read_number(walk, row, node);
        return;
    case SCHEMA_CHOICE:
        schema_read_choice(walk, row, node);
        return;
    case SCHEMA_STRINGS:
        schema_read_strings(walk, row, node);
        return;
    case SCHEMA_LIST:
        if (node->kind == YAML_LIST)
            schema_write_node(walk, row, node);
        else
            schema_mismatch(walk, row, node, "a list");
        return;
    case SCHEMA_MAP:
        schema_read_map(walk, row, node);
        return;
    case SCHEMA_ANY:
        schema_write_node(walk, row, node);
        return;
    case SCHEMA_REFUSED:
        schema_error(walk->context, node, walk->prefix, row->path, row->hint,
                     "is not supported by this release");
        return;
    }
}

/* The row's own name, when it stands directly under the mapping `base`; else NULL. */
static const char *schema_leaf(const struct schema_row *row, const char *base)
{
    size_t size = strlen(base);
    const char *leaf = row->path;

    if (size > 0) {
        if (strncmp(row->path, base, size) != 0 || row->path[size] != '.')
            return NULL;
        leaf += size + 1;
    }
    return strchr(leaf, '.') == NULL ? leaf : NULL;
}

/* What a row without a value means: its default, or the defaults of the rows under it. */
static void schema_default(struct schema_walk *walk, const struct schema_row *row)
{
    struct yaml_node node = {.kind = YAML_SCALAR, .plain = true, .text = slice_from(row->fallback)};

    if (row->type == SCHEMA_MAPPING)
        schema_walk_mapping(walk, NULL, row->path);
    else if (row->fallback != NULL)
        schema_read_value(walk, row, &node);
}

static void schema_read_row(struct schema_walk *walk, const struct schema_row *row,
                            const struct yaml_node *mapping, const char *leaf)
{
    const struct yaml_node *node = yaml_find(mapping, leaf);
    struct yaml_node at_key;

    if (node == NULL) {
        if (mapping != NULL && row->required)
            schema_error(walk->context, mapping, walk->prefix, row->path, row->hint, "is required");
        schema_default(walk, row);
    } else if (yaml_is_null(node) && row->type != SCHEMA_REFUSED) {
        at_key = *node;
        at_key.place = node->key_place;
        schema_error(walk->context, &at_key, walk->prefix, row->path,
                     "give it one, or leave the key out", "has no value");
        schema_default(walk, row);
    } else {
        schema_read_value(walk, row, node);
    }
}

/* Whether the key has its place elsewhere in the table; then the hint that says where. */
static bool schema_elsewhere(const struct schema_walk *walk, struct slice key, char *out,
                             size_t room)
{
    for (size_t i = 0; i < walk->schema->count; i++) {
        const char *path = walk->schema->rows[i].path;
        const char *dot = strrchr(path, '.');

        if (dot != NULL && slice_is(key, dot + 1)) {
            snprintf(out, room, "it belongs under %.*s", (int)(dot - path), path);
            return true;
        }
    }
    return false;
}

static void schema_unknown(struct schema_walk *walk, const struct yaml_node *member,
                           const char *base)
{
    const char *siblings[SIBLINGS_MAX + 1];
    struct yaml_node at_key = *member;
    size_t count = 0;
    char hint[SHOWN_MAX] = "";
    char name[KEY_MAX / 2];
    const char *nearest;

    for (size_t i = 0; i < walk->schema->count && count < SIBLINGS_MAX; i++) {
        const char *leaf = schema_leaf(&walk->schema->rows[i], base);

        if (leaf != NULL)
            siblings[count++] = leaf;
    }
    siblings[count] = NULL;
    nearest = suggestion_find(member->key, siblings);
    if (nearest != NULL)
        snprintf(hint, sizeof(hint), "did you mean \"%s\"?", nearest);
    else
        schema_elsewhere(walk, member->key, hint, sizeof(hint));
    at_key.place = member->key_place;
    snprintf(name, sizeof(name), "%s%s%s", base, base[0] == '\0' ? "" : ".", member->key.data);
    schema_error(walk->context, &at_key, walk->prefix, name, hint, "unknown key");
}

/* With a NULL mapping: writes the defaults only. */
static void schema_walk_mapping(struct schema_walk *walk, const struct yaml_node *mapping,
                                const char *base)
{
    for (size_t i = 0; i < walk->schema->count; i++) {
        const char *leaf = schema_leaf(&walk->schema->rows[i], base);

        if (leaf != NULL)
            schema_read_row(walk, &walk->schema->rows[i], mapping, leaf);
    }
    for (const struct yaml_node *member = mapping == NULL ? NULL : mapping->first; member != NULL;
         member = member->next) {
        bool known = false;

        for (size_t i = 0; i < walk->schema->count && !known; i++) {
            const char *leaf = schema_leaf(&walk->schema->rows[i], base);

            known = leaf != NULL && slice_is(member->key, leaf);
        }
        if (!known)
            schema_unknown(walk, member, base);
    }
}

bool schema_read(const struct schema *schema, const struct yaml_node *mapping, const char *prefix,
                 struct schema_context *context, void *target)
{
    struct schema_walk walk = {
        .schema = schema, .prefix = prefix, .context = context, .target = target};
    size_t before = context->diagnostics->errors;
    char found[SHOWN_MAX];

    if (mapping->kind != YAML_MAPPING) {
        scalar_describe(mapping, found, sizeof(found));
        schema_error(context, mapping, prefix, "", NULL, "must be a mapping, found %s", found);
        mapping = NULL;
    }
    schema_walk_mapping(&walk, mapping, "");
    return context->diagnostics->errors == before;
}
