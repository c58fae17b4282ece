#include "worker/demo_answer.h"

#include "shared/clock.h"
#include "worker/http_chunk.h"
#include "worker/http_date.h"
#include "worker/reply.h"

#include <inttypes.h>

static int answer_head(struct buffer *out, unsigned status)
{
    char date[HTTP_DATE_SIZE];

    http_date(clock_wall_seconds(), date);
    return buffer_append_format(out, "HTTP/1.1 %u %s\r\nDate: %s\r\n", status, reply_phrase(status),
                                date);
}

int demo_answer_json(struct buffer *out, const struct demo_answer *answer, struct slice body)
{
    int error = answer_head(out, answer->status);

    if (error == 0 && answer->session != NULL)
        error = buffer_append_format(out, "Mcp-Session-Id: %s\r\n", answer->session);
    if (error == 0 && answer->allow != NULL)
        error = buffer_append_format(out, "Allow: %s\r\n", answer->allow);
    if (error == 0 && answer->close)
        error = buffer_append_text(out, "Connection: close\r\n");
    if (error == 0 && body.size > 0)
        error = buffer_append_text(out, "Content-Type: application/json\r\n");
    /* RFC 9110, 8.6: a 204 says no length. */
    if (error == 0 && answer->status != 204)
        error = buffer_append_format(out, "Content-Length: %zu\r\n", body.size);
    if (error == 0)
        error = buffer_append_text(out, "\r\n");
    return error != 0 ? error : buffer_append_slice(out, body);
}

static int answer_error_data(struct buffer *body, const struct demo_error *error)
{
    int failed;

    if (error->requested.size == 0)
        return 0;
    failed = buffer_append_text(body, ",\"data\":{\"supported\":[\"" DEMO_VERSION_MODERN
                                      "\"],\"requested\":");
    if (failed == 0)
        failed = buffer_append_slice(body, error->requested);
    return failed != 0 ? failed : buffer_append_text(body, "}");
}

int demo_answer_error_body(struct buffer *out, struct slice id, const struct demo_error *error)
{
    int failed = buffer_append_text(out, "{\"jsonrpc\":\"2.0\",\"id\":");

    if (failed == 0)
        failed = buffer_append_slice(out, id.size > 0 ? id : slice_from("null"));
    if (failed == 0)
        failed = buffer_append_format(out, ",\"error\":{\"code\":%d,\"message\":\"%s\"",
                                      (int)error->code, error->message);
    if (failed == 0)
        failed = answer_error_data(out, error);
    return failed != 0 ? failed : buffer_append_text(out, "}}");
}

int demo_answer_error(struct buffer *out, const struct demo_answer *answer, struct slice id,
                      const struct demo_error *error)
{
    struct demo_answer head = *answer;
    struct buffer body = {0};
    int failed = demo_answer_error_body(&body, id, error);

    head.status = error->status;
    if (failed == 0)
        failed = demo_answer_json(out, &head, buffer_slice(&body));
    buffer_free(&body);
    return failed;
}

int demo_answer_progress(struct buffer *out, struct slice token, int64_t at, int64_t total)
{
    int error = buffer_append_text(out, "{\"jsonrpc\":\"2.0\",\"method\":"
                                        "\"notifications/progress\","
                                        "\"params\":{\"progressToken\":");

    if (error == 0)
        error = buffer_append_slice(out, token);
    if (error == 0)
        error = buffer_append_format(
            out, ",\"progress\":%" PRId64 ",\"total\":%" PRId64 ",\"message\":\"%" PRId64 "\"}}",
            at, total, at);
    return error;
}

int demo_answer_result(struct buffer *out, struct slice id, struct slice result)
{
    int error = buffer_append_text(out, "{\"jsonrpc\":\"2.0\",\"id\":");

    if (error == 0)
        error = buffer_append_slice(out, id);
    if (error == 0)
        error = buffer_append_text(out, ",\"result\":");
    if (error == 0)
        error = buffer_append_slice(out, result);
    return error != 0 ? error : buffer_append_text(out, "}");
}

int demo_answer_stream(struct buffer *out, bool chunked)
{
    int error = answer_head(out, 200);

    if (error == 0)
        error = buffer_append_text(out, "Content-Type: text/event-stream\r\n"
                                        "Cache-Control: no-cache\r\nX-Accel-Buffering: no\r\n");
    return error != 0 ? error
                      : buffer_append_text(out, chunked ? "Transfer-Encoding: chunked\r\n\r\n"
                                                        : "Connection: close\r\n\r\n");
}

int demo_answer_event(struct buffer *out, bool chunked, struct slice data)
{
    const char *begin = data.size > 0 ? "event: message\ndata: " : ":";
    char line[20];
    size_t size = http_chunk_line(strlen(begin) + data.size + 2, line);
    int error = chunked ? buffer_append(out, line, size) : 0;

    if (error == 0)
        error = buffer_append_text(out, begin);
    if (error == 0)
        error = buffer_append_slice(out, data);
    return error != 0 ? error : buffer_append_text(out, chunked ? "\n\n\r\n" : "\n\n");
}

int demo_answer_stream_end(struct buffer *out, bool chunked)
{
    return chunked ? buffer_append_text(out, "0\r\n\r\n") : 0;
}
