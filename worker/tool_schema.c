#include "worker/tool_schema.h"

#include "shared/json_name.h"
#include "worker/http_head.h"

#include <errno.h>

static const char annotation[] = "x-mcp-header";

/* A tool being read. A fault of the tool is remembered, one of the text ends the scan. */
struct tool_draft {
    struct json_scan *scan;
    struct tool_schema *schema;
    struct tool_name path[TOOL_PATH_MAX]; /* to the property that is read */
    size_t depth;
};

/* What a schema says of its own value. */
struct tool_property {
    struct json_value type, header;
    bool typed, annotated, nested; /* that member was there */
};

struct slice tool_schema_text(const struct tool_schema *schema, struct tool_name name)
{
    return slice_make(schema->text + name.at, name.size);
}

static void draft_fault(struct tool_draft *draft)
{
    draft->schema->kind = TOOL_UNKNOWN;
}

/* Keeps a name, decoded. */
static struct tool_name draft_keep(struct tool_draft *draft, struct json_text text)
{
    struct tool_schema *schema = draft->schema;
    struct tool_name name = {.at = (uint16_t)schema->text_size};
    long size = json_text_decode(text, schema->text + schema->text_size,
                                 sizeof(schema->text) - schema->text_size);

    if (size < 0) {
        draft_fault(draft);
        return name;
    }
    name.size = (uint16_t)size;
    schema->text_size += (size_t)size;
    return name;
}

/* Passes a value in which no annotation may stand: wherever one does, it is not reachable by
 * `properties` alone. Recursion ends with the scan's nesting. */
static void draft_sweep(struct tool_draft *draft)
{
    struct json_scan *scan = draft->scan;
    enum json_kind kind = json_scan_kind(scan);
    struct json_text name;

    if (kind != JSON_OBJECT && kind != JSON_ARRAY) {
        json_scan_value(scan, NULL);
        return;
    }
    if (!json_scan_enter(scan))
        return;
    while (json_scan_next(scan, &name) == 1) {
        if (kind == JSON_OBJECT && json_text_is(name, slice_from(annotation)))
            draft_fault(draft);
        draft_sweep(draft);
    }
}

static struct json_text value_text(const struct json_value *string)
{
    return (struct json_text){.raw = slice_make(string->text.data + 1, string->text.size - 2),
                              .escaped = string->escaped};
}

static bool header_is_taken(const struct tool_schema *schema, struct slice header)
{
    for (size_t i = 0; i < schema->param_count; i++) {
        if (slice_equal_nocase(tool_schema_text(schema, schema->params[i].header), header))
            return true;
    }
    return false;
}

/* The property at the path has an annotation. */
static void draft_annotate(struct tool_draft *draft, const struct tool_property *property)
{
    static const char *const types[] = {"string", "integer", "boolean"};
    struct tool_schema *schema = draft->schema;
    struct tool_param *param = &schema->params[schema->param_count];
    bool primitive = false;

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        primitive = primitive || json_string_is(&property->type, slice_from(types[i]));
    if (!primitive || property->header.kind != JSON_STRING || draft->depth == 0 ||
        schema->param_count == TOOL_PARAMS_MAX) {
        draft_fault(draft);
        return;
    }
    param->header = draft_keep(draft, value_text(&property->header));
    if (!http_is_token(tool_schema_text(schema, param->header)) ||
        header_is_taken(schema, tool_schema_text(schema, param->header))) {
        draft_fault(draft);
        return;
    }
    memcpy(param->path, draft->path, sizeof(param->path));
    param->depth = draft->depth;
    schema->param_count++;
}

static void read_schema(struct tool_draft *draft);

/* The object of `properties`, whose names are those of arguments. */
static void read_properties(struct tool_draft *draft)
{
    struct json_scan *scan = draft->scan;
    struct json_names names;
    struct json_text name;

    names.count = 0;
    if (json_scan_kind(scan) != JSON_OBJECT || draft->depth == TOOL_PATH_MAX) {
        draft_sweep(draft);
        return;
    }
    if (!json_scan_enter(scan))
        return;
    while (json_scan_next(scan, &name) == 1) {
        size_t kept = draft->schema->text_size;
        size_t count = draft->schema->param_count;

        if (json_names_add(&names, name) != 0)
            draft_fault(draft);
        if (json_scan_kind(scan) != JSON_OBJECT || draft->schema->kind == TOOL_UNKNOWN) {
            json_scan_value(scan, NULL);
            continue;
        }
        draft->path[draft->depth++] = draft_keep(draft, name);
        read_schema(draft);
        draft->depth--;
        /* Names on the way to no annotation give their room back. */
        if (draft->schema->param_count == count)
            draft->schema->text_size = kept;
    }
}

static void read_member(struct tool_draft *draft, struct json_text name,
                        struct tool_property *property)
{
    struct json_scan *scan = draft->scan;
    bool *seen = NULL;

    if (json_text_is(name, slice_from("type")))
        seen = &property->typed;
    else if (json_text_is(name, slice_from(annotation)))
        seen = &property->annotated;
    else if (json_text_is(name, slice_from("properties")))
        seen = &property->nested;
    if (seen == NULL) {
        draft_sweep(draft);
        return;
    }
    if (*seen)
        draft_fault(draft);
    *seen = true;
    if (seen == &property->nested)
        read_properties(draft);
    else
        json_scan_value(scan, seen == &property->typed ? &property->type : &property->header);
}

/* The object of a schema, of the arguments or of what stands at the path. */
static void read_schema(struct tool_draft *draft)
{
    struct tool_property property = {0};
    struct json_text name;

    if (!json_scan_enter(draft->scan))
        return;
    while (json_scan_next(draft->scan, &name) == 1)
        read_member(draft, name, &property);
    if (draft->scan->reason == NULL && property.annotated && draft->schema->kind != TOOL_UNKNOWN)
        draft_annotate(draft, &property);
}

static void read_tool_name(struct tool_draft *draft)
{
    struct json_value value;

    if (!json_scan_value(draft->scan, &value))
        return;
    if (value.kind != JSON_STRING || draft->schema->name.size > 0)
        draft_fault(draft);
    else
        draft->schema->name = draft_keep(draft, value_text(&value));
}

/* The object of a tool. Its name may follow its schema. */
static void read_tool(struct tool_draft *draft)
{
    struct json_text name;
    bool seen = false;

    if (!json_scan_enter(draft->scan))
        return;
    while (json_scan_next(draft->scan, &name) == 1) {
        if (json_text_is(name, slice_from("name"))) {
            read_tool_name(draft);
        } else if (json_text_is(name, slice_from("inputSchema"))) {
            if (seen)
                draft_fault(draft);
            seen = true;
            if (json_scan_kind(draft->scan) == JSON_OBJECT)
                read_schema(draft);
            else
                json_scan_value(draft->scan, NULL);
        } else {
            json_scan_value(draft->scan, NULL);
        }
    }
    if (draft->schema->kind != TOOL_UNKNOWN && draft->schema->param_count > 0)
        draft->schema->kind = TOOL_ANNOTATED;
}

static void read_tools(struct json_scan *scan, tool_visit visit, void *context)
{
    size_t count = 0;

    if (json_scan_kind(scan) != JSON_ARRAY) {
        json_scan_value(scan, NULL);
        return;
    }
    if (!json_scan_enter(scan))
        return;
    while (json_scan_next(scan, NULL) == 1) {
        struct tool_schema schema;
        struct tool_draft draft = {.scan = scan, .schema = &schema};

        if (json_scan_kind(scan) != JSON_OBJECT || count++ >= TOOL_LIST_MAX) {
            json_scan_value(scan, NULL);
            continue;
        }
        schema.kind = TOOL_PLAIN;
        schema.name = (struct tool_name){0};
        schema.param_count = 0;
        schema.text_size = 0;
        read_tool(&draft);
        if (scan->reason == NULL && schema.name.size > 0)
            visit(context, &schema);
    }
}

int tool_list_read(struct slice result, tool_visit visit, void *context)
{
    struct json_scan scan;
    struct json_text name;
    bool seen = false;

    if (!json_scan_begin(&scan, result) || json_scan_kind(&scan) != JSON_OBJECT ||
        !json_scan_enter(&scan))
        return -EINVAL;
    while (json_scan_next(&scan, &name) == 1) {
        if (!json_text_is(name, slice_from("tools"))) {
            json_scan_value(&scan, NULL);
            continue;
        }
        if (seen)
            return -EINVAL;
        seen = true;
        read_tools(&scan, visit, context);
    }
    return seen && scan.reason == NULL && json_scan_end(&scan) ? 0 : -EINVAL;
}
