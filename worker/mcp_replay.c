#include "worker/mcp_replay.h"

#include "worker/mcp_header.h"

#include <errno.h>

/* Takes out what is said anew, and what is only said of the client's own message. */
static void replay_strip(struct http_request *request)
{
    size_t kept = 0;

    for (size_t i = 0; i < request->header_count; i++) {
        enum http_field field = request->headers[i].field;

        if (field != HTTP_ACCEPT && !mcp_header_of_message(field))
            request->headers[kept++] = request->headers[i];
    }
    request->header_count = kept;
}

/* A header line, unless a rule of the app sets that field. */
static int replay_line(const struct app_record *app, struct buffer *lines, const char *name,
                       struct slice value)
{
    int error;

    for (size_t i = 0; i < app->header_count; i++)
        if (slice_equal_nocase(app->headers[i].name, slice_from(name)))
            return 0;
    if (!http_is_field_value(value))
        return -EBADMSG;
    error = buffer_append_format(lines, "%s: ", name);
    if (error == 0)
        error = buffer_append_slice(lines, value);
    return error == 0 ? buffer_append_text(lines, "\r\n") : error;
}

static int replay_lines(const struct mcp_replay *replay, struct buffer *lines)
{
    const struct app_record *app = replay->app;
    int error =
        replay_line(app, lines, "Accept", slice_from("application/json, text/event-stream"));

    if (error == 0 && replay->body.size > 0)
        error = replay_line(app, lines, "Content-Type", slice_from("application/json"));
    if (error != 0 || replay->session.size == 0)
        return error;
    error = replay_line(app, lines, "Mcp-Session-Id", replay->session);
    return error != 0 ? error : replay_line(app, lines, "MCP-Protocol-Version", replay->version);
}

int mcp_replay_append(struct buffer *out, const struct mcp_replay *replay,
                      struct http_request *room)
{
    struct buffer lines = {0};
    struct forward_request forward = {
        .request = room,
        .app = replay->app,
        .endpoint = replay->endpoint,
        .mcp = replay->path,
        .identity = true,
        .client_address = replay->client_address,
        .client_tls = replay->client_tls,
        .body_size = replay->body.size,
        .has_body = replay->body.size > 0,
    };
    const char *reason;
    int error;

    /* It was parsed before, within the limit of then. */
    if (http_request_parse(replay->head, replay->head.size + 1, room, &reason) <= 0)
        return -EBADMSG;
    replay_strip(room);
    room->method_text = slice_from(replay->method);
    error = replay_lines(replay, &lines);
    forward.own = buffer_slice(&lines);
    if (error == 0)
        error = forward_request_head(out, &forward);
    if (error == 0)
        error = buffer_append_slice(out, replay->body);
    buffer_free(&lines);
    return error;
}
