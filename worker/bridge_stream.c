#include "worker/bridge_stream.h"

#include "shared/log.h"
#include "worker/bridge_link.h"
#include "worker/bridge_message.h"
#include "worker/bridge_session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    STREAM_PATIENCE = 50, /* milliseconds in which one answer is sent as JSON, the cheaper form */
    STREAM_STALL = 64 * 1024,         /* bytes that a client leaves, before its server waits */
    STREAM_CUT_OFF = 4 * 1024 * 1024, /* bytes, before a client of a common server is cut off */
    STREAM_RETRY = 1000,              /* milliseconds after which a client shall come back */
};

struct bridge_event {
    struct bridge_event *next;
    uint64_t number;
    size_t size;
    char text[];
};

struct bridge_stream *bridge_stream_new(struct bridge *bridge, enum bridge_stream_kind kind)
{
    struct bridge_stream *stream = calloc(1, sizeof(*stream));

    if (stream == NULL)
        return NULL;
    stream->bridge = bridge;
    stream->kind = kind;
    stream->tail = &stream->events;
    return stream;
}

/* Has ids, and is kept for a client that comes back. */
static bool stream_is_resumable(const struct bridge_stream *stream)
{
    return stream->kind == BRIDGE_STREAM_ANSWER || stream->kind == BRIDGE_STREAM_STANDING;
}

static void stream_drop_first(struct bridge_stream *stream)
{
    struct bridge_event *event = stream->events;

    stream->events = event->next;
    if (stream->events == NULL)
        stream->tail = &stream->events;
    stream->kept -= event->size;
    stream->bridge->buffered -= event->size;
    if (event->number > stream->sent)
        stream->unsent -= event->size;
    free(event);
}

/* Holds its server back while its client does not read. */
static void stream_stall(struct bridge_stream *stream)
{
    bool stalled = stream->client != NULL && !stream->freed && stream->unsent > STREAM_STALL;

    if (stalled == stream->stalled || stream->server == NULL)
        return;
    stream->stalled = stalled;
    bridge_link_stall(stream->server, stalled);
}

/* Keeps within the limits: what was sent goes first, then (nobody reads) what was not. */
static void stream_trim(struct bridge_stream *stream)
{
    uint64_t replay = stream->bridge->child.settings.stdio.replay_size;
    bool lost = false;

    while (stream->events != NULL && stream->events->next != NULL &&
           (stream->client == NULL || stream->events->number <= stream->sent) &&
           (stream->kept > replay || stream->bridge->buffered > bridge_memory ||
            (!stream_is_resumable(stream) && stream->events->number <= stream->sent))) {
        lost = lost || stream->events->number > stream->sent;
        stream_drop_first(stream);
    }
    if (!stream_is_resumable(stream) && stream->events != NULL &&
        stream->events->number <= stream->sent)
        stream_drop_first(stream);
    if (lost)
        log_debug("bridge_stream_lost", "messages that nobody read were dropped");
}

void bridge_stream_free(struct bridge_stream *stream)
{
    struct bridge_client *client = stream->client;

    if (stream->freed)
        return;
    stream->freed = true;
    stream_stall(stream);
    if (stream->patience.passed != NULL)
        deadline_close(&stream->patience);
    while (stream->events != NULL)
        stream_drop_first(stream);
    if (stream->link != NULL) {
        *stream->link = stream->next;
        if (stream->next != NULL)
            stream->next->link = stream->link;
    }
    bridge_link_forget_stream(stream);
    stream->client = NULL;
    bridge_bury(stream->bridge, &stream->remains);
    if (client == NULL)
        return;
    client->stream = NULL;
    if (client->state == BRIDGE_CLIENT_EVENTS)
        bridge_client_end(client);
    else if (client->state == BRIDGE_CLIENT_BUSY)
        bridge_client_refuse(client, 503, 0, "the session ended", slice_make(NULL, 0));
}

/* An event as it goes over the wire. */
static int stream_format(const struct bridge_stream *stream, const struct bridge_event *event,
                         struct buffer *out)
{
    int error = 0;

    if (stream_is_resumable(stream))
        error = buffer_append_format(out, "id: %" PRIu64 "-%" PRIu64 "\n", stream->number,
                                     event->number);
    if (error == 0)
        error = buffer_append_text(out, "event: message\ndata: ");
    if (error == 0)
        error = buffer_append(out, event->text, event->size);
    return error == 0 ? buffer_append_text(out, "\n\n") : error;
}

/* An event without a message: so that a client that loses the stream at once can come back. Those
 * of older revisions would read its empty data as a message. */
static void stream_prime(struct bridge_stream *stream)
{
    char text[96];
    int size;

    if (!stream_is_resumable(stream) || !stream->primed || stream->sent > 0)
        return;
    size = snprintf(text, sizeof(text), "id: %" PRIu64 "-0\nretry: %d\ndata: \n\n", stream->number,
                    STREAM_RETRY);
    bridge_client_write(stream->client, slice_make(text, (size_t)size));
}

void bridge_stream_begin(struct bridge_stream *stream)
{
    if (stream->client == NULL || stream->begun || stream->kind == BRIDGE_STREAM_PLAIN)
        return;
    stream->begun = true;
    bridge_client_events(stream->client);
    if (stream->client != NULL)
        stream_prime(stream);
}

/* Everything was sent to a client that was there: it leaves, and the stream with it unless it is
 * kept for a while. */
static void stream_end(struct bridge_stream *stream)
{
    struct bridge_client *client = stream->client;

    stream->client = NULL;
    stream_stall(stream);
    client->stream = NULL;
    if (!stream_is_resumable(stream))
        bridge_stream_free(stream);
    else if (stream->session != NULL)
        bridge_session_stream_over(stream->session);
    bridge_client_end(client);
}

void bridge_stream_pump(struct bridge_stream *stream)
{
    struct bridge_event *event = stream->events;
    struct buffer text = {0};

    while (event != NULL && event->number <= stream->sent)
        event = event->next;
    while (event != NULL && stream->client != NULL && bridge_client_room(stream->client)) {
        struct bridge_client *client = stream->client;

        buffer_clear(&text);
        if (stream_format(stream, event, &text) != 0) {
            bridge_client_close(client);
            break;
        }
        stream->sent = event->number;
        stream->unsent -= event->size;
        event = event->next;
        bridge_client_write(client, buffer_slice(&text));
    }
    buffer_free(&text);
    if (stream->freed)
        return;
    if (stream->over && event == NULL && stream->client != NULL) {
        stream_end(stream);
        return;
    }
    stream_trim(stream);
    stream_stall(stream);
}

static void stream_patience_over(struct deadline *deadline)
{
    bridge_stream_begin(deadline->owner);
}

/* What was sent and not seen counts as not sent. */
static void stream_rewind(struct bridge_stream *stream, uint64_t after)
{
    if (after == BRIDGE_STREAM_ON)
        return;
    stream->sent = after < stream->last ? after : stream->last;
    stream->unsent = 0;
    for (struct bridge_event *event = stream->events; event != NULL; event = event->next) {
        if (event->number > stream->sent)
            stream->unsent += event->size;
    }
}

void bridge_stream_attach(struct bridge_stream *stream, struct bridge_client *client,
                          uint64_t after)
{
    stream->client = client;
    stream->begun = false;
    client->stream = stream;
    stream_rewind(stream, after);
    if ((stream->kind == BRIDGE_STREAM_ANSWER && stream->last == 0) ||
        stream->kind == BRIDGE_STREAM_MODERN) {
        if (stream->patience.passed == NULL)
            deadline_open(&stream->patience, stream->bridge->loop, stream_patience_over, stream);
        deadline_set(&stream->patience, STREAM_PATIENCE);
        return;
    }
    bridge_stream_begin(stream);
    bridge_stream_pump(stream);
}

void bridge_stream_detached(struct bridge_stream *stream, bool left)
{
    struct bridge_session *session = stream->session;

    stream->client = NULL;
    stream_stall(stream);
    if (stream->kind == BRIDGE_STREAM_OLD || stream->kind == BRIDGE_STREAM_PLAIN) {
        /* Nobody else can name the session. */
        bridge_session_end(session);
    } else if (stream->kind == BRIDGE_STREAM_MODERN) {
        bridge_link_cancel_stream(stream);
        bridge_stream_free(stream);
    } else {
        if (left && stream->kind == BRIDGE_STREAM_STANDING)
            bridge_session_left(session);
        stream_trim(stream);
    }
}

/* The only message, to a client that has seen nothing yet: as JSON. */
static void stream_answer(struct bridge_stream *stream, struct slice text, unsigned status)
{
    struct bridge_client *client = stream->client;
    char header[96] = "";

    stream->client = NULL;
    client->stream = NULL;
    if (stream->kind == BRIDGE_STREAM_PLAIN && stream->session != NULL && status == 200)
        snprintf(header, sizeof(header), "Mcp-Session-Id: %s\r\n", stream->session->id);
    else if (status == 503)
        snprintf(header, sizeof(header), "Retry-After: %d\r\n", BRIDGE_RETRY_AFTER);
    bridge_stream_free(stream);
    bridge_client_answer(client, status, header, text);
}

static void stream_add(struct bridge_stream *stream, struct bridge_event *event)
{
    *stream->tail = event;
    stream->tail = &event->next;
    stream->kept += event->size;
    stream->unsent += event->size;
    stream->bridge->buffered += event->size;
}

/* After something was added: one slow client of a server that others use, too, is cut off; and what
 * is over, with nobody there, is kept for a while, since its end may have been lost. */
static void stream_settle(struct bridge_stream *stream)
{
    if (stream->freed)
        return;
    if (stream->client != NULL && stream->server != NULL && stream->server->common &&
        stream->unsent > STREAM_CUT_OFF) {
        log_info("bridge_slow", "a client that does not read is cut off");
        bridge_client_close(stream->client);
    } else if (stream->over && stream->client == NULL && stream->session != NULL) {
        bridge_session_stream_over(stream->session);
    }
}

void bridge_stream_put(struct bridge_stream *stream, struct slice text, unsigned status)
{
    struct bridge_event *event;

    stream->over = stream->over || status != 0;
    if (status != 0 && stream->client != NULL && !stream->begun && stream->last == 0) {
        stream_answer(stream, text, status);
        return;
    }
    event = malloc(sizeof(*event) + text.size);
    if (event == NULL) {
        log_error("bridge_memory", "a message of %zu bytes is lost", text.size);
        if (stream->client != NULL)
            bridge_client_close(stream->client);
        return;
    }
    event->next = NULL;
    event->number = ++stream->last;
    event->size = text.size;
    memcpy(event->text, text.data, text.size);
    stream_add(stream, event);
    bridge_stream_begin(stream);
    if (!stream->freed)
        bridge_stream_pump(stream);
    stream_settle(stream);
}

void bridge_stream_name(struct bridge_stream *stream, const char *event, struct slice data)
{
    struct buffer text = {0};

    bridge_stream_begin(stream);
    if (stream->client == NULL)
        return;
    if (buffer_append_format(&text, "event: %s\ndata: %.*s\n\n", event, (int)data.size,
                             data.data) == 0)
        bridge_client_write(stream->client, buffer_slice(&text));
    else
        bridge_client_close(stream->client);
    buffer_free(&text);
}

void bridge_stream_finish(struct bridge_stream *stream)
{
    stream->over = true;
    bridge_stream_begin(stream);
    if (!stream->freed)
        bridge_stream_pump(stream);
    stream_settle(stream);
}

bool bridge_stream_event_id(struct slice text, uint64_t *number, uint64_t *event)
{
    const char *dash = text.size == 0 ? NULL : memchr(text.data, '-', text.size);
    size_t size = dash == NULL ? 0 : (size_t)(dash - text.data);

    return dash != NULL && bridge_message_number(slice_make(text.data, size), number) &&
           bridge_message_number(slice_skip(text, size + 1), event);
}
