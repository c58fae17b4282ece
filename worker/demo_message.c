#include "worker/demo_message.h"

#include "shared/base64url.h"

#define META_PREFIX "io.modelcontextprotocol/"

enum { DEMO_NAME_MAX = 1024 }; /* bytes of a name that a header repeats */

bool demo_refuse(struct demo_error *error, unsigned status, enum demo_code code,
                 const char *message)
{
    *error = (struct demo_error){.status = status, .code = code, .message = message};
    return false;
}

bool demo_version_is_legacy(struct slice version)
{
    return slice_is(version, DEMO_VERSION_LEGACY) || slice_is(version, "2025-06-18") ||
           slice_is(version, "2025-03-26");
}

/* The members of the envelope, in this order. */
enum {
    ENVELOPE_JSONRPC,
    ENVELOPE_ID,
    ENVELOPE_METHOD,
    ENVELOPE_PARAMS,
    ENVELOPE_RESULT,
    ENVELOPE_ERROR,
    ENVELOPE_COUNT
};
static const char *const envelope_names[] = {"jsonrpc", "id",     "method",
                                             "params",  "result", "error"};

enum { META_VERSION, META_CAPABILITIES, META_PROGRESS_TOKEN, META_COUNT };
static const char *const meta_names[] = {META_PREFIX "protocolVersion",
                                         META_PREFIX "clientCapabilities", "progressToken"};

static bool message_id_valid(const struct json_value *id)
{
    int64_t number;

    return id->kind == JSON_STRING || (id->kind == JSON_NUMBER && json_integer(id, &number) == 0);
}

static bool message_envelope(struct slice body, struct demo_message *message,
                             struct demo_error *error)
{
    struct json_value members[ENVELOPE_COUNT];
    struct json_value root;
    const char *reason;
    bool answer;

    if (json_parse(body, &root, &reason) != 0)
        return demo_refuse(error, 400, DEMO_PARSE_ERROR, "The body is not JSON");
    if (root.kind != JSON_OBJECT ||
        json_members(&root, envelope_names, ENVELOPE_COUNT, members) != 0)
        return demo_refuse(error, 400, DEMO_INVALID_REQUEST, "The body is not one message");
    if (message_id_valid(&members[ENVELOPE_ID]))
        message->id = members[ENVELOPE_ID].text;
    message->method = members[ENVELOPE_METHOD];
    message->params = members[ENVELOPE_PARAMS];
    answer = members[ENVELOPE_RESULT].kind != JSON_INVALID ||
             members[ENVELOPE_ERROR].kind != JSON_INVALID;
    if (answer)
        message->kind = DEMO_RESPONSE;
    else if (members[ENVELOPE_ID].kind == JSON_INVALID)
        message->kind = DEMO_NOTIFICATION;
    if (!json_string_is(&members[ENVELOPE_JSONRPC], slice_from("2.0")) ||
        (members[ENVELOPE_ID].kind != JSON_INVALID && message->id.size == 0) ||
        answer == (message->method.kind == JSON_STRING) ||
        (message->params.kind != JSON_INVALID && message->params.kind != JSON_OBJECT))
        return demo_refuse(error, 400, DEMO_INVALID_REQUEST, "Malformed JSON-RPC message");
    return true;
}

/* params._meta's members that count here. */
static bool message_meta(struct demo_message *message, struct json_value meta[META_COUNT],
                         struct demo_error *error)
{
    static const char *const name[] = {"_meta"};
    struct json_value object = {.kind = JSON_INVALID};

    memset(meta, 0, META_COUNT * sizeof(*meta));
    if (message->params.kind == JSON_INVALID)
        return true;
    if (json_members(&message->params, name, 1, &object) != 0 ||
        (object.kind != JSON_INVALID && object.kind != JSON_OBJECT) ||
        (object.kind == JSON_OBJECT && json_members(&object, meta_names, META_COUNT, meta) != 0))
        return demo_refuse(error, 400, DEMO_INVALID_REQUEST, "Malformed params");
    if (message_id_valid(&meta[META_PROGRESS_TOKEN]))
        message->progress_token = meta[META_PROGRESS_TOKEN];
    return true;
}

/* "=?base64?...?=" stands for what no header can hold; standard base64 with padding. */
static bool message_header_is(struct slice header, const struct json_value *value)
{
    static const char prefix[] = "=?base64?";
    size_t begin = sizeof(prefix) - 1;
    char text[DEMO_NAME_MAX];
    char bytes[BASE64URL_DECODED_MAX(DEMO_NAME_MAX)];
    size_t size = 0;
    long decoded;

    if (!slice_has_prefix(header, slice_from(prefix)))
        return json_string_is(value, header);
    if (header.size < begin + 2 || header.size - begin - 2 > sizeof(text) ||
        (header.size - begin - 2) % 4 != 0 || memcmp(header.data + header.size - 2, "?=", 2) != 0)
        return false;
    for (size_t i = begin; i < header.size - 2; i++) {
        char c = header.data[i];

        if (c == '-' || c == '_')
            return false;
        text[size++] = c == '+' ? '-' : c == '/' ? '_' : c;
    }
    for (int padding = 0; padding < 2 && size > 0 && text[size - 1] == '='; padding++)
        size--;
    decoded = base64url_decode(slice_make(text, size), bytes, sizeof(bytes));
    return decoded >= 0 && json_string_is(value, slice_make(bytes, (size_t)decoded));
}

/* The member of params that Mcp-Name repeats; NULL when the method has none. */
static const char *message_named_by(const struct json_value *method)
{
    if (json_string_is(method, slice_from("tools/call")) ||
        json_string_is(method, slice_from("prompts/get")))
        return "name";
    return json_string_is(method, slice_from("resources/read")) ? "uri" : NULL;
}

static const struct http_header *message_header(const struct http_request *request,
                                                enum http_field field)
{
    return request == NULL ? NULL : http_find(request->headers, request->header_count, field);
}

/* MCP 2026-07-28, Streamable HTTP: headers and body must agree. */
static bool message_headers_agree(const struct http_request *request,
                                  const struct demo_message *message,
                                  const struct json_value *version)
{
    const struct http_header *header = message_header(request, HTTP_MCP_PROTOCOL_VERSION);
    const char *named_by = message_named_by(&message->method);
    struct json_value name = {.kind = JSON_INVALID};

    if (header == NULL || !json_string_is(version, header->value))
        return false;
    header = message_header(request, HTTP_MCP_METHOD);
    if (header == NULL || !json_string_is(&message->method, header->value))
        return false;
    if (named_by == NULL)
        return true;
    header = message_header(request, HTTP_MCP_NAME);
    return header != NULL && message->params.kind == JSON_OBJECT &&
           json_members(&message->params, &named_by, 1, &name) == 0 && name.kind == JSON_STRING &&
           message_header_is(header->value, &name);
}

static bool message_modern(const struct http_request *request, struct demo_message *message,
                           const struct json_value meta[META_COUNT], struct demo_error *error)
{
    message->modern = true;
    if (message->kind == DEMO_RESPONSE)
        return demo_refuse(error, 400, DEMO_INVALID_REQUEST,
                           "This revision has no responses of clients");
    if (message->kind == DEMO_NOTIFICATION)
        return true;
    if (meta[META_VERSION].kind != JSON_STRING || meta[META_CAPABILITIES].kind != JSON_OBJECT)
        return demo_refuse(error, 400, DEMO_INVALID_PARAMS,
                           "params._meta must say protocolVersion and clientCapabilities");
    if (request != NULL && !message_headers_agree(request, message, &meta[META_VERSION]))
        return demo_refuse(error, 400, DEMO_HEADER_MISMATCH, "Headers and body do not agree");
    if (!json_string_is(&meta[META_VERSION], slice_from(DEMO_VERSION_MODERN))) {
        demo_refuse(error, 400, DEMO_UNSUPPORTED_VERSION, "Unsupported protocol version");
        error->requested = meta[META_VERSION].text;
        return false;
    }
    return true;
}

bool demo_message_read(const struct http_request *request, struct slice body,
                       struct demo_message *message, struct demo_error *error)
{
    const struct http_header *version = message_header(request, HTTP_MCP_PROTOCOL_VERSION);
    struct json_value meta[META_COUNT];

    memset(message, 0, sizeof(*message));
    if (!message_envelope(body, message, error) || !message_meta(message, meta, error))
        return false;
    if (json_string_is(&message->method, slice_from("initialize")))
        return true;
    if (meta[META_VERSION].kind != JSON_INVALID ||
        json_string_is(&message->method, slice_from("server/discover")) ||
        (version != NULL && slice_is(version->value, DEMO_VERSION_MODERN)))
        return message_modern(request, message, meta, error);
    if (version != NULL && !demo_version_is_legacy(version->value))
        return demo_refuse(error, 400, DEMO_REFUSED, "Unsupported MCP-Protocol-Version");
    return true;
}
