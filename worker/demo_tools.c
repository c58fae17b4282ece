#include "worker/demo_tools.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define SERVER_INFO "{\"name\":\"gatehouse-demo\",\"title\":\"Gatehouse demo\",\"version\":\"0.1\"}"
#define CAPABILITIES "{\"tools\":{},\"resources\":{},\"prompts\":{}}"
#define INSTRUCTIONS "\"Try echo, add and slow_count.\""
#define GREETING_URI "demo://greeting"

enum { NUMBER_MAX = 63, COUNT_MAX = 100000, DELAY_MAX = 60000, DELAY_DEFAULT = 200 };

static const char tools_list[] =
    "\"tools\":["
    "{\"name\":\"echo\",\"title\":\"Echo\",\"description\":\"Gives back the message.\","
    "\"inputSchema\":{\"type\":\"object\",\"properties\":{\"message\":{\"type\":\"string\","
    "\"description\":\"What to give back\"}},\"required\":[\"message\"]},"
    "\"annotations\":{\"readOnlyHint\":true}},"
    "{\"name\":\"add\",\"title\":\"Add\",\"description\":\"Adds two numbers.\","
    "\"inputSchema\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"number\"},"
    "\"b\":{\"type\":\"number\"}},\"required\":[\"a\",\"b\"]},"
    "\"annotations\":{\"readOnlyHint\":true}},"
    "{\"name\":\"slow_count\",\"title\":\"Count slowly\",\"description\":"
    "\"Counts to a number, step by step, and reports its progress.\","
    "\"inputSchema\":{\"type\":\"object\",\"properties\":{\"to\":{\"type\":\"integer\","
    "\"minimum\":1,\"maximum\":100000},\"delay_ms\":{\"type\":\"integer\",\"minimum\":0,"
    "\"maximum\":60000,\"default\":200,\"description\":\"Time between two steps\"}},"
    "\"required\":[\"to\"]},\"annotations\":{\"readOnlyHint\":true}}]";

static const char resources_list[] =
    "\"resources\":[{\"uri\":\"" GREETING_URI "\",\"name\":\"greeting\",\"title\":\"A greeting\","
    "\"description\":\"A friendly text.\",\"mimeType\":\"text/plain\"}]";

static const char greeting[] =
    "\"contents\":[{\"uri\":\"" GREETING_URI "\",\"mimeType\":\"text/plain\","
    "\"text\":\"Hello from behind the gate.\"}]";

static const char prompts_list[] =
    "\"prompts\":[{\"name\":\"greet\",\"title\":\"Greet\",\"description\":\"Greets somebody.\","
    "\"arguments\":[{\"name\":\"name\",\"description\":\"Whom to greet\",\"required\":true}]}]";

/* One call of a method on its way through the table below. */
struct demo_call {
    const struct demo_message *message;
    struct buffer *result;
    struct demo_count *count;
    struct demo_error *error;
    bool failed; /* no memory */
};

static void call_put(struct demo_call *call, const char *text)
{
    call->failed = buffer_append_text(call->result, text) != 0 || call->failed;
}

/* JSON text of a string, without its quotes: still escaped, so it can stand inside another. */
static void call_put_inner(struct demo_call *call, const struct json_value *string)
{
    struct slice inner = slice_make(string->text.data + 1, string->text.size - 2);

    call->failed = buffer_append_slice(call->result, inner) != 0 || call->failed;
}

/* What every result of 2026-07-28 has besides its content. */
static void call_put_modern(struct demo_call *call, bool cacheable)
{
    if (!call->message->modern)
        return;
    call_put(call, ",\"resultType\":\"complete\",\"_meta\":{"
                   "\"io.modelcontextprotocol/serverInfo\":" SERVER_INFO "}");
    if (cacheable)
        call_put(call, ",\"ttlMs\":60000,\"cacheScope\":\"public\"");
}

static bool call_list(struct demo_call *call, const char *members)
{
    call_put(call, "{");
    call_put(call, members);
    call_put_modern(call, true);
    call_put(call, "}");
    return true;
}

/* A tool's answer; `is_error`: one that lets the model try again with other arguments. */
static bool call_text(struct demo_call *call, const char *text, bool is_error)
{
    call_put(call, "{\"content\":[{\"type\":\"text\",\"text\":\"");
    call_put(call, text);
    call_put(call, "\"}]");
    if (is_error)
        call_put(call, ",\"isError\":true");
    call_put_modern(call, false);
    call_put(call, "}");
    return true;
}

/* `member` of an object, JSON_INVALID when it is not there or there is no object. */
static struct json_value call_member(const struct json_value *object, const char *member)
{
    struct json_value value = {.kind = JSON_INVALID};

    if (object->kind != JSON_OBJECT || json_members(object, &member, 1, &value) != 0)
        value.kind = JSON_INVALID;
    return value;
}

static bool method_initialize(struct demo_call *call)
{
    static const char *const versions[] = {"2025-03-26", "2025-06-18", DEMO_VERSION_LEGACY};
    struct json_value asked = call_member(&call->message->params, "protocolVersion");
    const char *version = DEMO_VERSION_LEGACY;

    if (asked.kind != JSON_STRING)
        return demo_refuse(call->error, 200, DEMO_INVALID_PARAMS, "protocolVersion is missing");
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        if (json_string_is(&asked, slice_from(versions[i])))
            version = versions[i];
    }
    call_put(call, "{\"protocolVersion\":\"");
    call_put(call, version);
    call_put(call, "\",\"capabilities\":" CAPABILITIES ",\"serverInfo\":" SERVER_INFO
                   ",\"instructions\":" INSTRUCTIONS "}");
    return true;
}

static bool method_discover(struct demo_call *call)
{
    return call_list(call, "\"supportedVersions\":[\"" DEMO_VERSION_MODERN
                           "\"],\"capabilities\":" CAPABILITIES ",\"instructions\":" INSTRUCTIONS);
}

static bool method_ping(struct demo_call *call)
{
    call_put(call, "{}");
    return true;
}

static bool method_tools_list(struct demo_call *call)
{
    return call_list(call, tools_list);
}

static bool method_resources_list(struct demo_call *call)
{
    return call_list(call, resources_list);
}

static bool method_templates_list(struct demo_call *call)
{
    return call_list(call, "\"resourceTemplates\":[]");
}

static bool method_prompts_list(struct demo_call *call)
{
    return call_list(call, prompts_list);
}

static bool method_resources_read(struct demo_call *call)
{
    struct json_value uri = call_member(&call->message->params, "uri");

    if (uri.kind == JSON_STRING && json_string_is(&uri, slice_from(GREETING_URI)))
        return call_list(call, greeting);
    return demo_refuse(call->error, 200,
                       call->message->modern ? DEMO_INVALID_PARAMS : DEMO_RESOURCE_NOT_FOUND,
                       "Resource not found");
}

static bool method_prompts_get(struct demo_call *call)
{
    struct json_value prompt = call_member(&call->message->params, "name");
    struct json_value arguments = call_member(&call->message->params, "arguments");
    struct json_value name = call_member(&arguments, "name");

    if (!json_string_is(&prompt, slice_from("greet")))
        return demo_refuse(call->error, 200, DEMO_INVALID_PARAMS, "Unknown prompt");
    if (name.kind != JSON_STRING)
        return demo_refuse(call->error, 200, DEMO_INVALID_PARAMS, "The argument name is missing");
    call_put(call, "{\"description\":\"Greets somebody.\",\"messages\":[{\"role\":\"user\","
                   "\"content\":{\"type\":\"text\",\"text\":\"Say hello to ");
    call_put_inner(call, &name);
    call_put(call, ".\"}}]");
    call_put_modern(call, false);
    call_put(call, "}");
    return true;
}

static bool tool_echo(struct demo_call *call, const struct json_value *arguments)
{
    struct json_value message = call_member(arguments, "message");

    if (message.kind != JSON_STRING)
        return call_text(call, "message must be a string", true);
    call_put(call, "{\"content\":[{\"type\":\"text\",\"text\":\"");
    call_put_inner(call, &message);
    call_put(call, "\"}]");
    call_put_modern(call, false);
    call_put(call, "}");
    return true;
}

static bool tool_number(const struct json_value *arguments, const char *member, double *out)
{
    struct json_value value = call_member(arguments, member);
    char text[NUMBER_MAX + 1];

    if (value.kind != JSON_NUMBER || value.text.size > NUMBER_MAX)
        return false;
    memcpy(text, value.text.data, value.text.size);
    text[value.text.size] = '\0';
    *out = strtod(text, NULL);
    return true;
}

static bool tool_add(struct demo_call *call, const struct json_value *arguments)
{
    double a;
    double b;

    if (!tool_number(arguments, "a", &a) || !tool_number(arguments, "b", &b) || !isfinite(a + b))
        return call_text(call, "a and b must be numbers, not too large", true);
    call_put(call, "{\"content\":[{\"type\":\"text\",\"text\":\"");
    call->failed = buffer_append_format(call->result, "%.15g", a + b) != 0 || call->failed;
    call_put(call, "\"}]");
    call_put_modern(call, false);
    call_put(call, "}");
    return true;
}

static bool tool_slow_count(struct demo_call *call, const struct json_value *arguments)
{
    struct json_value to = call_member(arguments, "to");
    struct json_value delay = call_member(arguments, "delay_ms");
    struct demo_count count = {.delay = DELAY_DEFAULT};

    if (json_integer(&to, &count.to) != 0 || count.to < 1 || count.to > COUNT_MAX)
        return call_text(call, "to must be an integer from 1 to 100000", true);
    if (delay.kind != JSON_INVALID &&
        (json_integer(&delay, &count.delay) != 0 || count.delay < 0 || count.delay > DELAY_MAX))
        return call_text(call, "delay_ms must be an integer from 0 to 60000", true);
    *call->count = count;
    return true;
}

static bool method_tools_call(struct demo_call *call)
{
    struct json_value name = call_member(&call->message->params, "name");
    struct json_value arguments = call_member(&call->message->params, "arguments");

    if (json_string_is(&name, slice_from("echo")))
        return tool_echo(call, &arguments);
    if (json_string_is(&name, slice_from("add")))
        return tool_add(call, &arguments);
    if (json_string_is(&name, slice_from("slow_count")))
        return tool_slow_count(call, &arguments);
    return demo_refuse(call->error, 200, DEMO_INVALID_PARAMS, "Unknown tool");
}

enum { ERA_LEGACY = 1, ERA_MODERN = 2, ERA_BOTH = 3 };

static const struct {
    const char *method;
    unsigned eras;
    bool (*run)(struct demo_call *call);
} methods[] = {
    {"initialize", ERA_LEGACY, method_initialize},
    {"ping", ERA_LEGACY, method_ping},
    {"server/discover", ERA_MODERN, method_discover},
    {"tools/list", ERA_BOTH, method_tools_list},
    {"tools/call", ERA_BOTH, method_tools_call},
    {"resources/list", ERA_BOTH, method_resources_list},
    {"resources/templates/list", ERA_BOTH, method_templates_list},
    {"resources/read", ERA_BOTH, method_resources_read},
    {"prompts/list", ERA_BOTH, method_prompts_list},
    {"prompts/get", ERA_BOTH, method_prompts_get},
};

bool demo_tools_result(const struct demo_message *message, struct buffer *result,
                       struct demo_count *count, struct demo_error *error)
{
    struct demo_call call = {.message = message, .result = result, .count = count, .error = error};
    unsigned era = message->modern ? ERA_MODERN : ERA_LEGACY;

    *count = (struct demo_count){0};
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if ((methods[i].eras & era) == 0 ||
            !json_string_is(&message->method, slice_from(methods[i].method)))
            continue;
        if (!methods[i].run(&call))
            return false;
        return !call.failed || demo_refuse(error, 500, DEMO_INTERNAL_ERROR, "No memory");
    }
    return demo_refuse(error, message->modern ? 404 : 200, DEMO_METHOD_NOT_FOUND,
                       "Method not found");
}

int demo_tools_counted(struct buffer *result, int64_t to, bool modern)
{
    struct demo_message message = {.modern = modern};
    struct demo_call call = {.message = &message, .result = result};
    char text[64];

    snprintf(text, sizeof(text), "Counted to %" PRId64 ".", to);
    call_text(&call, text, false);
    return call.failed ? -ENOMEM : 0;
}
