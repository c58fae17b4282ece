#include "worker/mcp_method.h"

#define NOTIFICATIONS "notifications/"

/* The text is a literal: its size is known before the program runs. */
#define METHOD(text) .name = {.data = (text), .size = sizeof(text) - 1}

static const struct mcp_method mcp_methods[] = {
    {METHOD("tools/call"), .target = MCP_TARGET_NAME, .calls = true, .named = true, .judged = true,
     .kind = POLICY_TOOL},
    {METHOD("tools/list"), .lists = true, .kind = POLICY_TOOL},
    {METHOD("initialize"), .initialize = true, .alone = true, .legacy_only = true},
    {METHOD("notifications/initialized"), .legacy_only = true},
    {METHOD("ping"), .legacy_only = true},
    {METHOD("server/discover")},
    {METHOD("prompts/get"), .target = MCP_TARGET_NAME, .named = true, .judged = true,
     .kind = POLICY_PROMPT},
    {METHOD("prompts/list"), .lists = true, .kind = POLICY_PROMPT},
    {METHOD("resources/read"), .target = MCP_TARGET_URI, .named = true, .judged = true,
     .kind = POLICY_RESOURCE},
    {METHOD("resources/list"), .lists = true, .kind = POLICY_RESOURCE},
    {METHOD("resources/templates/list"), .lists = true, .kind = POLICY_RESOURCE},
    {METHOD("resources/subscribe"), .target = MCP_TARGET_URI, .legacy_only = true, .judged = true,
     .kind = POLICY_RESOURCE},
    {METHOD("resources/unsubscribe"), .target = MCP_TARGET_URI, .legacy_only = true, .judged = true,
     .kind = POLICY_RESOURCE},
    {METHOD("completion/complete"), .target = MCP_TARGET_REF, .judged = true},
    {METHOD("logging/setLevel"), .legacy_only = true},
    {METHOD("subscriptions/listen"), .target = MCP_TARGET_LISTEN, .judged = true,
     .kind = POLICY_RESOURCE},
    {METHOD("tasks/get"), .target = MCP_TARGET_TASK, .alone = true, .named = true},
    {METHOD("tasks/update"), .target = MCP_TARGET_TASK, .alone = true, .named = true},
    {METHOD("tasks/cancel"), .target = MCP_TARGET_TASK, .alone = true, .named = true},
    {METHOD("tasks/result"), .target = MCP_TARGET_TASK, .alone = true, .legacy_only = true},
    {METHOD("tasks/list"), .task_list = true, .alone = true, .legacy_only = true},
    {METHOD("notifications/cancelled"), .target = MCP_TARGET_REQUEST},
    {METHOD("notifications/progress")},
    {METHOD("notifications/roots/list_changed")},
    {METHOD("notifications/tasks/status"), .legacy_only = true},
};

static bool method_is_plain(const struct json_value *name, struct slice *out)
{
    if (name->kind != JSON_STRING || name->escaped)
        return false;
    *out = slice_make(name->text.data + 1, name->text.size - 2);
    return true;
}

const struct mcp_method *mcp_method_find(const struct json_value *name)
{
    struct slice plain;

    /* All clients write methods as they are. */
    if (method_is_plain(name, &plain)) {
        for (size_t i = 0; i < sizeof(mcp_methods) / sizeof(mcp_methods[0]); i++)
            if (slice_equal(plain, mcp_methods[i].name))
                return &mcp_methods[i];
        return NULL;
    }
    for (size_t i = 0; i < sizeof(mcp_methods) / sizeof(mcp_methods[0]); i++) {
        if (json_string_is(name, mcp_methods[i].name))
            return &mcp_methods[i];
    }
    return NULL;
}

bool mcp_method_is_notification(const struct json_value *name)
{
    char text[MCP_METHOD_MAX];
    struct slice plain;
    long size;

    if (method_is_plain(name, &plain))
        return plain.size <= sizeof(text) && slice_has_prefix(plain, slice_from(NOTIFICATIONS));
    size = json_string(name, text, sizeof(text));
    return size > 0 && slice_has_prefix(slice_make(text, (size_t)size), slice_from(NOTIFICATIONS));
}
