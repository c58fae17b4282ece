/* What a call sends: its request's head. */
#include "worker/connect_call.h"

/* Appends one after another; the first failure sticks. */
struct request_writer {
    struct buffer *out; /* borrowed */
    int error;
};

static void request_put(struct request_writer *writer, struct slice text)
{
    if (writer->error == 0)
        writer->error = buffer_append_slice(writer->out, text);
}

static void request_text(struct request_writer *writer, const char *text)
{
    request_put(writer, slice_from(text));
}

/* Not at all when it has no value. */
static void request_line(struct request_writer *writer, const char *name, struct slice value)
{
    if (value.size == 0)
        return;
    request_text(writer, name);
    request_text(writer, ": ");
    request_put(writer, value);
    request_text(writer, "\r\n");
}

static void request_target(struct request_writer *writer, const char *method, const struct uri *uri)
{
    bool literal = uri->host_is_ip && memchr(uri->host.data, ':', uri->host.size) != NULL;

    request_text(writer, method);
    request_text(writer, " ");
    request_put(writer, uri->path.size > 0 ? uri->path : slice_from("/"));
    request_text(writer, uri->query.size > 0 ? "?" : "");
    request_put(writer, uri->query);
    request_text(writer, " HTTP/1.1\r\nHost: ");
    request_text(writer, literal ? "[" : "");
    request_put(writer, uri->host);
    request_text(writer, literal ? "]" : "");
    if (uri->port_given && writer->error == 0)
        writer->error = buffer_append_format(writer->out, ":%u", (unsigned)uri->port);
    request_text(writer, "\r\n");
}

static void request_session(struct request_writer *writer, const struct connect_call *call)
{
    const struct connect_session *session = &call->connect->session;

    if (call->initialize)
        return;
    request_line(writer, "Mcp-Session-Id", buffer_slice(&session->id));
    request_line(writer, "MCP-Protocol-Version", buffer_slice(&session->version));
}

int connect_request_head(struct connect_call *call, struct buffer *out, struct slice *body)
{
    const struct connect_options *options = call->connect->options;
    struct slice token = buffer_slice(&call->connect->token.value);
    struct request_writer writer = {.out = out};
    bool asks = call->kind == CONNECT_LISTEN || call->resumes;
    bool leaves = call->kind == CONNECT_GOODBYE;

    request_target(&writer, asks ? "GET" : leaves ? "DELETE" : "POST", &options->uri);
    request_text(&writer, "User-Agent: gatehouse-connect\r\n");
    request_line(&writer, "Accept",
                 slice_from(asks ? "text/event-stream" : "application/json, text/event-stream"));
    if (token.size > 0) {
        request_text(&writer, "Authorization: Bearer ");
        request_put(&writer, token);
        request_text(&writer, "\r\n");
    }
    if (call->modern)
        request_put(&writer, buffer_slice(&call->repeated));
    else
        request_session(&writer, call);
    if (asks)
        request_line(&writer, "Last-Event-ID", buffer_slice(&call->last_id));
    for (size_t i = 0; i < options->header_count; i++) {
        request_text(&writer, options->headers[i]);
        request_text(&writer, "\r\n");
    }
    *body = asks || leaves ? slice_make(NULL, 0) : buffer_slice(&call->text);
    if (!asks && !leaves) {
        request_line(&writer, "Content-Type", slice_from("application/json"));
        if (writer.error == 0)
            writer.error = buffer_append_format(out, "Content-Length: %zu\r\n", body->size);
    }
    request_text(&writer, "\r\n");
    return writer.error;
}
