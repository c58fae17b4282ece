#include "worker/mcp_method.h"

#define NOTIFICATIONS "notifications/"

/* The text is a literal: its size is known before the program runs. */
#define METHOD(text) .name = {.data = (text), .size = sizeof(text) - 1}

static const struct mcp_method mcp_methods[] = {
    {METHOD("tools/call"), .target = MCP_TARGET_NAME, .named = true},
    {METHOD("tools/list")},
    {METHOD("initialize"), .initialize = true, .legacy_only = true},
    {METHOD("notifications/initialized"), .legacy_only = true},
    {METHOD("ping"), .legacy_only = true},
    {METHOD("server/discover")},
    {METHOD("prompts/get"), .target = MCP_TARGET_NAME, .named = true},
    {METHOD("prompts/list")},
    {METHOD("resources/read"), .target = MCP_TARGET_URI, .named = true},
    {METHOD("resources/list")},
    {METHOD("resources/templates/list")},
    {METHOD("resources/subscribe"), .target = MCP_TARGET_URI, .legacy_only = true},
    {METHOD("resources/unsubscribe"), .target = MCP_TARGET_URI, .legacy_only = true},
    {METHOD("completion/complete"), .target = MCP_TARGET_REF},
    {METHOD("logging/setLevel"), .legacy_only = true},
    {METHOD("subscriptions/listen")},
    {METHOD("tasks/get"), .target = MCP_TARGET_TASK, .named = true},
    {METHOD("tasks/update"), .target = MCP_TARGET_TASK, .named = true},
    {METHOD("tasks/cancel"), .target = MCP_TARGET_TASK, .named = true},
    {METHOD("tasks/result"), .target = MCP_TARGET_TASK},
    {METHOD("tasks/list")},
    {METHOD("notifications/cancelled"), .target = MCP_TARGET_REQUEST},
    {METHOD("notifications/progress")},
    {METHOD("notifications/roots/list_changed")},
    {METHOD("notifications/tasks/status")},
};

const struct mcp_method *mcp_method_find(const struct json_value *name)
{
    for (size_t i = 0; i < sizeof(mcp_methods) / sizeof(mcp_methods[0]); i++) {
        if (json_string_is(name, mcp_methods[i].name))
            return &mcp_methods[i];
    }
    return NULL;
}

bool mcp_method_is_notification(const struct json_value *name)
{
    char text[MCP_METHOD_MAX];
    long size = json_string(name, text, sizeof(text));

    return size > 0 && slice_has_prefix(slice_make(text, (size_t)size), slice_from(NOTIFICATIONS));
}
