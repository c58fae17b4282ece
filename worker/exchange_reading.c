#include "worker/exchange_reading.h"

#include "shared/log.h"
#include "worker/exchange_mcp_session.h"
#include "worker/exchange_stream.h"
#include "worker/exchange_task.h"
#include "worker/exchange_tool.h"
#include "worker/list_filter.h"

#include <errno.h>
#include <stdlib.h>

bool exchange_reading_narrows(const struct policy_set *policy)
{
    return policy != NULL &&
           !(policy_set_is_open(policy, POLICY_TOOL) && policy_set_is_open(policy, POLICY_PROMPT) &&
             policy_set_is_open(policy, POLICY_RESOURCE));
}

/* Once for each response: a server may go on for long. */
static void reading_log(struct exchange *exchange, const char *reason)
{
    if (exchange->audit.reason == NULL)
        exchange->audit.reason = reason;
    if (exchange->reading != NULL && exchange->reading->logged)
        return;
    log_warning("answer_refused", "app %.*s: %s", (int)exchange->app->record.name.size,
                exchange->app->record.name.data, reason);
    if (exchange->reading != NULL)
        exchange->reading->logged = true;
}

/* What a rule hides from the caller. */
static enum mcp_verdict reading_filter(struct exchange *exchange, struct slice text,
                                       struct buffer *out)
{
    const struct exchange_reading *reading = exchange->reading;
    struct list_filter filter = {.policy = exchange->policy,
                                 .modern = exchange->mcp_modern,
                                 .id = slice_make(reading->id, reading->id_size)};
    enum mcp_verdict verdict;

    /* No more: the stream began under another policy. */
    if (!exchange_reading_narrows(exchange->policy))
        return MCP_PASSES;
    /* The path of an `endpoint` event, which the bridge writes; no message begins so. */
    if (exchange->old == ROUTE_OLD_STREAM && text.size > 0 && text.data[0] == '/')
        return MCP_PASSES;
    verdict = list_filter_message(&filter, text, out);
    if (filter.refusal != NULL)
        reading_log(exchange, filter.refusal);
    return verdict;
}

/* Those that only look come first: they see what the server said. */
static const struct exchange_observer reading_observers[] = {
    {EXCHANGE_LOOKS_TOOLS, exchange_tool_message},
    {EXCHANGE_LOOKS_VERSION, exchange_mcp_version},
    {EXCHANGE_LOOKS_TASKS, exchange_task_message},
    {EXCHANGE_LOOKS_POLICY, reading_filter},
};

static enum mcp_verdict reading_look(void *context, struct slice text, struct buffer *out)
{
    struct exchange *exchange = context;
    struct exchange_reading *reading = exchange->reading;
    enum mcp_verdict verdict = MCP_PASSES;
    struct buffer spare = {0};

    for (size_t i = 0; i < sizeof(reading_observers) / sizeof(reading_observers[0]); i++) {
        const struct exchange_observer *observer = &reading_observers[i];
        enum mcp_verdict next;

        if ((reading->looks & observer->look) == 0)
            continue;
        buffer_clear(&spare);
        next = observer->message(exchange, text, &spare);
        if (next == MCP_DROPPED || next == MCP_FAILED) {
            verdict = next;
            break;
        }
        if (next == MCP_REPLACED) {
            struct buffer before = *out;

            *out = spare;
            spare = before;
            text = buffer_slice(out);
            verdict = MCP_REPLACED;
        }
    }
    buffer_free(&spare);
    return verdict;
}

static bool reading_put(void *context, struct slice bytes)
{
    return exchange_append(context, bytes) == 0;
}

/* Whether a rule narrows what this response may say. */
static bool reading_is_narrowed(const struct exchange *exchange)
{
    const struct policy_set *policy = exchange->policy;
    const struct mcp_method *method = exchange->mcp_method;

    if (!exchange_reading_narrows(policy))
        return false;
    /* Any stream may tell of changes to resources. */
    if (exchange->event_stream && !policy_set_is_open(policy, POLICY_RESOURCE))
        return true;
    /* A batch, a resumed stream: answers to anything. */
    if (method == NULL)
        return true;
    if (method->lists)
        return !policy_set_is_open(policy, method->kind);
    return exchange->mcp_modern && method->named; /* its result may embed requests */
}

static const char reading_too_large[] = "the app's server sent too large a message";

static unsigned reading_looks(const struct exchange *exchange)
{
    return exchange->looks | (reading_is_narrowed(exchange) ? EXCHANGE_LOOKS_POLICY : 0);
}

/* Why it cannot be read. NULL: it can. */
static const char *reading_obstacle(const struct exchange *exchange)
{
    const struct http_response *response = &exchange->worker->response;
    bool typed = false;

    if (!exchange->event_stream &&
        exchange->body_left > worker_limits(exchange->worker)->event_size)
        return reading_too_large;
    for (size_t i = 0; i < response->header_count; i++) {
        const struct http_header *header = &response->headers[i];

        if (header->field == HTTP_CONTENT_ENCODING &&
            !slice_equal_nocase(header->value, slice_from("identity")))
            return "the app's server encoded a response that must be read";
        if (header->field == HTTP_CONTENT_TYPE && typed)
            return "the app's server sent two media types";
        typed = typed || header->field == HTTP_CONTENT_TYPE;
    }
    return NULL;
}

static struct exchange_reading *reading_make(struct exchange *exchange, unsigned looks)
{
    /* A stream that goes on may be the answer to anything. */
    struct slice id = exchange->request == NULL
                          ? slice_make(NULL, 0)
                          : exchange_part(exchange, exchange->request->rpc.id);
    size_t id_size = id.size <= EXCHANGE_ID_MAX ? id.size : 0;
    struct exchange_reading *reading = calloc(1, sizeof(*reading) + id_size);

    if (reading == NULL)
        return NULL;
    reading->response = (struct mcp_response){
        .limit = (size_t)worker_limits(exchange->worker)->event_size,
        .context = exchange,
        .look = reading_look,
        .put = reading_put,
    };
    reading->looks = looks;
    if (id_size > 0)
        memcpy(reading->id, id.data, id_size);
    reading->id_size = (uint16_t)id_size;
    exchange->reading = reading;
    return reading;
}

bool exchange_reading_begin(struct exchange *exchange, struct slice head)
{
    const struct http_response *response = &exchange->worker->response;
    unsigned looks = reading_looks(exchange);
    struct exchange_reading *reading;
    const char *obstacle;

    /* Of errors, and of a 202, clients take no message. */
    if (looks == 0 || response->status >= 300 || response->status == 202 ||
        exchange->response_body == HTTP_BODY_NONE ||
        (exchange->response_body == HTTP_BODY_LENGTH && exchange->body_left == 0))
        return true;
    obstacle = reading_obstacle(exchange);
    if (obstacle != NULL) {
        reading_log(exchange, obstacle);
        exchange_refuse(exchange, 502, obstacle, 0, NULL);
        return false;
    }
    reading = reading_make(exchange, looks);
    if (reading == NULL || (!exchange->event_stream &&
                            buffer_append_slice(&exchange->request->response_head, head) != 0)) {
        client_close(exchange->client);
        return false;
    }
    reading->document = !exchange->event_stream;
    /* What is cut out of a stream cannot be known before it ends. */
    if (exchange->client_body == HTTP_BODY_LENGTH)
        exchange->client_body =
            exchange->request->minor_version >= 1 ? HTTP_BODY_CHUNKED : HTTP_BODY_UNTIL_CLOSE;
    return true;
}

bool exchange_reading_waits(const struct exchange *exchange)
{
    return exchange->reading != NULL && exchange->reading->document;
}

/* No more can be read: the client hears why, and the exchange ends. */
static bool reading_fail(struct exchange *exchange, unsigned status, const char *reason)
{
    reading_log(exchange, reason);
    if (exchange->reading->document)
        exchange_refuse(exchange, status, reason, status == 503 ? EXCHANGE_RETRY_AFTER : 0, NULL);
    else
        exchange_stream_fail(exchange, reason);
    return false;
}

/* What is held counts as a body. */
static bool reading_charge(struct exchange *exchange)
{
    struct exchange_reading *reading = exchange->reading;
    struct worker *worker = exchange->worker;
    uint64_t held = mcp_response_held(&reading->response);

    worker->body_bytes += held - reading->charged;
    reading->charged = held;
    return held == 0 || worker->body_bytes <= worker_limits(worker)->body_memory;
}

bool exchange_reading_take(struct exchange *exchange, struct slice data)
{
    struct exchange_reading *reading = exchange->reading;
    int error = reading->document ? mcp_response_collect(&reading->response, data)
                                  : mcp_response_events(&reading->response, data);

    if (error == -EMSGSIZE)
        return reading_fail(exchange, 502, reading_too_large);
    if (error != 0) {
        client_close(exchange->client);
        return false;
    }
    if (!reading_charge(exchange))
        return reading_fail(exchange, 503, "too many bodies are being read");
    return true;
}

/* The head again, with the length of the document that goes on. */
static bool reading_head(struct exchange *exchange, size_t size)
{
    struct worker *worker = exchange->worker;
    const char *reason;

    if (http_response_parse(buffer_slice(&exchange->request->response_head),
                            worker_limits(worker)->head_size, &worker->response, &reason) <= 0) {
        client_close(exchange->client);
        return false;
    }
    worker->response.body = HTTP_BODY_LENGTH;
    worker->response.content_length = size;
    exchange->client_body = HTTP_BODY_LENGTH;
    return true;
}

bool exchange_reading_complete(struct exchange *exchange, struct slice *body)
{
    struct exchange_reading *reading = exchange->reading;

    if (!reading->document) {
        if (mcp_response_events_end(&reading->response) == 0)
            return true;
        client_close(exchange->client);
        return false;
    }
    switch (mcp_response_document(&reading->response, body)) {
    case MCP_PASSES:
    case MCP_REPLACED:
        return reading_head(exchange, body->size);
    case MCP_DROPPED:
        return reading_fail(exchange, 502, "the app's server sent no valid answer");
    case MCP_FAILED:
        break;
    }
    client_close(exchange->client);
    return false;
}

void exchange_reading_review(struct exchange *exchange)
{
    unsigned looks = reading_looks(exchange);

    if (exchange->state != EXCHANGE_STREAM || !exchange->event_stream)
        return;
    if (exchange->reading != NULL) {
        exchange->reading->looks |= looks;
    } else if (looks != 0) {
        bool between = exchange_stream_is_between(exchange);

        if (!between || exchange->client_body == HTTP_BODY_LENGTH ||
            reading_make(exchange, looks) == NULL)
            client_close(exchange->client);
    }
}

void exchange_reading_stop(struct exchange *exchange)
{
    struct exchange_reading *reading = exchange->reading;

    if (reading == NULL)
        return;
    exchange->reading = NULL;
    exchange->worker->body_bytes -= reading->charged;
    mcp_response_free(&reading->response);
    /* Its own callbacks may be running. */
    worker_bury(exchange->worker, &reading->remains);
}
