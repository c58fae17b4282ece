#include "worker/mcp_response.h"

#include "shared/json_scan.h"
#include "shared/json_splice.h"

#include <errno.h>

/* The messages of a batch, each on its own. */
static enum mcp_verdict response_batch(struct mcp_response *response, struct json_scan *scan,
                                       struct slice text, struct buffer *out)
{
    enum mcp_verdict verdict = MCP_PASSES;
    struct json_splice splice;
    struct json_array_cut cut;
    struct json_value value;
    struct buffer message = {0};
    int changed;

    json_splice_begin(&splice, text, out);
    json_array_cut_begin(&cut, &splice, scan->at);
    json_scan_enter(scan);
    while (verdict != MCP_FAILED && json_scan_next(scan, NULL) == 1 &&
           json_scan_value(scan, &value)) {
        buffer_clear(&message);
        verdict = response->look(response->context, value.text, &message);
        if (verdict == MCP_DROPPED) {
            json_array_cut_drop(&cut, value.text);
            continue;
        }
        json_array_cut_keep(&cut, value.text);
        if (verdict == MCP_REPLACED)
            json_splice_put(&splice, value.text.data, value.text.data + value.text.size,
                            buffer_slice(&message));
    }
    buffer_free(&message);
    if (verdict == MCP_FAILED)
        return MCP_FAILED;
    if (!json_scan_end(scan))
        return MCP_PASSES;
    if (cut.first != NULL)
        return MCP_DROPPED;
    changed = json_splice_end(&splice);
    if (changed < 0)
        return MCP_FAILED;
    return changed == 0 ? MCP_PASSES : MCP_REPLACED;
}

/* A document: a message, or a batch. */
static enum mcp_verdict response_document(struct mcp_response *response, struct slice text,
                                          struct buffer *out)
{
    struct json_scan scan;
    enum mcp_verdict verdict;

    buffer_clear(out);
    if (!json_scan_begin(&scan, text) || json_scan_kind(&scan) != JSON_ARRAY)
        return response->look(response->context, text, out);
    verdict = response_batch(response, &scan, text, out);
    if (verdict == MCP_FAILED || scan.reason == NULL)
        return verdict;
    buffer_clear(out);
    return response->look(response->context, text, out);
}

/* What waits to be put, in one piece as long as it stands in one. */
static bool response_put(struct mcp_response *response, struct slice *run, struct slice bytes)
{
    bool taken = true;

    if (run->size > 0 && run->data + run->size == bytes.data) {
        run->size += bytes.size;
        return true;
    }
    if (run->size > 0)
        taken = response->put(response->context, *run);
    *run = bytes;
    return taken;
}

/* `document`: spare, for what goes in the place of another. */
static int response_event(struct mcp_response *response, const struct event *event,
                          struct buffer *document, struct slice *run)
{
    enum mcp_verdict verdict = MCP_PASSES;
    struct slice bytes = event->bytes;
    struct buffer replaced = {0};
    bool taken;

    if (event->data.size > 0)
        verdict = response_document(response, event->data, document);
    if (verdict == MCP_DROPPED)
        return 0;
    if (verdict == MCP_REPLACED) {
        if (event_replace(&replaced, event, buffer_slice(document)) != 0)
            verdict = MCP_FAILED;
        bytes = buffer_slice(&replaced);
    }
    if (verdict == MCP_FAILED) {
        buffer_free(&replaced);
        return -ENOMEM;
    }
    taken = response_put(response, run, bytes);
    /* What is not the input's own does not outlive the next event. */
    if (taken && (verdict == MCP_REPLACED || event_stream_held(&response->events) > 0)) {
        taken = response->put(response->context, *run);
        *run = slice_make(NULL, 0);
    }
    buffer_free(&replaced);
    return taken ? 0 : -ECANCELED;
}

int mcp_response_events(struct mcp_response *response, struct slice input)
{
    struct buffer document = {0};
    struct slice run = {0};
    struct event event;
    int step;

    response->events.limit = response->limit;
    while ((step = event_stream_next(&response->events, &input, &event)) == 1) {
        step = response_event(response, &event, &document, &run);
        if (step != 0)
            break;
    }
    buffer_free(&document);
    /* What was let pass goes on, whatever came behind it. */
    if (run.size > 0 && step != -ECANCELED && !response->put(response->context, run))
        return -ECANCELED;
    return step;
}

int mcp_response_events_end(struct mcp_response *response)
{
    struct buffer document = {0};
    struct slice run = {0};
    struct event event;
    int step = event_stream_end(&response->events, &event);

    if (step == 1)
        step = response_event(response, &event, &document, &run);
    buffer_free(&document);
    return step;
}

int mcp_response_collect(struct mcp_response *response, struct slice input)
{
    if (input.size > response->limit - buffer_size(&response->body))
        return -EMSGSIZE;
    return buffer_append_slice(&response->body, input);
}

enum mcp_verdict mcp_response_document(struct mcp_response *response, struct slice *out)
{
    enum mcp_verdict verdict = MCP_PASSES;
    struct buffer document = {0};

    if (buffer_size(&response->body) > 0)
        verdict = response_document(response, buffer_slice(&response->body), &document);
    if (verdict == MCP_REPLACED) {
        struct buffer before = response->body;

        response->body = document;
        document = before;
    }
    buffer_free(&document);
    *out = buffer_slice(&response->body);
    return verdict;
}

size_t mcp_response_held(const struct mcp_response *response)
{
    return event_stream_held(&response->events) + response->body.capacity;
}

void mcp_response_free(struct mcp_response *response)
{
    event_stream_free(&response->events);
    buffer_free(&response->body);
}
