#include "worker/bridge_message.h"

#include "shared/json_text.h"

#include <errno.h>

#define META_SUBSCRIPTION "io.modelcontextprotocol/subscriptionId"

enum { NUMBER_DIGITS_MAX = 18 }; /* fits in 64 bits */

enum { IN_JSONRPC, IN_ID, IN_METHOD, IN_PARAMS, IN_RESULT, IN_ERROR, IN_COUNT };
static const char *const envelope_names[IN_COUNT] = {"jsonrpc", "id",     "method",
                                                     "params",  "result", "error"};

enum { PARAM_META, PARAM_TOKEN, PARAM_REQUEST, PARAM_URI, PARAM_VERSION, PARAM_COUNT };
static const char *const param_names[PARAM_COUNT] = {"_meta", "progressToken", "requestId", "uri",
                                                     "protocolVersion"};

enum { META_TOKEN, META_OF_SUBSCRIPTION, META_COUNT };
static const char *const meta_names[META_COUNT] = {"progressToken", META_SUBSCRIPTION};

/* The text of a string or integer; else empty. */
static struct slice message_id(const struct json_value *value)
{
    int64_t integer;

    if (value->kind == JSON_STRING ||
        (value->kind == JSON_NUMBER && json_integer(value, &integer) == 0))
        return value->text;
    return slice_make(NULL, 0);
}

static void message_string(const struct json_value *value, struct json_value *out)
{
    if (value->kind == JSON_STRING)
        *out = *value;
}

static int message_meta(const struct json_value *meta, struct bridge_message *out)
{
    struct json_value members[META_COUNT];

    if (meta->kind != JSON_OBJECT)
        return 0;
    if (json_members(meta, meta_names, META_COUNT, members) != 0)
        return -EINVAL;
    out->token = message_id(&members[META_TOKEN]);
    out->subscription = message_id(&members[META_OF_SUBSCRIPTION]);
    return 0;
}

static int message_params(const struct json_value *params, struct bridge_message *out)
{
    struct json_value members[PARAM_COUNT];

    if (params->kind == JSON_INVALID)
        return 0;
    if (params->kind != JSON_OBJECT ||
        json_members(params, param_names, PARAM_COUNT, members) != 0 ||
        message_meta(&members[PARAM_META], out) != 0)
        return -EINVAL;
    if (bridge_message_is(out, "notifications/progress"))
        out->token = message_id(&members[PARAM_TOKEN]);
    out->request_id = message_id(&members[PARAM_REQUEST]);
    message_string(&members[PARAM_URI], &out->uri);
    message_string(&members[PARAM_VERSION], &out->version);
    return 0;
}

static int message_outcome(const struct json_value *result, const struct json_value *error,
                           struct bridge_message *out)
{
    static const char *const code_name[] = {"code"};
    struct json_value member;

    if (result->kind != JSON_INVALID) {
        /* Only _meta is looked at; a result of more members than are walked has none for us. */
        if (result->kind != JSON_OBJECT || error->kind != JSON_INVALID)
            return -EINVAL;
        out->result = *result;
        if (json_members(result, param_names, 1, &member) == 0)
            return message_meta(&member, out);
        return 0;
    }
    if (error->kind != JSON_OBJECT || json_members(error, code_name, 1, &member) != 0 ||
        json_integer(&member, &out->error) != 0 || out->error == 0)
        return -EINVAL;
    return 0;
}

static int message_read(const struct json_value *root, struct bridge_message *out)
{
    struct json_value members[IN_COUNT];

    if (root->kind != JSON_OBJECT || json_members(root, envelope_names, IN_COUNT, members) != 0 ||
        !json_string_is(&members[IN_JSONRPC], slice_from("2.0")))
        return -EINVAL;
    out->text = root->text;
    out->id = message_id(&members[IN_ID]);
    message_string(&members[IN_METHOD], &out->method);
    if (out->method.kind == JSON_STRING) {
        out->kind = members[IN_ID].kind == JSON_INVALID ? BRIDGE_NOTIFICATION : BRIDGE_REQUEST;
        if ((out->kind == BRIDGE_REQUEST && out->id.size == 0) ||
            members[IN_RESULT].kind != JSON_INVALID || members[IN_ERROR].kind != JSON_INVALID)
            return -EINVAL;
        return message_params(&members[IN_PARAMS], out);
    }
    out->kind = BRIDGE_RESPONSE;
    if (members[IN_METHOD].kind != JSON_INVALID)
        return -EINVAL;
    return message_outcome(&members[IN_RESULT], &members[IN_ERROR], out);
}

/* One id and no method: whoever sent that meant to answer, and who asked need not wait on. */
static void message_broken(const struct json_value *root, struct bridge_message *out)
{
    struct json_iterator iterator;
    struct json_text name;
    struct json_value value;
    bool asks = false;
    size_t ids = 0;

    *out = (struct bridge_message){0};
    if (root->kind != JSON_OBJECT)
        return;
    json_iterate(&iterator, root);
    while (json_next(&iterator, &name.raw, &name.escaped, &value) == 1) {
        if (json_text_is(name, slice_from("id")) && ids++ == 0)
            out->id = message_id(&value);
        asks = asks || json_text_is(name, slice_from("method"));
    }
    out->broken = ids == 1 && !asks && out->id.size > 0;
}

int bridge_message_read(struct slice text, struct bridge_message *out, const char **reason)
{
    struct json_value root;

    *out = (struct bridge_message){0};
    if (json_parse(text, &root, reason) != 0)
        return -EINVAL;
    *reason = "it is no message of JSON-RPC 2.0";
    if (message_read(&root, out) == 0)
        return 0;
    message_broken(&root, out);
    return -EINVAL;
}

bool bridge_message_is(const struct bridge_message *message, const char *method)
{
    return message->method.kind == JSON_STRING &&
           json_string_is(&message->method, slice_from(method));
}

bool bridge_message_lists(const struct bridge_message *message, const char *member,
                          const char *text)
{
    struct json_iterator iterator;
    struct json_value list;
    struct json_value value;

    if (message->result.kind != JSON_OBJECT ||
        json_members(&message->result, &member, 1, &list) != 0 || list.kind != JSON_ARRAY)
        return false;
    json_iterate(&iterator, &list);
    while (json_next(&iterator, NULL, NULL, &value) == 1) {
        if (value.kind == JSON_STRING && json_string_is(&value, slice_from(text)))
            return true;
    }
    return false;
}

/* The next edit at or behind `at`; NULL: none. */
static const struct bridge_edit *message_edit(const struct bridge_edit *edits, size_t count,
                                              const char *at)
{
    const struct bridge_edit *next = NULL;

    for (size_t i = 0; i < count; i++) {
        if (edits[i].old.size > 0 && edits[i].old.data >= at &&
            (next == NULL || edits[i].old.data < next->old.data))
            next = &edits[i];
    }
    return next;
}

static void message_one_line(char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\n' || text[i] == '\r')
            text[i] = ' ';
    }
}

int bridge_message_append(struct buffer *out, struct slice text, const struct bridge_edit *edits,
                          size_t count)
{
    const char *end = text.data + text.size;
    const char *at = text.data;
    size_t before = buffer_size(out);
    size_t room = text.size;

    for (size_t i = 0; i < count; i++)
        room += edits[i].text.size;
    if (buffer_reserve(out, room) != 0)
        return -ENOMEM;
    while (at < end) {
        const struct bridge_edit *edit = message_edit(edits, count, at);
        const char *stop = edit == NULL ? end : edit->old.data;

        buffer_append(out, at, (size_t)(stop - at));
        if (edit == NULL)
            break;
        buffer_append_slice(out, edit->text);
        at = edit->old.data + edit->old.size;
    }
    message_one_line(buffer_data(out) + before, buffer_size(out) - before);
    return 0;
}

bool bridge_message_number(struct slice text, uint64_t *out)
{
    uint64_t number = 0;

    if (text.size == 0 || text.size > NUMBER_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    }
    *out = number;
    return true;
}
