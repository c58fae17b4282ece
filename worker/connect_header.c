#include "worker/connect_header.h"

#include "shared/base64url.h"
#include "worker/mcp_gate.h"

#include <errno.h>

#define SENTINEL "=?base64?"
#define SENTINEL_END "?="

static bool header_is_plain(struct slice text)
{
    struct slice end = slice_from(SENTINEL_END);

    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        bool inner = i > 0 && i + 1 < text.size;

        if ((c < 0x21 || c > 0x7e) && !(inner && (c == ' ' || c == '\t')))
            return false;
    }
    return !(text.size >= end.size && slice_has_prefix(text, slice_from(SENTINEL)) &&
             slice_equal(slice_skip(text, text.size - end.size), end));
}

int connect_header_value(struct buffer *out, struct slice text)
{
    size_t begin;
    int error;

    if (header_is_plain(text))
        return buffer_append_slice(out, text);
    error = buffer_append_text(out, SENTINEL);
    begin = buffer_size(out);
    if (error == 0)
        error = base64url_encode(text, out);
    if (error != 0)
        return error;
    /* RFC 4648, 4: the other two characters, and padding. */
    for (char *at = buffer_data(out) + begin; at < buffer_data(out) + buffer_size(out); at++)
        *at = (char)(*at == '-' ? '+' : *at == '_' ? '/' : *at);
    while (error == 0 && (buffer_size(out) - begin) % 4 != 0)
        error = buffer_append(out, "=", 1);
    return error == 0 ? buffer_append_text(out, SENTINEL_END) : error;
}

/* "Name: value\r\n" of a JSON string, or of a scalar as it stands. */
static int header_line(struct buffer *out, struct slice name, struct slice suffix,
                       const struct json_value *value)
{
    struct buffer text = {0};
    struct slice plain = value->text;
    size_t room;
    long size = 0;
    int error = buffer_reserve(&text, value->text.size);

    if (error == 0 && value->kind == JSON_STRING) {
        size = json_string(value, buffer_space(&text, &room), value->text.size);
        plain = slice_make(buffer_data(&text), size < 0 ? 0 : (size_t)size);
        error = size < 0 ? -EINVAL : 0;
    }
    if (error == 0)
        error = buffer_append_slice(out, name);
    if (error == 0)
        error = buffer_append_slice(out, suffix);
    if (error == 0)
        error = buffer_append_text(out, ": ");
    if (error == 0)
        error = connect_header_value(out, plain);
    if (error == 0)
        error = buffer_append_text(out, "\r\n");
    buffer_free(&text);
    return error;
}

static struct json_value header_member(const struct json_value *object, struct slice wanted)
{
    struct json_value found = {0};
    struct json_iterator iterator;
    struct json_value value;
    struct slice name;
    bool escaped;

    if (object->kind != JSON_OBJECT)
        return found;
    json_iterate(&iterator, object);
    while (json_next(&iterator, &name, &escaped, &value) == 1) {
        struct json_text text = {.raw = name, .escaped = escaped};

        if (json_text_is(text, wanted))
            found = value;
    }
    return found;
}

static int header_params(struct buffer *out, const struct json_value *arguments,
                         const struct tool_schema *schema)
{
    int error = 0;

    for (size_t i = 0; i < schema->param_count && error == 0; i++) {
        const struct tool_param *param = &schema->params[i];
        struct json_value value = *arguments;

        for (size_t depth = 0; depth < param->depth; depth++)
            value = header_member(&value, tool_schema_text(schema, param->path[depth]));
        /* What is absent or null has no header; what is composite breaks the tool's schema. */
        if (value.kind == JSON_STRING || value.kind == JSON_NUMBER || value.kind == JSON_TRUE ||
            value.kind == JSON_FALSE)
            error = header_line(out, slice_from("Mcp-Param-"),
                                tool_schema_text(schema, param->header), &value);
    }
    return error;
}

int connect_header_repeat(struct buffer *out, const struct mcp_message *message,
                          const struct tool_schema *schema)
{
    bool named = message->known != NULL && message->known->named;
    const struct json_value *target = named ? mcp_gate_target(message) : NULL;
    struct slice none = slice_make(NULL, 0);
    int error = header_line(out, slice_from("MCP-Protocol-Version"), none, &message->meta_version);

    if (error == 0)
        error = header_line(out, slice_from("Mcp-Method"), none, &message->method);
    if (error == 0 && target != NULL && target->kind == JSON_STRING)
        error = header_line(out, slice_from("Mcp-Name"), none, target);
    if (error == 0 && schema != NULL && schema->kind == TOOL_ANNOTATED)
        error = header_params(out, &message->arguments, schema);
    return error;
}
