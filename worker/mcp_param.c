#include "worker/mcp_param.h"

#include "shared/json_name.h"
#include "worker/mcp_header.h"

#define PREFIX "Mcp-Param-"

enum { SCALAR_MAX = 64 }; /* bytes of a number or boolean in a header; no integer needs more */

/* The call's arguments that the schema names, found in one walk along their paths. */
struct param_search {
    const struct tool_schema *schema;
    struct json_value values[TOOL_PARAMS_MAX]; /* JSON_INVALID: absent */
    bool ambiguous;
};

_Static_assert(TOOL_PARAMS_MAX <= 32, "a bit of an unsigned for each");

/* Of the parameters in `wanted`, those whose path goes through this member at that depth. */
static unsigned search_member(struct param_search *search, struct json_text name, size_t depth,
                              unsigned wanted)
{
    const struct tool_schema *schema = search->schema;
    unsigned found = 0;
    bool alike = false;

    for (size_t i = 0; i < schema->param_count; i++) {
        enum json_likeness likeness;

        if ((wanted & 1u << i) == 0)
            continue;
        likeness =
            json_name_likeness(name, tool_schema_text(schema, schema->params[i].path[depth]));
        if (likeness == JSON_NAME_EQUAL)
            found |= 1u << i;
        alike = alike || likeness == JSON_NAME_ALIKE;
    }
    /* Two properties of a schema may differ in case alone: a name that is one of them is not the
     * other. */
    if (alike && found == 0)
        search->ambiguous = true;
    return found;
}

/* Walks the object as far as the paths of `wanted` go. */
static void search_object(struct param_search *search, const struct json_value *object,
                          size_t depth, unsigned wanted)
{
    struct json_iterator iterator;
    struct json_value value;
    struct slice name;
    bool escaped;
    unsigned seen = 0;

    json_iterate(&iterator, object);
    while (json_next(&iterator, &name, &escaped, &value) == 1) {
        struct json_text text = {.raw = name, .escaped = escaped};
        unsigned found = search_member(search, text, depth, wanted);
        unsigned deeper = 0;

        if ((found & seen) != 0)
            search->ambiguous = true;
        seen |= found;
        for (size_t i = 0; i < search->schema->param_count; i++) {
            if ((found & 1u << i) == 0)
                continue;
            if (search->schema->params[i].depth == depth + 1)
                search->values[i] = value;
            else
                deeper |= 1u << i;
        }
        if (deeper != 0 && value.kind == JSON_OBJECT)
            search_object(search, &value, depth + 1, deeper);
    }
}

/* Whether the header's name is that of the parameter. Servers that turn both '-' and '_' into one
 * letter would take `folded` for it, too. */
static bool name_is(struct slice header, struct slice param, bool folded)
{
    struct slice prefix = slice_from(PREFIX);

    if (header.size != prefix.size + param.size)
        return false;
    for (size_t i = 0; i < header.size; i++) {
        char ours = i < prefix.size ? prefix.data[i] : param.data[i - prefix.size];
        char theirs = header.data[i];

        if (folded && ours == '_')
            ours = '-';
        if (folded && theirs == '_')
            theirs = '-';
        if (strncasecmp(&ours, &theirs, 1) != 0)
            return false;
    }
    return true;
}

static bool name_is_any(const struct tool_schema *schema, struct slice header)
{
    for (size_t i = 0; i < schema->param_count; i++) {
        if (name_is(header, tool_schema_text(schema, schema->params[i].header), false))
            return true;
    }
    return false;
}

/* The parameter's header, or NULL. false: it is there twice, or disguised. */
static bool param_header(const struct tool_schema *schema, const struct tool_param *param,
                         const struct http_request *request, const struct http_header **out)
{
    struct slice name = tool_schema_text(schema, param->header);

    *out = NULL;
    for (size_t i = 0; i < request->header_count; i++) {
        const struct http_header *header = &request->headers[i];

        if (header->field != HTTP_OTHER || !name_is(header->name, name, true))
            continue;
        if (!name_is(header->name, name, false)) {
            if (name_is_any(schema, header->name))
                continue;
            return false;
        }
        if (*out != NULL)
            return false;
        *out = header;
    }
    return true;
}

/* Numbers are compared as such where every reader agrees on them (42 and 42.0), else as text. */
static bool number_is(struct slice text, const struct json_value *number)
{
    struct json_value said;
    const char *reason;
    int64_t ours, theirs;

    if (slice_equal(text, number->text))
        return true;
    /* An exponent is no decimal representation: other readers of the header may not know it. */
    if (json_parse(text, &said, &reason) != 0 || said.kind != JSON_NUMBER ||
        said.text.size != text.size || memchr(text.data, 'e', text.size) != NULL ||
        memchr(text.data, 'E', text.size) != NULL)
        return false;
    return json_safe_integer(number, &ours) == 0 && json_safe_integer(&said, &theirs) == 0 &&
           ours == theirs;
}

static bool value_is(struct slice header, const struct json_value *value)
{
    char text[SCALAR_MAX];
    long size;

    if (value->kind == JSON_STRING)
        return mcp_header_is(header, value);
    if (value->kind != JSON_NUMBER && value->kind != JSON_TRUE && value->kind != JSON_FALSE)
        return false; /* an object or array cannot stand in a header */
    size = mcp_header_text(header, text, sizeof(text));
    if (size < 0)
        return false;
    if (value->kind == JSON_NUMBER)
        return number_is(slice_make(text, (size_t)size), value);
    return slice_equal(slice_make(text, (size_t)size), value->text);
}

static enum mcp_param_verdict param_compare(const struct http_header *header,
                                            const struct json_value *value, const char **reason)
{
    bool composite = value->kind == JSON_OBJECT || value->kind == JSON_ARRAY;

    if (value->kind == JSON_INVALID || value->kind == JSON_NULL || composite) {
        if (header == NULL)
            return MCP_PARAM_AGREES; /* of a composite, the server says that it breaks the schema */
        *reason = "an Mcp-Param header has no argument";
        return MCP_PARAM_DIFFERS;
    }
    if (header == NULL) {
        *reason = "an Mcp-Param header is missing";
        return MCP_PARAM_DIFFERS;
    }
    if (value_is(header->value, value))
        return MCP_PARAM_AGREES;
    *reason = "an Mcp-Param header is not its argument";
    return MCP_PARAM_DIFFERS;
}

enum mcp_param_verdict mcp_params_compare(const struct tool_schema *schema,
                                          const struct http_request *request,
                                          const struct json_value *arguments, const char **reason)
{
    struct param_search search = {.schema = schema};

    if (arguments->kind == JSON_OBJECT)
        search_object(&search, arguments, 0, (1u << schema->param_count) - 1);
    if (search.ambiguous) {
        *reason = "an argument appears twice, or in another case";
        return MCP_PARAM_AMBIGUOUS;
    }
    for (size_t i = 0; i < schema->param_count; i++) {
        const struct http_header *header;
        enum mcp_param_verdict verdict;

        if (!param_header(schema, &schema->params[i], request, &header)) {
            *reason = "an Mcp-Param header is there twice";
            return MCP_PARAM_DIFFERS;
        }
        verdict = param_compare(header, &search.values[i], reason);
        if (verdict != MCP_PARAM_AGREES)
            return verdict;
    }
    return MCP_PARAM_AGREES;
}
