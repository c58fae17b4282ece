#include "worker/mcp_identity.h"

#include <errno.h>
#include <stdlib.h>

static int spell_value(struct buffer *out, const struct json_value *value, unsigned depth);

static int spell_string(struct buffer *out, const struct json_value *value)
{
    struct buffer decoded = {0};
    size_t room;
    int error = buffer_reserve(&decoded, value->text.size);
    long size = 0;

    if (error == 0) {
        char *space = buffer_space(&decoded, &room);

        size = json_string(value, space, room);
        error = size < 0 ? (int)size : json_append_string(out, slice_make(space, (size_t)size));
    }
    buffer_free(&decoded);
    return error;
}

static int spell_array(struct buffer *out, const struct json_value *array, unsigned depth)
{
    struct json_iterator iterator;
    struct json_value element;
    int error = buffer_append_text(out, "[");
    bool first = true;

    json_iterate(&iterator, array);
    while (error == 0 && json_next(&iterator, NULL, NULL, &element) == 1) {
        if (!first)
            error = buffer_append_text(out, ",");
        first = false;
        if (error == 0)
            error = spell_value(out, &element, depth);
    }
    return error == 0 ? buffer_append_text(out, "]") : error;
}

static int spell_member(struct buffer *out, struct slice name, bool escaped,
                        const struct json_value *value, unsigned depth)
{
    /* The quotes stand around it. */
    struct json_value text = {
        .kind = JSON_STRING, .text = slice_make(name.data - 1, name.size + 2), .escaped = escaped};
    int error = spell_string(out, &text);

    if (error == 0)
        error = buffer_append_text(out, ":");
    return error == 0 ? spell_value(out, value, depth) : error;
}

/* One after the other; sizes[0..count) are theirs. */
static int spell_members(struct buffer *out, const struct json_value *object, unsigned depth,
                         size_t sizes[JSON_MEMBERS_MAX], size_t *count)
{
    struct json_iterator iterator;
    struct json_value value;
    struct slice name;
    bool escaped;
    int error = 0;

    *count = 0;
    json_iterate(&iterator, object);
    while (error == 0 && json_next(&iterator, &name, &escaped, &value) == 1) {
        size_t before = buffer_size(out);

        if (*count == JSON_MEMBERS_MAX)
            return -EMSGSIZE;
        error = spell_member(out, name, escaped, &value, depth);
        sizes[(*count)++] = buffer_size(out) - before;
    }
    return error;
}

static int slice_order(const void *a, const void *b)
{
    const struct slice *first = a;
    const struct slice *second = b;
    size_t size = first->size < second->size ? first->size : second->size;
    int order = memcmp(first->data, second->data, size);

    return order != 0 ? order : (first->size > second->size) - (first->size < second->size);
}

/* Any order will do, as long as it does not depend on the one in the text. */
static int spell_object(struct buffer *out, const struct json_value *object, unsigned depth)
{
    size_t sizes[JSON_MEMBERS_MAX], count;
    struct slice members[JSON_MEMBERS_MAX];
    struct buffer spelled = {0};
    int error = spell_members(&spelled, object, depth, sizes, &count);
    const char *at = buffer_data(&spelled);

    for (size_t i = 0; error == 0 && i < count; at += sizes[i], i++)
        members[i] = slice_make(at, sizes[i]);
    if (error == 0 && count > 1)
        qsort(members, count, sizeof(members[0]), slice_order);
    if (error == 0)
        error = buffer_append_text(out, "{");
    for (size_t i = 0; error == 0 && i < count; i++) {
        if (i > 0)
            error = buffer_append_text(out, ",");
        if (error == 0)
            error = buffer_append_slice(out, members[i]);
    }
    buffer_free(&spelled);
    return error == 0 ? buffer_append_text(out, "}") : error;
}

static int spell_value(struct buffer *out, const struct json_value *value, unsigned depth)
{
    switch (value->kind) {
    case JSON_OBJECT:
        return depth == MCP_IDENTITY_DEPTH ? -EMSGSIZE : spell_object(out, value, depth + 1);
    case JSON_ARRAY:
        return depth == MCP_IDENTITY_DEPTH ? -EMSGSIZE : spell_array(out, value, depth + 1);
    case JSON_STRING:
        return spell_string(out, value);
    case JSON_NUMBER:
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_NULL:
        return buffer_append_slice(out, value->text);
    case JSON_INVALID:
        break;
    }
    return -EINVAL;
}

int mcp_identity_spell(struct buffer *out, const struct json_value *value)
{
    return spell_value(out, value, 0);
}

bool mcp_identity_of(const struct mcp_result *result, char out[DIGEST_HEX_SIZE + 1])
{
    static const char *const names[] = {"serverInfo", "capabilities"};
    struct json_value values[2];
    struct buffer spelled = {0};
    struct digest digest;
    bool known;

    if (json_members(&result->result, names, 2, values) != 0 || values[0].kind != JSON_OBJECT ||
        values[1].kind != JSON_OBJECT ||
        values[0].text.size + values[1].text.size > MCP_IDENTITY_MAX)
        return false;
    known = mcp_identity_spell(&spelled, &values[0]) == 0 &&
            mcp_identity_spell(&spelled, &values[1]) == 0;
    if (known) {
        digest_of(buffer_slice(&spelled), &digest);
        digest_hex(&digest, out);
    }
    buffer_free(&spelled);
    return known;
}
