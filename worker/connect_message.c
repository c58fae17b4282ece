#include "worker/connect_message.h"

enum { CONNECT_INTERNAL_ERROR = -32603 /* JSON-RPC 2.0, 5.1 */ };

static void message_result(struct connect_message *out)
{
    static const char *const names[] = {"protocolVersion", "serverInfo"};
    struct json_value values[2];

    if (out->result.kind != JSON_OBJECT || json_members(&out->result, names, 2, values) != 0)
        return;
    if (values[0].kind == JSON_STRING)
        out->version = values[0];
    out->server = values[1];
}

static void message_error(struct connect_message *out)
{
    static const char *const names[] = {"message"};
    struct json_value value;

    if (json_members(&out->error, names, 1, &value) == 0 && value.kind == JSON_STRING)
        out->error_message = value;
}

void connect_message_read(struct slice text, struct connect_message *out)
{
    static const char *const names[] = {"id", "method", "result", "error"};
    struct json_value values[4];
    struct json_value whole;
    const char *reason;

    *out = (struct connect_message){0};
    if (json_parse(text, &whole, &reason) != 0 || json_members(&whole, names, 4, values) != 0)
        return;
    if (values[0].kind == JSON_STRING || values[0].kind == JSON_NUMBER)
        out->id = values[0].text;
    if (values[1].kind == JSON_STRING) {
        out->method = values[1];
        out->says = CONNECT_SAYS_MESSAGE;
        return;
    }
    out->result = values[2];
    if (values[3].kind == JSON_OBJECT) {
        out->result.kind = JSON_INVALID;
        out->error = values[3];
        message_error(out);
        out->says = out->id.size == 0 ? CONNECT_SAYS_ERROR : CONNECT_SAYS_RESPONSE;
    } else if (out->id.size > 0 && values[2].kind != JSON_INVALID) {
        message_result(out);
        out->says = CONNECT_SAYS_RESPONSE;
    }
}

int connect_message_error(struct buffer *out, struct slice id, struct slice error)
{
    int failed = buffer_append_text(out, "{\"jsonrpc\":\"2.0\",\"id\":");

    if (failed == 0)
        failed = buffer_append_slice(out, id);
    if (failed == 0)
        failed = buffer_append_text(out, ",\"error\":");
    if (failed == 0)
        failed = buffer_append_slice(out, error);
    return failed == 0 ? buffer_append_text(out, "}") : failed;
}

int connect_message_fail(struct buffer *out, struct slice id, struct slice words)
{
    struct buffer error = {0};
    int failed = buffer_append_format(&error, "{\"code\":%d,\"message\":", CONNECT_INTERNAL_ERROR);

    if (failed == 0)
        failed = json_append_string(&error, words);
    if (failed == 0)
        failed = buffer_append_text(&error, "}");
    if (failed == 0)
        failed = connect_message_error(out, id, buffer_slice(&error));
    buffer_free(&error);
    return failed;
}
