/* Any bytes: what the reader of MCP messages accepts, json_parse accepts, and what it tells of a
 * message is what a second, slower reading finds. */
#include "worker/mcp_message.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void compare(const struct json_value *root, const struct mcp_message *message)
{
    static const char *const envelope[] = {"id", "method", "params"};
    static const char *const target[] = {"name",      "uri",           "taskId",
                                         "arguments", "notifications", "task"};
    static const char *const listened[] = {"resourceSubscriptions", "taskIds"};
    struct json_value members[3], targets[6], ids[2];

    check(json_members(root, envelope, 3, members) == 0);
    check(slice_equal(members[0].text, message->id));
    check(slice_equal(members[1].text, message->method.text));
    check((members[2].kind == JSON_OBJECT) == message->has_params);
    if (!message->has_params)
        return;
    check(json_members(&members[2], target, 6, targets) == 0);
    check(slice_equal(targets[0].text, message->name.text));
    check(slice_equal(targets[1].text, message->uri.text));
    check(slice_equal(targets[2].text, message->task_id.text));
    check(slice_equal(targets[3].text, message->arguments.text));
    check((targets[5].kind != JSON_INVALID) == message->augmented);
    if (targets[4].kind != JSON_OBJECT)
        return;
    check(json_members(&targets[4], listened, 2, ids) == 0);
    check(slice_equal(ids[0].text, message->subscriptions.text));
    check(slice_equal(ids[1].text, message->task_ids.text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make((const char *)data, size);
    struct json_value root;
    struct mcp_message message;
    struct mcp_reader reader;
    const char *reason = NULL;
    bool json = json_parse(text, &root, &reason) == 0;
    int next;

    mcp_reader_begin(&reader, text, false);
    next = mcp_reader_next(&reader, &message);
    check(next != 1 || json);
    check(next == 1 || (reader.code == MCP_PARSE_ERROR) == !json);
    if (next == 1)
        compare(&root, &message);
    mcp_reader_begin(&reader, text, true);
    while ((next = mcp_reader_next(&reader, &message)) == 1)
        ;
    check(next == -1 || json);
    return 0;
}
