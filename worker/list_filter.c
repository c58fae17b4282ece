#include "worker/list_filter.h"

#include "shared/json_name.h"
#include "shared/json_scan.h"
#include "shared/json_splice.h"

enum {
    FILTER_INTERNAL_ERROR = -32603, /* JSON-RPC 2.0, 5.1 */
    FILTER_NAME_MAX = 4096,         /* bytes of a name with escapes, decoded: else not listed */
    /* Of one list. Each is held against every rule, and a worker does nothing else meanwhile;
     * servers give long lists in pages of some hundreds. */
    FILTER_ELEMENTS_MAX = 10000,
};

/* A message being read. */
struct filter_draft {
    struct list_filter *filter;
    struct json_scan scan;
    struct json_splice splice;
    struct slice id; /* empty: none, or none that a response may have */
    bool id_seen, method_seen, result_seen, error_seen;
    struct json_value method, params;
    bool listed;            /* the result has a list that was filtered */
    bool scoped;            /* the result says its cacheScope */
    struct json_value name; /* of the element, or of the resource: JSON_INVALID: none */
    enum policy_kind kind;  /* of the list */
};

/* A name that is looked for in an object. */
struct filter_key {
    struct slice name;
    void (*read)(struct filter_draft *draft);
};

#define KEY(text) .name = {.data = (text), .size = sizeof(text) - 1}
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void filter_refuse(struct filter_draft *draft, const char *reason)
{
    if (draft->filter->refusal == NULL)
        draft->filter->refusal = reason;
}

/* Passes the value, which is none of ours. */
static void filter_skip(struct filter_draft *draft)
{
    json_scan_value(&draft->scan, NULL);
}

static bool filter_is(const struct filter_draft *draft, enum json_kind kind)
{
    return json_scan_kind(&draft->scan) == kind;
}

/* The end of the container that the scan has just passed, without the space behind it. */
static const char *filter_end(const struct filter_draft *draft)
{
    const char *end = draft->scan.at;

    while (end[-1] != '}' && end[-1] != ']')
        end--;
    return end;
}

/* The members of the object that begins here. */
static void filter_object(struct filter_draft *draft, const struct filter_key *keys, size_t count)
{
    struct json_scan *scan = &draft->scan;
    unsigned seen = 0;
    struct json_text name;

    if (!json_scan_enter(scan))
        return;
    while (json_scan_next(scan, &name) == 1) {
        const struct filter_key *key = NULL;

        for (size_t i = 0; i < count && key == NULL; i++) {
            enum json_likeness likeness = json_name_likeness(name, keys[i].name);

            if (likeness == JSON_NAME_ALIKE)
                filter_refuse(draft, "a member is spelled in another case");
            if (likeness != JSON_NAME_EQUAL)
                continue;
            key = &keys[i];
            if ((seen & 1u << i) != 0)
                filter_refuse(draft, "a member appears twice");
            seen |= 1u << i;
        }
        if (key == NULL)
            filter_skip(draft);
        else
            key->read(draft);
    }
}

static void read_element_name(struct filter_draft *draft)
{
    json_scan_value(&draft->scan, &draft->name);
}

/* Whether the caller may see what bears this name; `template`: it stands for many. */
static bool filter_lists(const struct filter_draft *draft, bool template)
{
    const struct policy_set *policy = draft->filter->policy;
    char decoded[FILTER_NAME_MAX];
    struct slice name = slice_make(draft->name.text.data + 1, draft->name.text.size - 2);

    if (draft->name.escaped) {
        long size = json_string(&draft->name, decoded, sizeof(decoded));

        if (size < 0)
            return false;
        name = slice_make(decoded, (size_t)size);
    }
    return template ? policy_lists_template(policy, name) : policy_lists(policy, draft->kind, name);
}

/* An element of a list, whose name is `key`'s. */
static void filter_element(struct filter_draft *draft, const struct filter_key *key, bool template,
                           struct json_array_cut *cut)
{
    const char *begin = draft->scan.at;
    struct slice element;

    draft->name = (struct json_value){0};
    if (!filter_is(draft, JSON_OBJECT)) {
        filter_refuse(draft, "an element of a list is no object");
        filter_skip(draft);
        return;
    }
    filter_object(draft, key, 1);
    if (draft->scan.reason != NULL)
        return;
    if (draft->name.kind != JSON_STRING) {
        filter_refuse(draft, "an element of a list has no name");
        return;
    }
    element = slice_make(begin, (size_t)(filter_end(draft) - begin));
    if (filter_lists(draft, template))
        json_array_cut_keep(cut, element);
    else
        json_array_cut_drop(cut, element);
}

static void filter_list(struct filter_draft *draft, enum policy_kind kind, const char *name,
                        bool template)
{
    struct filter_key key = {.name = slice_from(name), .read = read_element_name};
    struct json_array_cut cut;

    if (policy_set_is_open(draft->filter->policy, kind)) {
        filter_skip(draft);
        return;
    }
    if (!filter_is(draft, JSON_ARRAY)) {
        filter_refuse(draft, "a list is no array");
        filter_skip(draft);
        return;
    }
    draft->kind = kind;
    draft->listed = true;
    json_array_cut_begin(&cut, &draft->splice, draft->scan.at);
    if (!json_scan_enter(&draft->scan))
        return;
    for (unsigned i = 0; json_scan_next(&draft->scan, NULL) == 1; i++) {
        if (i >= FILTER_ELEMENTS_MAX) {
            filter_refuse(draft, "a list has too many elements");
            filter_skip(draft);
        } else {
            filter_element(draft, &key, template, &cut);
        }
    }
    if (draft->scan.reason == NULL)
        json_array_cut_end(&cut, filter_end(draft) - 1);
}

static void read_tools(struct filter_draft *draft)
{
    filter_list(draft, POLICY_TOOL, "name", false);
}

static void read_prompts(struct filter_draft *draft)
{
    filter_list(draft, POLICY_PROMPT, "name", false);
}

static void read_resources(struct filter_draft *draft)
{
    filter_list(draft, POLICY_RESOURCE, "uri", false);
}

static void read_templates(struct filter_draft *draft)
{
    filter_list(draft, POLICY_RESOURCE, "uriTemplate", true);
}

static void read_scope(struct filter_draft *draft)
{
    struct json_value value;

    draft->scoped = true;
    if (json_scan_value(&draft->scan, &value) && !json_string_is(&value, slice_from("private")))
        json_splice_put(&draft->splice, value.text.data, value.text.data + value.text.size,
                        slice_from("\"private\""));
}

static void read_input_method(struct filter_draft *draft)
{
    static const char *const known[] = {"sampling/createMessage", "elicitation/create",
                                        "roots/list"};
    struct json_value value;

    if (!json_scan_value(&draft->scan, &value))
        return;
    draft->name = value;
    for (size_t i = 0; i < COUNT(known); i++) {
        if (value.kind == JSON_STRING && json_string_is(&value, slice_from(known[i])))
            return;
    }
    filter_refuse(draft, "it embeds a request that is not known");
}

/* Requests that ride on a result (2026-07-28, basic/patterns/mrtr). */
static void read_inputs(struct filter_draft *draft)
{
    static const struct filter_key key = {KEY("method"), read_input_method};

    if (!filter_is(draft, JSON_OBJECT)) {
        filter_refuse(draft, "inputRequests is no object");
        filter_skip(draft);
        return;
    }
    if (!json_scan_enter(&draft->scan))
        return;
    while (json_scan_next(&draft->scan, NULL) == 1) {
        draft->name = (struct json_value){0};
        if (filter_is(draft, JSON_OBJECT))
            filter_object(draft, &key, 1);
        else
            filter_skip(draft);
        if (draft->name.kind == JSON_INVALID)
            filter_refuse(draft, "it embeds a request that is not known");
    }
}

static void read_result(struct filter_draft *draft)
{
    static const struct filter_key keys[] = {
        {KEY("tools"), read_tools},         {KEY("prompts"), read_prompts},
        {KEY("resources"), read_resources}, {KEY("resourceTemplates"), read_templates},
        {KEY("cacheScope"), read_scope},    {KEY("inputRequests"), read_inputs},
    };

    draft->result_seen = true;
    if (!filter_is(draft, JSON_OBJECT)) {
        filter_refuse(draft, "the result is no object");
        filter_skip(draft);
        return;
    }
    filter_object(draft, keys, COUNT(keys));
    if (draft->scan.reason == NULL && draft->filter->modern && draft->listed && !draft->scoped) {
        const char *close = filter_end(draft) - 1;

        json_splice_put(&draft->splice, close, close, slice_from(",\"cacheScope\":\"private\""));
    }
}

static void read_id(struct filter_draft *draft)
{
    struct json_value value;
    int64_t integer;

    if (!json_scan_value(&draft->scan, &value))
        return;
    if (!draft->id_seen && (value.kind == JSON_STRING || json_integer(&value, &integer) == 0))
        draft->id = value.text;
    else
        draft->id = slice_make(NULL, 0); /* of two ids, neither is the message's */
    draft->id_seen = true;
}

static void read_method(struct filter_draft *draft)
{
    draft->method_seen = true;
    if (json_scan_value(&draft->scan, &draft->method) && draft->method.kind != JSON_STRING)
        filter_refuse(draft, "the method is no string");
}

static void read_params(struct filter_draft *draft)
{
    json_scan_value(&draft->scan, &draft->params);
}

static void read_error(struct filter_draft *draft)
{
    draft->error_seen = true;
    filter_skip(draft);
}

static void filter_envelope(struct filter_draft *draft)
{
    static const struct filter_key keys[] = {
        {KEY("jsonrpc"), filter_skip}, {KEY("id"), read_id},         {KEY("result"), read_result},
        {KEY("method"), read_method},  {KEY("params"), read_params}, {KEY("error"), read_error},
    };

    if (draft->scan.reason != NULL)
        return;
    if (!filter_is(draft, JSON_OBJECT)) {
        filter_refuse(draft, "the message is no object");
        return;
    }
    filter_object(draft, keys, COUNT(keys));
    json_scan_end(&draft->scan);
    if (draft->result_seen + draft->error_seen + draft->method_seen != 1)
        filter_refuse(draft, "it is not one of a request, a notification and a response");
}

/* Whether it tells of a change to a resource that the caller may not see. */
static bool filter_hides(struct filter_draft *draft)
{
    static const struct filter_key key = {KEY("uri"), read_element_name};

    if (draft->method.kind != JSON_STRING ||
        policy_set_is_open(draft->filter->policy, POLICY_RESOURCE) ||
        !json_string_is(&draft->method, slice_from("notifications/resources/updated")))
        return false;
    draft->name = (struct json_value){0};
    draft->kind = POLICY_RESOURCE;
    if (draft->params.kind == JSON_OBJECT) {
        json_scan_begin(&draft->scan, draft->params.text);
        filter_object(draft, &key, 1);
    }
    return draft->filter->refusal != NULL || draft->name.kind != JSON_STRING ||
           !filter_lists(draft, false);
}

/* What goes on in the place of a message that was refused. */
static enum mcp_verdict filter_answer(const struct filter_draft *draft, struct buffer *out)
{
    struct slice id = draft->id.size > 0 ? draft->id : draft->filter->id;
    int error;

    buffer_clear(out);
    if ((draft->method_seen && !draft->result_seen) || id.size == 0)
        return MCP_DROPPED;
    error = buffer_append_format(out,
                                 "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":%d,\"message\":"
                                 "\"The server's answer cannot be judged: %s\"},\"id\":",
                                 FILTER_INTERNAL_ERROR, draft->filter->refusal);
    if (error == 0)
        error = buffer_append_slice(out, id);
    if (error == 0)
        error = buffer_append_text(out, "}");
    return error == 0 ? MCP_REPLACED : MCP_FAILED;
}

enum mcp_verdict list_filter_message(struct list_filter *filter, struct slice text,
                                     struct buffer *out)
{
    struct filter_draft draft = {.filter = filter};
    int changed;

    filter->refusal = NULL;
    json_splice_begin(&draft.splice, text, out);
    json_scan_begin(&draft.scan, text);
    filter_envelope(&draft);
    if (draft.scan.reason != NULL)
        filter_refuse(&draft, draft.scan.reason);
    if (filter->refusal != NULL)
        return filter_answer(&draft, out);
    if (filter_hides(&draft))
        return MCP_DROPPED;
    changed = json_splice_end(&draft.splice);
    if (changed < 0)
        return MCP_FAILED;
    return changed == 0 ? MCP_PASSES : MCP_REPLACED;
}
