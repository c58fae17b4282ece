#include "worker/connect_tools.h"

#include <stdlib.h>

static struct slice tools_name(const struct tool_schema *schema)
{
    return tool_schema_text(schema, schema->name);
}

static void tools_remove(struct connect_tools *tools, size_t i)
{
    free(tools->schemas[i]);
    tools->schemas[i] = tools->schemas[--tools->count];
}

static void tools_add(struct connect_tools *tools, const struct tool_schema *schema)
{
    struct tool_schema **schemas;
    struct tool_schema *copy;

    if (tools->count == CONNECT_TOOLS_MAX)
        return;
    schemas = reallocarray(tools->schemas, tools->count + 1, sizeof(*schemas));
    if (schemas == NULL)
        return;
    tools->schemas = schemas;
    copy = malloc(sizeof(*copy));
    if (copy == NULL)
        return;
    *copy = *schema;
    tools->schemas[tools->count++] = copy;
}

static void tools_visit(void *context, const struct tool_schema *schema)
{
    struct connect_tools *tools = context;

    for (size_t i = 0; i < tools->count; i++) {
        if (slice_equal(tools_name(tools->schemas[i]), tools_name(schema))) {
            tools_remove(tools, i);
            break;
        }
    }
    if (schema->kind == TOOL_ANNOTATED)
        tools_add(tools, schema);
}

void connect_tools_learn(struct connect_tools *tools, struct slice result)
{
    /* What came before a fault was seen nevertheless; the client judges the list itself. */
    (void)tool_list_read(result, tools_visit, tools);
}

const struct tool_schema *connect_tools_find(const struct connect_tools *tools,
                                             const struct json_value *name)
{
    for (size_t i = 0; i < tools->count; i++)
        if (json_string_is(name, tools_name(tools->schemas[i])))
            return tools->schemas[i];
    return NULL;
}

void connect_tools_free(struct connect_tools *tools)
{
    while (tools->count > 0)
        tools_remove(tools, tools->count - 1);
    free(tools->schemas);
    *tools = (struct connect_tools){0};
}
