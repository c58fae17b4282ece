#include "worker/mcp_gate.h"

#include "worker/mcp_header.h"

const char mcp_gate_revisions[] =
    "[\"2026-07-28\",\"2025-11-25\",\"2025-06-18\",\"2025-03-26\",\"2024-11-05\"]";

const char mcp_gate_capabilities[] =
    "{\"requiredCapabilities\":{\"extensions\":{\"io.modelcontextprotocol/tasks\":{}}}}";

static bool gate_refuse(struct mcp_gate *gate, unsigned status, int code, const char *reason)
{
    gate->refusal = (struct mcp_refusal){.status = status, .code = code, .reason = reason};
    return false;
}

static const struct http_header *gate_header(const struct mcp_gate *gate, enum http_field field)
{
    return http_find(gate->request->headers, gate->request->header_count, field);
}

enum mcp_revision mcp_gate_revision_of(struct slice name)
{
    static const struct {
        const char *name;
        enum mcp_revision revision;
    } revisions[] = {{"2025-11-25", MCP_2025_11_25},
                     {"2025-06-18", MCP_2025_06_18},
                     {"2026-07-28", MCP_2026_07_28},
                     {"2025-03-26", MCP_2025_03_26},
                     {"2024-11-05", MCP_2024_11_05}};

    for (size_t i = 0; i < sizeof(revisions) / sizeof(revisions[0]); i++) {
        if (slice_is(name, revisions[i].name))
            return revisions[i].revision;
    }
    return MCP_VERSION_UNKNOWN;
}

enum mcp_revision mcp_gate_revision(const struct http_request *request)
{
    const struct http_header *header =
        http_find(request->headers, request->header_count, HTTP_MCP_PROTOCOL_VERSION);

    return header == NULL ? MCP_VERSION_NONE : mcp_gate_revision_of(header->value);
}

/* What the body is encoded in and declared as: what is judged must be what the server reads. */
static bool gate_media(struct mcp_gate *gate)
{
    const struct http_header *encoding = gate_header(gate, HTTP_CONTENT_ENCODING);
    const struct http_header *type = gate_header(gate, HTTP_CONTENT_TYPE);

    if (encoding != NULL && !slice_equal_nocase(encoding->value, slice_from("identity")))
        return gate_refuse(gate, 415, MCP_INVALID_REQUEST, "an encoded body is not taken");
    if (type == NULL || !mcp_header_is_json(type->value))
        return gate_refuse(gate, 415, MCP_INVALID_REQUEST,
                           "the body must be application/json in UTF-8");
    return true;
}

const struct json_value *mcp_gate_target(const struct mcp_message *message)
{
    static const struct json_value unknown = {.kind = JSON_INVALID};

    switch (message->known == NULL ? MCP_TARGET_NONE : message->known->target) {
    case MCP_TARGET_NAME:
        return &message->name;
    case MCP_TARGET_URI:
        return &message->uri;
    case MCP_TARGET_TASK:
        return &message->task_id;
    case MCP_TARGET_REQUEST:
        return &message->request_id;
    case MCP_TARGET_REF:
        if (json_string_is(&message->ref_type, slice_from("ref/prompt")))
            return &message->ref_name;
        if (json_string_is(&message->ref_type, slice_from("ref/resource")))
            return &message->ref_uri;
        return &unknown;
    case MCP_TARGET_LISTEN:
    case MCP_TARGET_NONE:
        break;
    }
    return NULL;
}

/* The headers that repeat the body (2026-07-28, streamable HTTP). */
static bool gate_headers(struct mcp_gate *gate, const struct mcp_message *message)
{
    const struct http_header *method = gate_header(gate, HTTP_MCP_METHOD);
    const struct http_header *name = gate_header(gate, HTTP_MCP_NAME);

    /* The SDK's clients send none with notifications, and their servers ask for none: it would only
     * route a request. */
    if (method == NULL && message->kind == MCP_NOTIFICATION)
        return true;
    if (method == NULL)
        return gate_refuse(gate, 400, MCP_HEADER_MISMATCH, "Mcp-Method is missing");
    if (!json_string_is(&message->method, method->value))
        return gate_refuse(gate, 400, MCP_HEADER_MISMATCH, "Mcp-Method is not the body's method");
    if (message->known == NULL || !message->known->named)
        return true;
    if (name == NULL)
        return gate_refuse(gate, 400, MCP_HEADER_MISMATCH, "Mcp-Name is missing");
    if (!mcp_header_is(name->value, mcp_gate_target(message)))
        return gate_refuse(gate, 400, MCP_HEADER_MISMATCH, "Mcp-Name is not what the body names");
    return true;
}

/* Whether it is only for clients that declare the extension (tasks extension, protocol errors). */
static bool gate_needs_tasks(const struct mcp_message *message)
{
    return message->task_ids.kind == JSON_ARRAY ||
           (message->known != NULL && message->known->target == MCP_TARGET_TASK);
}

static bool gate_modern(struct mcp_gate *gate, const struct mcp_message *message)
{
    const struct http_header *version = gate_header(gate, HTTP_MCP_PROTOCOL_VERSION);
    bool removed = message->known != NULL && message->known->legacy_only;

    if (version == NULL)
        return gate_refuse(gate, 400, MCP_HEADER_MISMATCH, "MCP-Protocol-Version is missing");
    if (message->kind == MCP_RESPONSE)
        return gate_refuse(gate, 400, MCP_INVALID_REQUEST, "this revision has no responses");
    if (message->meta_version.kind == JSON_STRING &&
        !json_string_is(&message->meta_version, version->value))
        return gate_refuse(gate, 400, MCP_HEADER_MISMATCH,
                           "MCP-Protocol-Version is not the body's");
    if (gate->revision == MCP_2026_07_28 && !gate_headers(gate, message))
        return false;
    if (gate->revision == MCP_2026_07_28 && removed)
        return gate_refuse(gate, 404, MCP_METHOD_NOT_FOUND, "this revision has no such method");
    if (message->kind == MCP_NOTIFICATION)
        return true;
    if (message->meta_version.kind != JSON_STRING)
        return gate_refuse(gate, 400, MCP_INVALID_PARAMS, "_meta does not name a protocol version");
    if (gate->revision == MCP_2026_07_28 && !message->meta_capabilities)
        return gate_refuse(gate, 400, MCP_INVALID_PARAMS, "_meta does not name capabilities");
    if (gate->revision == MCP_2026_07_28 && !message->meta_tasks && gate_needs_tasks(message))
        return gate_refuse(gate, 400, MCP_CAPABILITY_MISSING, "Missing required client capability");
    return true;
}

static bool gate_message(struct mcp_gate *gate, const struct mcp_message *message)
{
    const struct json_value *target = mcp_gate_target(message);

    if (gate->revision == MCP_VERSION_UNKNOWN)
        return gate_refuse(gate, 400, MCP_VERSION_UNSUPPORTED, "Unsupported protocol version");
    if ((gate->revision == MCP_2026_07_28 || message->meta_version.kind != JSON_INVALID) &&
        !gate_modern(gate, message))
        return false;
    if (target != NULL && target->kind == JSON_INVALID && message->kind == MCP_NOTIFICATION)
        return gate_refuse(gate, 400, MCP_INVALID_PARAMS, "params do not name what it acts on");
    /* As a server answers it: clients end a whole session on anything but 200. */
    if (target != NULL && target->kind == JSON_INVALID)
        return gate_refuse(gate, 200, MCP_INVALID_PARAMS, "params do not name what it acts on");
    return true;
}

static bool gate_is_allowed(const struct mcp_gate *gate, const struct json_value *method)
{
    for (size_t i = 0; i < gate->method_count; i++)
        if (json_string_is(method, gate->methods[i]))
            return true;
    return false;
}

/* What we do not know we cannot judge. */
static bool gate_known(struct mcp_gate *gate)
{
    const struct mcp_message *message = &gate->message;

    if (message->kind == MCP_RESPONSE || message->known != NULL ||
        gate_is_allowed(gate, &message->method))
        return true;
    if (message->kind == MCP_NOTIFICATION)
        return gate_refuse(gate, 403, MCP_INVALID_REQUEST, "this notification is not known here");
    /* 2026-07-28 wants the status; earlier clients end a session on anything but 200. */
    return gate_refuse(gate, gate->revision == MCP_2026_07_28 ? 404 : 200, MCP_METHOD_NOT_FOUND,
                       "Method not found");
}

/* Only a request can be told no in the way of JSON-RPC. */
static bool gate_shut(struct mcp_gate *gate)
{
    static const char reason[] = "Access denied: your roles do not open this app";

    if (gate->request->method == HTTP_POST && gate->message.kind == MCP_REQUEST)
        return gate_refuse(gate, 200, MCP_INVALID_PARAMS, reason);
    return gate_refuse(gate, 403, MCP_INVALID_REQUEST, reason);
}

/* As a server says it that has no such thing. */
static bool gate_deny(struct mcp_gate *gate)
{
    static const char *const reasons[POLICY_KINDS] = {[POLICY_TOOL] = "Unknown tool",
                                                      [POLICY_PROMPT] = "Unknown prompt",
                                                      [POLICY_RESOURCE] = "Resource not found"};
    struct slice name = gate->ruling.name.text;

    gate_refuse(gate, 200, MCP_INVALID_PARAMS, reasons[gate->ruling.thing]);
    if (name.size > 2 && name.size <= MCP_GATE_DETAIL_MAX)
        gate->refusal.detail = slice_make(name.data + 1, name.size - 2);
    return false;
}

/* The policy's word on the message. */
static bool gate_judge(struct mcp_gate *gate)
{
    mcp_policy_judge(gate->policy, &gate->message, &gate->ruling);
    switch (gate->ruling.kind) {
    case MCP_RULING_PASS:
        break;
    case MCP_RULING_SHUT:
        return gate_shut(gate);
    case MCP_RULING_DENIED:
        return gate_deny(gate);
    case MCP_RULING_SCOPE:
        return gate_refuse(gate, 403, MCP_INVALID_REQUEST,
                           "the token lacks a scope that is needed here");
    case MCP_RULING_UNDECIDED:
        return gate_refuse(gate, 400, MCP_INVALID_REQUEST,
                           "the arguments can be read in more than one way");
    case MCP_RULING_FAILED:
        return gate_refuse(gate, 503, MCP_INTERNAL_ERROR, "the caller's scopes are not known now");
    }
    return gate_known(gate);
}

/* The answer needs its id. */
static bool gate_note(struct mcp_gate *gate)
{
    const struct mcp_message *message = &gate->message;

    if (gate->batch && message->kind == MCP_REQUEST)
        gate->requests++;
    else if (message->kind == MCP_REQUEST)
        gate->id = message->id;
    /* 2025-03-26, basic/lifecycle, says so of initialize; tasks came when batches had gone. */
    if (gate->batch && message->known != NULL && message->known->alone)
        return gate_refuse(gate, 400, MCP_INVALID_REQUEST, "this method is never part of a batch");
    gate->initialize = message->known != NULL && message->known->initialize;
    return true;
}

/* A message of a batch was refused: the first such counts, but what a new token would not mend
 * counts before what it would. False: none of the batch can be answered. */
static bool gate_keep(const struct mcp_gate *gate, struct mcp_refusal *kept,
                      struct mcp_ruling *ruling)
{
    if (!gate->batch || (gate->refusal.status != 200 && gate->refusal.status != 403))
        return false;
    if (kept->status != 0 &&
        (ruling->kind != MCP_RULING_SCOPE || gate->ruling.kind == MCP_RULING_SCOPE))
        return true;
    *kept = gate->refusal;
    *ruling = gate->ruling;
    if (gate->message.kind == MCP_REQUEST)
        kept->id = gate->message.id;
    return true;
}

static bool gate_body(struct mcp_gate *gate)
{
    /* What the server said when the session began counts; a header cannot widen it. */
    bool batches = gate->negotiated == MCP_VERSION_NONE
                       ? gate->revision == MCP_2025_03_26
                       : gate->negotiated == MCP_2025_03_26 && (gate->revision == MCP_2025_03_26 ||
                                                                gate->revision == MCP_VERSION_NONE);
    struct mcp_refusal kept = {0};
    struct mcp_ruling ruling;
    struct mcp_reader reader;
    int next;

    mcp_reader_begin(&reader, gate->body, batches);
    gate->batch = reader.batch;
    while ((next = mcp_reader_next(&reader, &gate->message)) != 0) {
        bool noted = gate_note(gate);

        if (next < 0)
            return gate_refuse(gate, 400, reader.code, reader.reason);
        if (noted && gate_message(gate, &gate->message) && gate_judge(gate))
            continue;
        if (!gate_keep(gate, &kept, &ruling))
            return false;
    }
    if (kept.status == 0)
        return true;
    gate->refusal = kept;
    gate->ruling = ruling;
    return false;
}

/* Whether the URL bears a token, too, which would go on to the server with the query (RFC 6750, 2:
 * a client uses one way; 2.3, this one). */
static bool gate_token_in_url(struct slice query)
{
    struct slice parameter = slice_from("access_token=");

    while (query.size > 0) {
        const char *end = memchr(query.data, '&', query.size);

        if (slice_has_prefix(query, parameter))
            return true;
        query = slice_skip(query, end == NULL ? query.size : (size_t)(end - query.data) + 1);
    }
    return false;
}

bool mcp_gate_admits(struct mcp_gate *gate)
{
    const struct http_request *request = gate->request;

    gate->revision = mcp_gate_revision(request);
    gate->id = slice_make(NULL, 0);
    gate->initialize = false;
    gate->batch = false;
    gate->requests = 0;
    gate->refusal = (struct mcp_refusal){0};
    gate->ruling = (struct mcp_ruling){.kind = MCP_RULING_PASS};
    gate->message = (struct mcp_message){0};
    if (mcp_header_disguised(request))
        return gate_refuse(gate, 400, MCP_INVALID_REQUEST, "a header is spelled with '_' for '-'");
    if (gate_token_in_url(request->query))
        return gate_refuse(gate, 400, MCP_INVALID_REQUEST,
                           "a token stands in the Authorization header, never in the URL");
    if (request->method == HTTP_POST)
        return gate_media(gate) && gate_body(gate);
    if (gate->body.size > 0)
        return gate_refuse(gate, 400, MCP_INVALID_REQUEST, "only a POST has a body");
    if (gate->revision == MCP_2026_07_28)
        return gate_refuse(gate, 405, MCP_INVALID_REQUEST, "this revision has POST alone");
    if (gate->revision == MCP_VERSION_UNKNOWN)
        return gate_refuse(gate, 400, MCP_VERSION_UNSUPPORTED, "Unsupported protocol version");
    mcp_policy_judge(gate->policy, &gate->message, &gate->ruling);
    return gate->ruling.kind == MCP_RULING_PASS || gate_shut(gate);
}
