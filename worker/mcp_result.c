#include "worker/mcp_result.h"

bool mcp_result_read(struct slice text, struct mcp_result *out)
{
    static const char *const names[] = {"id", "result", "method"};
    struct json_value root, members[3];
    const char *reason;

    if (json_parse(text, &root, &reason) != 0 || json_members(&root, names, 3, members) != 0 ||
        members[0].kind == JSON_INVALID || members[1].kind != JSON_OBJECT ||
        members[2].kind != JSON_INVALID)
        return false;
    out->id = members[0].text;
    out->result = members[1];
    return true;
}

/* A member of that kind; JSON_INVALID when it is of another, or comes twice. */
static struct json_value result_member(const struct json_value *object, const char *name,
                                       enum json_kind kind)
{
    const char *const names[] = {name};
    struct json_value value = {0};

    if (object->kind != JSON_OBJECT || json_members(object, names, 1, &value) != 0 ||
        value.kind != kind)
        return (struct json_value){0};
    return value;
}

static int64_t result_ttl(const struct json_value *task, const char *name)
{
    struct json_value value = result_member(task, name, JSON_NUMBER);
    int64_t ttl;

    return json_numeric_date(&value, &ttl) == 0 ? ttl : -1;
}

struct json_value mcp_result_task_id(const struct json_value *task)
{
    return result_member(task, "taskId", JSON_STRING);
}

bool mcp_result_makes_task(const struct mcp_result *result, bool modern,
                           struct mcp_result_task *out)
{
    struct json_value task = result->result;

    if (modern) {
        struct json_value type = result_member(&task, "resultType", JSON_STRING);

        if (!json_string_is(&type, slice_from("task")))
            return false;
    } else {
        task = result_member(&task, "task", JSON_OBJECT);
    }
    out->id = mcp_result_task_id(&task);
    out->ttl = result_ttl(&task, modern ? "ttlMs" : "ttl");
    return out->id.kind == JSON_STRING;
}

struct json_value mcp_result_tasks(const struct mcp_result *result)
{
    return result_member(&result->result, "tasks", JSON_ARRAY);
}

struct json_value mcp_result_version(const struct mcp_result *result)
{
    return result_member(&result->result, "protocolVersion", JSON_STRING);
}
