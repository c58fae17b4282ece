#include "conf/header_document.h"

#include "conf/app_schema.h"

#include <stdio.h>

enum {
    PREFIX_MAX = 512, /* bytes of a key's path */
    NAME_MAX_SIZE = 128,
    VALUE_MAX_SIZE = 4096,
};

/* tchar (RFC 9110, 5.6.2). */
static bool byte_is_token(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') ||
           (byte != '\0' && strchr("!#$%&'*+-.^_`|~", byte) != NULL);
}

static bool name_is_token(struct slice name)
{
    for (size_t i = 0; i < name.size; i++)
        if (!byte_is_token(name.data[i]))
            return false;
    return name.size > 0 && name.size <= NAME_MAX_SIZE;
}

/* Framing and hop-by-hop fields (RFC 9110, 7.6.1) would break the message; the others are what
 * Gatehouse vouches for. */
static bool name_is_reserved(struct slice name)
{
    static const char *const names[] = {
        "Connection", "Content-Length", "Expect",  "Forwarded", "Keep-Alive",
        "TE",         "Trailer",        "Upgrade", "Via",       "Transfer-Encoding",
        "X-Real-IP",  "Mcp-Session-Id", NULL};
    static const char *const prefixes[] = {"Gatehouse-", "Proxy-", "X-Forwarded-", NULL};

    for (const char *const *known = names; *known != NULL; known++)
        if (slice_equal_nocase(name, slice_from(*known)))
            return true;
    for (const char *const *prefix = prefixes; *prefix != NULL; prefix++)
        if (name.size >= strlen(*prefix) && strncasecmp(name.data, *prefix, strlen(*prefix)) == 0)
            return true;
    return false;
}

/* field-value (RFC 9110, 5.5): visible characters, obs-text, and spaces and tabs between them. */
static const char *value_wrong(struct slice value)
{
    if (value.size == 0 || value.size > VALUE_MAX_SIZE)
        return "a header's value has 1 to 4096 characters";
    for (size_t i = 0; i < value.size; i++)
        if (value.data[i] == '\n')
            return "a header's value is one line";
    if (memmem(value.data, value.size, "{{", 2) != NULL)
        return "templates ({{...}}) are not supported by this release";
    return NULL;
}

static struct slice slice_trim(struct slice text)
{
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = slice_skip(text, 1);
    while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t'))
        text.size--;
    return text;
}

/* False after an error. */
static bool header_split(const struct yaml_node *node, const char *prefix,
                         struct schema_context *context, struct app_header *out)
{
    struct app_header_form form = {0};
    const char *colon;

    if (node->kind != YAML_SCALAR) {
        bool good = schema_read(&app_header_schema, node, prefix, context, &form);

        *out = (struct app_header){.name = form.name, .value = slice_trim(form.value)};
        return good;
    }
    colon = node->text.size == 0 ? NULL : memchr(node->text.data, ':', node->text.size);
    if (colon == NULL) {
        schema_error(context, node, prefix, "", "such as \"Host: app.internal\"",
                     "must be \"Name: value\"");
        return false;
    }
    out->name = slice_make(node->text.data, (size_t)(colon - node->text.data));
    out->value = slice_trim(slice_skip(node->text, out->name.size + 1));
    return true;
}

static bool header_check(const struct yaml_node *node, const char *prefix,
                         struct schema_context *context, const struct app_header *header)
{
    const char *reason = value_wrong(header->value);

    if (!name_is_token(header->name))
        schema_error(context, node, prefix, "", "letters, digits and '-', without spaces",
                     "\"%.*s\" is not a header's name",
                     header->name.size > NAME_MAX_SIZE ? NAME_MAX_SIZE : (int)header->name.size,
                     header->name.data);
    else if (name_is_reserved(header->name))
        schema_error(context, node, prefix, "", NULL, "%.*s is set by Gatehouse alone",
                     (int)header->name.size, header->name.data);
    else if (reason != NULL)
        schema_error(context, node, prefix, "", NULL, "%s", reason);
    else
        return true;
    return false;
}

size_t headers_read(const struct yaml_node *list, const char *prefix,
                    struct schema_context *context, struct app_header *headers, size_t room)
{
    size_t count = 0;
    size_t index = 0;

    for (const struct yaml_node *node = list->first; node != NULL && count < room;
         node = node->next, index++) {
        char path[PREFIX_MAX];

        snprintf(path, sizeof(path), "%s[%zu]", prefix, index);
        if (header_split(node, path, context, &headers[count]) &&
            header_check(node, path, context, &headers[count]))
            count++;
    }
    return count;
}
