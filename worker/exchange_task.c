#include "worker/exchange_task.h"

#include "shared/clock.h"
#include "shared/json_splice.h"
#include "shared/log.h"
#include "shared/session_store.h"
#include "worker/exchange_mcp_session.h"
#include "worker/exchange_reading.h"
#include "worker/mcp_result.h"

#include <errno.h>
#include <stdlib.h>

/* Bytes of a tool's name that is kept; the specification asks for 128. A task of a tool with a
 * longer one is as a task of which no tool is known. */
enum { TASK_TOOL_MAX = 1024 };

/* What made the tasks that the response may tell of: the request's body does not live as long. */
struct exchange_task {
    char method[MCP_METHOD_MAX];
    size_t method_size;
    size_t tool_size;
    char tool[]; /* decoded */
};

/* The task of that id and who asks for it. Both are borrowed from the store. */
static int task_find(struct exchange *exchange, struct slice id, struct mcp_task_record *record,
                     struct session_record *caller)
{
    struct store *store = exchange->worker->sessions;
    struct store_key key;
    int error = session_store_find(store, &exchange->session, caller);

    if (error != 0)
        return error;
    mcp_task_key(&key, exchange->app->record.name, id);
    return mcp_task_find(store, &key, id, clock_wall_seconds(), record);
}

/* Of a task that is no longer in the caller's lists, its results are not either. What ran is only
 * known by its tool's name: arguments are kept nowhere. */
static bool task_is_allowed(const struct exchange *exchange, const struct mcp_task_record *record)
{
    if (exchange->policy == NULL || policy_set_is_open(exchange->policy, POLICY_TOOL))
        return true;
    return record->tool.size > 0 && policy_lists(exchange->policy, POLICY_TOOL, record->tool);
}

static bool task_is_of(struct exchange *exchange, const struct mcp_task_record *record,
                       const struct session_record *caller)
{
    struct slice app = exchange->app->record.name;

    if (mcp_origin_is_of(&record->origin, caller))
        return true;
    log_warning("mcp_task_foreign", "app %.*s, client %s: user %.*s named a task of %.*s",
                (int)app.size, app.data, exchange->client->address, (int)caller->user.size,
                caller->user.data, (int)record->origin.user.size, record->origin.user.data);
    exchange->audit.reason = "the task is another caller's";
    return false;
}

/* Alike for a task that never was, that is over, and that is another caller's; and, up to
 * 2025-11-25, as servers of the SDK say it, code and all. Always false. */
static bool task_lost(struct exchange *exchange)
{
    struct reply_error error = {
        .status = 200,
        .code = MCP_INVALID_PARAMS,
        .message = exchange->mcp_modern
                       ? "Failed to retrieve task: Task not found"
                       : "MCP error -32602: Failed to retrieve task: Task not found"};

    exchange->request->rpc.refusal = error.message;
    exchange_error(exchange, &error);
    return false;
}

/* The caller's task of that id: the request goes where it was made. false: it was answered. */
static bool task_admits(struct exchange *exchange, const struct json_value *value)
{
    struct mcp_sessions *sessions = &exchange->worker->mcp_sessions;
    char text[MCP_TASK_ID_MAX];
    long size = json_string(value, text, sizeof(text));
    struct slice id = slice_make(text, size < 0 ? 0 : (size_t)size);
    struct mcp_task_record record;
    struct session_record caller;
    struct store_key key;
    int error;

    if (size < 0)
        return task_lost(exchange);
    error = task_find(exchange, id, &record, &caller);
    if (error == -ENOENT) {
        /* Another worker may have made it in this very moment. */
        error = store_refresh(exchange->worker->sessions);
        if (error == 0)
            error = task_find(exchange, id, &record, &caller);
    }
    if (error != 0 && error != -ENOENT) {
        exchange_refuse(exchange, 503, "the gateway's store is unavailable", EXCHANGE_RETRY_AFTER,
                        NULL);
        return false;
    }
    if (error == -ENOENT || !task_is_of(exchange, &record, &caller) ||
        !task_is_allowed(exchange, &record))
        return task_lost(exchange);
    /* An MCP session goes to its own server, whatever it names: no other knows it. */
    if (!exchange->request->pinned && !exchange_mcp_pin(exchange, &record.origin))
        return task_lost(exchange);
    mcp_task_key(&key, exchange->app->record.name, id);
    /* Without memory it is just not noted. */
    if (mcp_task_wants_touch(&record, clock_wall_seconds()))
        mcp_sessions_queue(sessions, MCP_TASK_TOUCH, &key, NULL);
    return true;
}

static bool task_admits_all(struct exchange *exchange, const struct json_value *ids)
{
    struct json_iterator iterator;
    struct json_value id;

    json_iterate(&iterator, ids);
    while (json_next(&iterator, NULL, NULL, &id) == 1) {
        if (!task_admits(exchange, &id))
            return false;
    }
    return true;
}

/* The response may tell of a task that this request makes. false: out of memory. */
static bool task_expect(struct exchange *exchange, const struct mcp_message *message)
{
    size_t room = message->name.kind == JSON_STRING ? TASK_TOOL_MAX : 0;
    struct exchange_task *task = calloc(1, sizeof(*task) + room);
    long size;

    if (task == NULL) {
        client_close(exchange->client);
        return false;
    }
    size = json_string(&message->method, task->method, sizeof(task->method));
    task->method_size = size < 0 ? 0 : (size_t)size;
    size = room == 0 ? 0 : json_string(&message->name, task->tool, room);
    task->tool_size = size < 0 ? 0 : (size_t)size;
    exchange->task = task;
    exchange->looks |= EXCHANGE_LOOKS_TASKS;
    return true;
}

bool exchange_task_admits(struct exchange *exchange, const struct mcp_gate *gate)
{
    const struct mcp_message *message = &gate->message;
    const struct mcp_method *known = message->known;
    const struct http_request *request = gate->request;

    /* The result of a request that made a task may come on a stream that is taken up again, where
     * nothing tells which request that was. */
    if (request->method == HTTP_GET && exchange->request->negotiated == MCP_2025_11_25 &&
        http_find(request->headers, request->header_count, HTTP_LAST_EVENT_ID) != NULL)
        exchange->looks |= EXCHANGE_LOOKS_TASKS;
    if (gate->batch || request->method != HTTP_POST || message->kind != MCP_REQUEST)
        return true;
    if (known != NULL && known->target == MCP_TARGET_TASK)
        return task_admits(exchange, &message->task_id);
    if (message->task_ids.kind == JSON_ARRAY)
        return task_admits_all(exchange, &message->task_ids);
    if (known != NULL && known->task_list)
        exchange->looks |= EXCHANGE_LOOKS_TASKS;
    /* By the extension, tools/call alone makes tasks, and only for who declares it. */
    if (exchange->mcp_modern ? message->meta_tasks && known != NULL && known->calls
                             : message->augmented)
        return task_expect(exchange, message);
    return true;
}

/* What the server says does not reach the client: it could do nothing with it. */
static enum mcp_verdict task_refuse(struct exchange *exchange, const struct mcp_result *result,
                                    const char *reason, struct buffer *out)
{
    struct reply_error error = {
        .json_rpc = true, .code = MCP_INTERNAL_ERROR, .message = reason, .id = result->id};

    log_error("mcp_task_unrecorded", "app %.*s: %s", (int)exchange->app->record.name.size,
              exchange->app->record.name.data, reason);
    return reply_error_body(out, &error) == 0 ? MCP_REPLACED : MCP_FAILED;
}

/* A task was made: it is the caller's, before the caller learns of it. */
static enum mcp_verdict task_record(struct exchange *exchange, const struct mcp_result *result,
                                    const struct mcp_result_task *made, struct buffer *out)
{
    struct mcp_sessions *sessions = &exchange->worker->mcp_sessions;
    const struct exchange_task *task = exchange->task;
    char id[MCP_TASK_ID_MAX];
    long size = json_string(&made->id, id, sizeof(id));
    struct mcp_task_record record = {.created = clock_wall_seconds(),
                                     .ttl = mcp_task_ttl(made->ttl, sessions->task_ttl)};
    struct session_record caller;
    struct store_key key;
    int error;

    if (size <= 0)
        return task_refuse(exchange, result, "the app's server named no valid task", out);
    if (session_store_find(sessions->store, &exchange->session, &caller) != 0)
        return task_refuse(exchange, result, "the caller's session is over", out);
    record.id = slice_make(id, (size_t)size);
    record.origin = exchange_mcp_origin(exchange, &caller);
    record.used = record.created;
    if (task != NULL) {
        record.method = slice_make(task->method, task->method_size);
        record.tool = slice_make(task->tool, task->tool_size);
    }
    mcp_task_key(&key, exchange->app->record.name, record.id);
    error = mcp_sessions_put_task(sessions, &key, &record);
    if (error == -EEXIST)
        return task_refuse(exchange, result, "the app's server repeated a task", out);
    if (error != 0)
        return task_refuse(exchange, result, "the task cannot be recorded", out);
    return MCP_PASSES;
}

/* Whether an element of a list is a task of the caller's; what cannot be told is not. */
static bool task_is_listed(struct exchange *exchange, const struct json_value *element)
{
    struct json_value value = mcp_result_task_id(element);
    char text[MCP_TASK_ID_MAX];
    long size = json_string(&value, text, sizeof(text));
    struct mcp_task_record record;
    struct session_record caller;

    return size > 0 && task_find(exchange, slice_make(text, (size_t)size), &record, &caller) == 0 &&
           mcp_origin_is_of(&record.origin, &caller) && task_is_allowed(exchange, &record);
}

static enum mcp_verdict task_filter(struct exchange *exchange, struct slice text,
                                    const struct json_value *tasks, struct buffer *out)
{
    struct json_iterator iterator;
    struct json_splice splice;
    struct json_array_cut cut;
    struct json_value element;
    int changed;

    /* Another worker may just have made one. When the store cannot be read, none is found. */
    (void)store_refresh(exchange->worker->sessions);
    json_splice_begin(&splice, text, out);
    json_array_cut_begin(&cut, &splice, tasks->text.data);
    json_iterate(&iterator, tasks);
    while (json_next(&iterator, NULL, NULL, &element) == 1) {
        if (task_is_listed(exchange, &element))
            json_array_cut_keep(&cut, element.text);
        else
            json_array_cut_drop(&cut, element.text);
    }
    json_array_cut_end(&cut, tasks->text.data + tasks->text.size - 1);
    changed = json_splice_end(&splice);
    if (changed < 0)
        return MCP_FAILED;
    return changed == 0 ? MCP_PASSES : MCP_REPLACED;
}

enum mcp_verdict exchange_task_message(struct exchange *exchange, struct slice text,
                                       struct buffer *out)
{
    struct mcp_result result;
    struct mcp_result_task made;
    struct json_value tasks;

    if (!mcp_result_read(text, &result))
        return MCP_PASSES;
    if (mcp_result_makes_task(&result, exchange->mcp_modern, &made))
        return task_record(exchange, &result, &made, out);
    tasks = mcp_result_tasks(&result);
    if (!exchange->mcp_modern && tasks.kind == JSON_ARRAY)
        return task_filter(exchange, text, &tasks, out);
    return MCP_PASSES;
}

void exchange_task_dispose(struct exchange *exchange)
{
    free(exchange->task);
    exchange->task = NULL;
}
