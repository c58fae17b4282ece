/* Any bytes as the result of tools/list: what is read stays within its bounds, is what the
 * specification allows, and a list that was read is JSON. */
#include "worker/http_head.h"
#include "worker/tool_schema.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void check_name(const struct tool_schema *schema, struct tool_name name)
{
    check((size_t)name.at + name.size <= schema->text_size);
    check(schema->text_size <= TOOL_TEXT_MAX);
}

static void visit(void *context, const struct tool_schema *schema)
{
    (void)context;
    check_name(schema, schema->name);
    check(schema->name.size > 0 && schema->param_count <= TOOL_PARAMS_MAX);
    check((schema->kind != TOOL_ANNOTATED || schema->param_count > 0) &&
          (schema->kind != TOOL_PLAIN || schema->param_count == 0));
    if (schema->kind != TOOL_ANNOTATED)
        return;
    for (size_t i = 0; i < schema->param_count; i++) {
        const struct tool_param *param = &schema->params[i];

        check_name(schema, param->header);
        check(http_is_token(tool_schema_text(schema, param->header)));
        check(param->depth > 0 && param->depth <= TOOL_PATH_MAX);
        for (size_t j = 0; j < param->depth; j++)
            check_name(schema, param->path[j]);
        for (size_t j = 0; j < i; j++)
            check(!slice_equal_nocase(tool_schema_text(schema, param->header),
                                      tool_schema_text(schema, schema->params[j].header)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make((const char *)data, size);
    struct json_value value;
    const char *reason;

    check(tool_list_read(text, visit, NULL) != 0 || json_parse(text, &value, &reason) == 0);
    return 0;
}
