#include "worker/mcp_message.h"

#include "shared/json_name.h"

/* A message being read. A text that is no JSON ends the reading; what is otherwise wrong is
 * remembered (the first reason counts), so that an id that follows can still be read. */
struct mcp_draft {
    struct mcp_reader *reader;
    struct mcp_message *message;
    bool version_seen; /* "jsonrpc": "2.0" */
    bool id_seen, method_seen, result, error;
};

/* A name that is looked for in an object. */
struct mcp_key {
    struct slice name;
    void (*read)(struct mcp_draft *draft);
};

#define KEY(text) .name = {.data = (text), .size = sizeof(text) - 1}
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void draft_refuse(struct mcp_draft *draft, const char *reason)
{
    if (draft->reader->code != 0)
        return;
    draft->reader->code = MCP_INVALID_REQUEST;
    draft->reader->reason = reason;
}

/* Passes a value that is not looked at. */
static void draft_skip(struct mcp_draft *draft)
{
    json_scan_value(&draft->reader->scan, NULL);
}

/* U+0000 ends the text for a reader in C. */
static bool draft_has_nul(const struct json_value *value)
{
    const char *at = value->text.data;
    const char *end = at + value->text.size;
    char decoded[JSON_TEXT_PIECE];

    while (value->escaped && (at = memchr(at, '\\', (size_t)(end - at))) != NULL) {
        if (json_text_unescape(&at, end, decoded) == 1 && decoded[0] == '\0')
            return true;
    }
    return false;
}

static void draft_string(struct mcp_draft *draft, struct json_value *out, const char *reason)
{
    struct json_value value;

    if (!json_scan_value(&draft->reader->scan, &value))
        return;
    if (value.kind != JSON_STRING || draft_has_nul(&value))
        draft_refuse(draft, reason);
    else
        *out = value;
}

static void draft_id_value(struct mcp_draft *draft, struct json_value *out, const char *reason)
{
    struct json_value value;
    int64_t integer;

    if (!json_scan_value(&draft->reader->scan, &value))
        return;
    if (value.kind != JSON_STRING && json_integer(&value, &integer) != 0)
        draft_refuse(draft, reason);
    else
        *out = value;
}

/* Whether the name can be that key, or alike: told by the first letter, but for what stands for
 * another one (json_name.h). Most keys are not meant. */
static inline bool key_is_likely(const struct mcp_key *key, const struct json_text *name)
{
    unsigned char first = name->raw.size == 0 ? 0 : (unsigned char)name->raw.data[0];

    return ((first ^ (unsigned char)key->name.data[0]) & ~0x20) == 0 || first >= 0x80 ||
           name->escaped;
}

/* The key of that name; NULL: none of them. */
static const struct mcp_key *draft_key(struct mcp_draft *draft, const struct mcp_key *keys,
                                       size_t count, const struct json_text *name)
{
    for (const struct mcp_key *key = keys; key < keys + count; key++) {
        enum json_likeness likeness;

        if (!key_is_likely(key, name))
            continue;
        if (slice_equal(name->raw, key->name))
            return key;
        likeness = json_name_likeness(*name, key->name);
        if (likeness == JSON_NAME_ALIKE)
            draft_refuse(draft, "a member is spelled in another case");
        if (likeness == JSON_NAME_EQUAL)
            return key;
    }
    return NULL;
}

/* The members of the object that begins here. Of two keys of one name, and where `names` is given
 * of any two members, the object is refused. */
static void draft_object(struct mcp_draft *draft, const struct mcp_key *keys, size_t count,
                         struct json_names *names)
{
    struct json_scan *scan = &draft->reader->scan;
    unsigned seen = 0;
    size_t members = 0;
    struct json_text name;

    if (!json_scan_enter(scan))
        return;
    while (json_scan_next(scan, &name) == 1) {
        const struct mcp_key *key = draft_key(draft, keys, count, &name);
        bool twice = false;

        if (members++ == JSON_MEMBERS_MAX)
            draft_refuse(draft, "an object has too many members");
        if (key != NULL) {
            twice = (seen & 1u << (key - keys)) != 0;
            seen |= 1u << (key - keys);
        } else if (names != NULL && members <= JSON_MEMBERS_MAX) {
            twice = json_names_add(names, name) != 0;
        }
        if (twice)
            draft_refuse(draft, "a member appears twice, or its name is too long");
        if (key == NULL)
            draft_skip(draft);
        else
            key->read(draft);
    }
}

static bool draft_is_object(const struct mcp_draft *draft)
{
    return json_scan_kind(&draft->reader->scan) == JSON_OBJECT;
}

static void read_meta_version(struct mcp_draft *draft)
{
    draft_string(draft, &draft->message->meta_version, "the protocol version is no string");
}

static void read_meta_tasks(struct mcp_draft *draft)
{
    draft->message->meta_tasks = draft_is_object(draft);
    draft_skip(draft);
}

static void read_meta_extensions(struct mcp_draft *draft)
{
    static const struct mcp_key keys[] = {{KEY("io.modelcontextprotocol/tasks"), read_meta_tasks}};

    if (draft_is_object(draft))
        draft_object(draft, keys, COUNT(keys), NULL);
    else
        draft_skip(draft);
}

static void read_meta_capabilities(struct mcp_draft *draft)
{
    static const struct mcp_key keys[] = {{KEY("extensions"), read_meta_extensions}};

    draft->message->meta_capabilities = draft_is_object(draft);
    if (draft->message->meta_capabilities)
        draft_object(draft, keys, COUNT(keys), NULL);
    else
        draft_skip(draft);
}

static void read_meta(struct mcp_draft *draft)
{
    static const struct mcp_key keys[] = {
        {KEY("io.modelcontextprotocol/protocolVersion"), read_meta_version},
        {KEY("io.modelcontextprotocol/clientCapabilities"), read_meta_capabilities},
    };

    if (draft_is_object(draft)) {
        draft_object(draft, keys, COUNT(keys), NULL);
        return;
    }
    draft_refuse(draft, "params._meta is no object");
    draft_skip(draft);
}

static void read_ref_type(struct mcp_draft *draft)
{
    draft_string(draft, &draft->message->ref_type, "params.ref.type is no string");
}

static void read_ref_name(struct mcp_draft *draft)
{
    draft_string(draft, &draft->message->ref_name, "params.ref.name is no string");
}

static void read_ref_uri(struct mcp_draft *draft)
{
    draft_string(draft, &draft->message->ref_uri, "params.ref.uri is no string");
}

static void read_ref(struct mcp_draft *draft)
{
    static const struct mcp_key keys[] = {
        {KEY("type"), read_ref_type}, {KEY("name"), read_ref_name}, {KEY("uri"), read_ref_uri}};
    struct json_names names;

    names.count = 0;
    if (draft_is_object(draft)) {
        draft_object(draft, keys, COUNT(keys), &names);
        return;
    }
    draft_refuse(draft, "params.ref is no object");
    draft_skip(draft);
}

static void read_name(struct mcp_draft *draft)
{
    draft_string(draft, &draft->message->name, "params.name is no string");
}

static void read_uri(struct mcp_draft *draft)
{
    draft_string(draft, &draft->message->uri, "params.uri is no string");
}

static void read_task_id(struct mcp_draft *draft)
{
    draft_string(draft, &draft->message->task_id, "params.taskId is no string");
}

static void read_request_id(struct mcp_draft *draft)
{
    draft_id_value(draft, &draft->message->request_id,
                   "params.requestId is neither a string nor an integer");
}

static void read_protocol_version(struct mcp_draft *draft)
{
    draft_string(draft, &draft->message->protocol_version, "params.protocolVersion is no string");
}

static void read_arguments(struct mcp_draft *draft)
{
    json_scan_value(&draft->reader->scan, &draft->message->arguments);
}

/* Each a string of at most JSON_NAME_MAX bytes. One that stands twice is as doubtful as a member
 * that does. */
static bool strings_are_plain(const struct json_value *array)
{
    struct json_iterator iterator;
    struct json_names strings;
    struct json_value string;

    strings.count = 0;
    json_iterate(&iterator, array);
    while (json_next(&iterator, NULL, NULL, &string) == 1) {
        struct json_text text = {.escaped = string.escaped};

        if (string.kind != JSON_STRING || draft_has_nul(&string))
            return false;
        text.raw = slice_make(string.text.data + 1, string.text.size - 2);
        if (json_names_add(&strings, text) != 0)
            return false;
    }
    return true;
}

static void draft_strings(struct mcp_draft *draft, struct json_value *out, const char *reason)
{
    if (!json_scan_value(&draft->reader->scan, out))
        return;
    if (out->kind != JSON_ARRAY || !strings_are_plain(out))
        draft_refuse(draft, reason);
}

static void read_subscriptions(struct mcp_draft *draft)
{
    draft_strings(draft, &draft->message->subscriptions,
                  "resourceSubscriptions are not strings, each once");
}

static void read_task_ids(struct mcp_draft *draft)
{
    draft_strings(draft, &draft->message->task_ids, "taskIds are not strings, each once");
}

static void read_notifications(struct mcp_draft *draft)
{
    static const struct mcp_key keys[] = {{KEY("resourceSubscriptions"), read_subscriptions},
                                          {KEY("taskIds"), read_task_ids}};
    struct json_names names;

    names.count = 0;
    if (draft_is_object(draft)) {
        draft_object(draft, keys, COUNT(keys), &names);
        return;
    }
    draft_refuse(draft, "params.notifications is no object");
    draft_skip(draft);
}

static void read_task(struct mcp_draft *draft)
{
    draft->message->augmented = true;
    draft_skip(draft);
}

static void read_params(struct mcp_draft *draft)
{
    static const struct mcp_key keys[] = {
        {KEY("name"), read_name},
        {KEY("_meta"), read_meta},
        {KEY("uri"), read_uri},
        {KEY("taskId"), read_task_id},
        {KEY("ref"), read_ref},
        {KEY("requestId"), read_request_id},
        {KEY("protocolVersion"), read_protocol_version},
        {KEY("arguments"), read_arguments},
        {KEY("notifications"), read_notifications},
        {KEY("task"), read_task},
    };
    struct json_names names;

    names.count = 0;
    draft->message->has_params = true;
    if (draft_is_object(draft)) {
        draft_object(draft, keys, COUNT(keys), &names);
        return;
    }
    draft_refuse(draft, "params is no object");
    draft_skip(draft);
}

static void read_jsonrpc(struct mcp_draft *draft)
{
    struct json_value value = {0};

    draft_string(draft, &value, "jsonrpc is not \"2.0\"");
    draft->version_seen = json_string_is(&value, slice_from("2.0"));
}

static void read_id(struct mcp_draft *draft)
{
    struct json_value value = {0};

    draft_id_value(draft, &value, "the id is neither a string nor an integer");
    /* Of two ids, neither is the message's. */
    draft->message->id = draft->id_seen ? slice_make(NULL, 0) : value.text;
    draft->id_seen = true;
}

static void read_method(struct mcp_draft *draft)
{
    draft->method_seen = true;
    draft_string(draft, &draft->message->method, "the method is no string");
    if (draft->message->method.text.size > MCP_METHOD_MAX)
        draft_refuse(draft, "the method's name is too long");
}

static void read_result(struct mcp_draft *draft)
{
    draft->result = true;
    if (!draft_is_object(draft))
        draft_refuse(draft, "the result is no object");
    draft_skip(draft);
}

static void read_error(struct mcp_draft *draft)
{
    draft->error = true;
    if (!draft_is_object(draft))
        draft_refuse(draft, "the error is no object");
    draft_skip(draft);
}

/* What only the whole message shows. */
static void draft_judge(struct mcp_draft *draft)
{
    struct mcp_message *message = draft->message;
    bool notification;

    if (!draft->version_seen)
        draft_refuse(draft, "jsonrpc is not \"2.0\"");
    if (!draft->method_seen) {
        message->kind = MCP_RESPONSE;
        if (draft->result == draft->error)
            draft_refuse(draft, "it has no method, and not one of result and error");
        else if (message->id.size == 0)
            draft_refuse(draft, "a response needs an id");
        else if (message->has_params)
            draft_refuse(draft, "a response has no params");
        return;
    }
    message->kind = draft->id_seen ? MCP_REQUEST : MCP_NOTIFICATION;
    message->known = mcp_method_find(&message->method);
    notification = mcp_method_is_notification(&message->method);
    if (draft->result || draft->error)
        draft_refuse(draft, "it has a method, and a result or error");
    else if (notification && draft->id_seen)
        draft_refuse(draft, "a notification has no id");
    else if (!notification && !draft->id_seen)
        draft_refuse(draft, "a request needs an id");
    if (message->id.size > MCP_ID_MAX) {
        draft_refuse(draft, "the id is too long");
        message->id = slice_make(NULL, 0); /* an answer could not repeat it */
    }
}

static void draft_envelope(struct mcp_draft *draft)
{
    static const struct mcp_key keys[] = {
        {KEY("jsonrpc"), read_jsonrpc}, {KEY("id"), read_id},         {KEY("method"), read_method},
        {KEY("params"), read_params},   {KEY("result"), read_result}, {KEY("error"), read_error},
    };
    struct json_names names;

    names.count = 0;
    if (draft_is_object(draft)) {
        draft_object(draft, keys, COUNT(keys), &names);
        return;
    }
    draft_refuse(draft, json_scan_kind(&draft->reader->scan) == JSON_ARRAY
                            ? "batches are not allowed"
                            : "a message is an object");
    draft_skip(draft);
}

static int reader_unreadable(struct mcp_reader *reader)
{
    reader->code = MCP_PARSE_ERROR;
    reader->reason = reader->scan.reason;
    return -1;
}

/* 1 before a message, 0 at the end, -1. */
static int reader_step(struct mcp_reader *reader)
{
    int next = reader->batch ? json_scan_next(&reader->scan, NULL) : reader->count == 0;

    if (next == 0 && json_scan_end(&reader->scan)) {
        if (reader->count > 0)
            return 0;
        reader->code = MCP_INVALID_REQUEST;
        reader->reason = "a batch is not empty";
        return -1;
    }
    return next == 1 && reader->scan.reason == NULL ? 1 : reader_unreadable(reader);
}

void mcp_reader_begin(struct mcp_reader *reader, struct slice text, bool batches)
{
    reader->code = 0;
    reader->reason = NULL;
    reader->count = 0;
    reader->batch = false;
    if (json_scan_begin(&reader->scan, text) && batches &&
        json_scan_kind(&reader->scan) == JSON_ARRAY) {
        reader->batch = true;
        json_scan_enter(&reader->scan);
    }
}

int mcp_reader_next(struct mcp_reader *reader, struct mcp_message *out)
{
    struct mcp_draft draft = {.reader = reader, .message = out};
    int step = reader_step(reader);

    if (step == 0)
        return 0;
    *out = (struct mcp_message){0};
    if (step < 0)
        return -1;
    draft_envelope(&draft);
    if (reader->scan.reason == NULL)
        draft_judge(&draft);
    if (reader->scan.reason == NULL && ++reader->count > MCP_BATCH_MAX)
        draft_refuse(&draft, "a batch has too many messages");
    /* What follows a single message can make it unreadable. */
    if (reader->scan.reason == NULL && !reader->batch)
        json_scan_end(&reader->scan);
    if (reader->scan.reason == NULL)
        return reader->code == 0 ? 1 : -1;
    out->id = slice_make(NULL, 0); /* a text that is no JSON says nothing */
    return reader_unreadable(reader);
}
