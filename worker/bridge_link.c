#include "worker/bridge_link.h"

#include "shared/log.h"
#include "worker/bridge_app.h"
#include "worker/bridge_probe.h"
#include "worker/bridge_session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { LINK_NUMBER_SIZE = 24 }; /* bytes of an id of ours, with its NUL */

struct bridge_link *bridge_link_new(struct bridge *bridge, const struct bridge_link_ops *ops,
                                    void *end)
{
    struct bridge_link *link = calloc(1, sizeof(*link));

    if (link == NULL)
        return NULL;
    link->bridge = bridge;
    link->ops = ops;
    link->end = end;
    link->used = ev_now(bridge->loop);
    link->next = bridge->links;
    link->at = &bridge->links;
    if (link->next != NULL)
        link->next->at = &link->next;
    bridge->links = link;
    bridge_probe_open(link);
    return link;
}

static struct slice link_number(uint64_t number, char text[LINK_NUMBER_SIZE])
{
    return slice_make(text, (size_t)snprintf(text, LINK_NUMBER_SIZE, "%" PRIu64, number));
}

static void link_unlink(struct bridge_link *link)
{
    *link->at = link->next;
    if (link->next != NULL)
        link->next->at = link->at;
    bridge_probe_close(link);
    bridge_bury(link->bridge, &link->remains);
}

void bridge_link_drop(struct bridge_link *link)
{
    link->state = BRIDGE_LINK_ENDED;
    link_unlink(link);
}

/* Gives everything back but the memory of the link itself. */
static void link_dispose(struct bridge_link *link)
{
    struct bridge_call *call;

    link->state = BRIDGE_LINK_ENDED;
    while ((call = bridge_call_after(&link->calls, 0)) != NULL) {
        if (call->stream != NULL)
            call->stream->calls--;
        bridge_call_remove(&link->calls, call);
    }
    buffer_free(&link->opened);
    link->ops->close(link);
    link_unlink(link);
}

void bridge_link_end(struct bridge_link *link, const char *reason)
{
    struct bridge_call *call;

    if (link->state == BRIDGE_LINK_ENDED)
        return;
    link->state = BRIDGE_LINK_ENDED;
    while ((call = bridge_call_after(&link->calls, 0)) != NULL)
        bridge_link_fail(link, call->id, BRIDGE_INTERNAL_ERROR, reason);
    while (link->sessions != NULL)
        bridge_session_end(link->sessions);
    link_dispose(link);
}

int bridge_link_send(struct bridge_link *link, struct slice line, uint64_t id)
{
    if (link->state == BRIDGE_LINK_ENDED)
        return -EPIPE;
    link->used = ev_now(link->bridge->loop);
    return link->ops->send(link, line, id);
}

int bridge_link_send_format(struct bridge_link *link, uint64_t id, const char *format, ...)
{
    va_list arguments;
    char *text = NULL;
    int size;
    int error;

    va_start(arguments, format);
    size = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (size < 0)
        return -ENOMEM;
    error = bridge_link_send(link, slice_make(text, (size_t)size), id);
    free(text);
    return error;
}

int bridge_link_cancel(struct bridge_link *link, uint64_t id)
{
    return bridge_link_send_format(link, 0,
                                   "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
                                   "\"params\":{\"requestId\":%" PRIu64 "}}",
                                   id);
}

int bridge_link_unsubscribe(struct bridge_link *link, struct slice uri)
{
    struct buffer text = {0};
    int error = json_append_string(&text, uri);

    if (error == 0)
        error = bridge_link_send_format(
            link, 0,
            "{\"jsonrpc\":\"2.0\",\"id\":%" PRIu64
            ",\"method\":\"resources/unsubscribe\",\"params\":{\"uri\":%.*s}}",
            ++link->bridge->last_id, (int)buffer_size(&text), buffer_data(&text));
    buffer_free(&text);
    return error;
}

void bridge_link_refuse(struct bridge_link *link, struct slice id, int code, const char *message)
{
    if (code == 0)
        bridge_link_send_format(link, 0, "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":{}}",
                                (int)id.size, id.data);
    else
        bridge_link_send_format(
            link, 0,
            "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"error\":{\"code\":%d,\"message\":"
            "\"%s\"}}",
            (int)id.size, id.data, code, message);
}

/* Our own `initialize`: without capabilities, so that the server asks nobody anything. */
static int link_open(struct bridge_link *link, const struct bridge_message *message)
{
    uint64_t id = ++link->bridge->last_id;
    struct slice version = message->version.text;
    struct slice none = slice_make(NULL, 0);
    struct bridge_call *call = bridge_call_add(&link->calls, id, BRIDGE_CALL_OPEN, none, none);
    int error;

    if (call == NULL)
        return -ENOMEM;
    error =
        bridge_link_send_format(link, id,
                                "{\"jsonrpc\":\"2.0\",\"id\":%" PRIu64 ",\"method\":\"initialize\","
                                "\"params\":{\"protocolVersion\":%.*s,\"capabilities\":{},"
                                "\"clientInfo\":" BRIDGE_IMPLEMENTATION "}}",
                                id, version.size == 0 ? 12 : (int)version.size,
                                version.size == 0 ? "\"2025-11-25\"" : version.data);
    if (error == 0)
        link->state = BRIDGE_LINK_OPENING;
    else
        bridge_call_remove(&link->calls, call);
    return error;
}

/* The message with the id and the token of ours, to the server, or to where it waits. */
static int link_forward(struct bridge_link *link, const struct bridge_message *message, uint64_t id)
{
    char number[LINK_NUMBER_SIZE];
    struct slice text = link_number(id, number);
    struct bridge_edit edits[] = {{.old = message->id, .text = text},
                                  {.old = message->token, .text = text}};
    struct buffer line = {0};
    int error = bridge_message_append(&line, message->text, edits, 2);

    if (error == 0 && link->modern && link->state == BRIDGE_LINK_NEW)
        error = bridge_app_is_modern(link->app) ? 0 : bridge_probe_send(link);
    if (error == 0 && link->modern && link->state == BRIDGE_LINK_NEW)
        link->state = BRIDGE_LINK_OPEN;
    if (error == 0 && link->state == BRIDGE_LINK_OPENING && link->modern)
        error = bridge_probe_hold(link, &line, id);
    else if (error == 0)
        error = bridge_link_send(link, buffer_slice(&line), id);
    buffer_free(&line);
    return error;
}

/* A client opens its session on a server that others share. */
static int link_share(struct bridge_link *link, const struct bridge_message *message,
                      struct bridge_call *call)
{
    if (link->state == BRIDGE_LINK_NEW)
        return link_open(link, message);
    if (link->state == BRIDGE_LINK_OPEN)
        bridge_link_welcome(link, call);
    return 0;
}

/* What a shared server is not asked: true, and it was answered. */
static bool link_answers(struct bridge_link *link, struct bridge_session *session,
                         const struct bridge_message *message, struct bridge_call *call)
{
    char uri[BRIDGE_URI_MAX];
    struct buffer text = {0};
    bool last = true;
    long size;

    if (!link->common || session == NULL)
        return false;
    if (bridge_message_is(message, "resources/unsubscribe")) {
        size = message->uri.kind == JSON_STRING ? json_string(&message->uri, uri, sizeof(uri)) : -1;
        if (size >= 0)
            bridge_note_take(&session->uris, slice_make(uri, (size_t)size));
        for (const struct bridge_session *other = link->sessions; other != NULL && size >= 0;
             other = other->beside)
            last = last && !bridge_note_has(other->uris, slice_make(uri, (size_t)size));
        if (last)
            return false;
    } else if (!link->shared || !bridge_message_is(message, "logging/setLevel")) {
        return false;
    }
    if (buffer_append_format(&text, "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":{}}",
                             (int)message->id.size, message->id.data) == 0)
        bridge_link_answer(link, call, buffer_slice(&text), 200);
    buffer_free(&text);
    return true;
}

/* Remembers a subscription, before the server can tell of it. */
static bool link_subscribes(const struct bridge_link *link, struct bridge_session *session,
                            const struct bridge_message *message)
{
    char uri[BRIDGE_URI_MAX];
    struct slice text;
    long size;

    if (!link->common || session == NULL || !bridge_message_is(message, "resources/subscribe") ||
        message->uri.kind != JSON_STRING)
        return true;
    size = json_string(&message->uri, uri, sizeof(uri));
    if (size < 0)
        return false;
    text = slice_make(uri, (size_t)size);
    return bridge_note_has(session->uris, text) ||
           bridge_note_put(&session->uris, text, BRIDGE_URIS_MAX);
}

static int link_dispatch(struct bridge_link *link, struct bridge_session *session,
                         const struct bridge_message *message, struct bridge_call *call)
{
    if (!link->common || link->modern)
        return link_forward(link, message, call->id);
    if (call->purpose == BRIDGE_CALL_INITIALIZE)
        return link_share(link, message, call);
    if (link->state != BRIDGE_LINK_OPEN)
        return -EPROTO; /* an old client's, before its `initialize` */
    if (link_answers(link, session, message, call))
        return 0;
    return link_forward(link, message, call->id);
}

int bridge_link_request(struct bridge_link *link, struct bridge_session *session,
                        struct bridge_stream *stream, const struct bridge_message *message)
{
    bool initialize = session != NULL && bridge_message_is(message, "initialize");
    struct bridge_call *call;
    uint64_t id = ++link->bridge->last_id;
    int error;

    if (link->state == BRIDGE_LINK_ENDED)
        return -EPIPE;
    if ((session != NULL && session->calls >= BRIDGE_CALLS_MAX) ||
        (session == NULL &&
         link->calls.count >= (size_t)BRIDGE_CALLS_MAX * (link->shared ? 16 : 1)) ||
        !link_subscribes(link, session, message))
        return -EDQUOT;
    call =
        bridge_call_add(&link->calls, id, initialize ? BRIDGE_CALL_INITIALIZE : BRIDGE_CALL_CLIENT,
                        message->id, message->token);
    if (call == NULL)
        return -ENOMEM;
    call->session = session;
    call->stream = stream;
    stream->calls++;
    if (session != NULL)
        session->calls++;
    error = link_dispatch(link, session, message, call);
    if (error == 0 || (call = bridge_call_find(&link->calls, id)) == NULL)
        return error;
    stream->calls--;
    if (session != NULL)
        session->calls--;
    bridge_call_remove(&link->calls, call);
    return error;
}

/* Its stream gets no answer any more. */
static void link_forget(struct bridge_link *link, struct bridge_call *call)
{
    struct bridge_stream *stream = call->stream;
    bool last = false;

    if (stream != NULL)
        last = --stream->calls == 0 && stream->kind == BRIDGE_STREAM_ANSWER;
    if (call->session != NULL)
        call->session->calls--;
    bridge_call_remove(&link->calls, call);
    if (last)
        bridge_stream_finish(stream);
}

int bridge_link_notify(struct bridge_link *link, struct bridge_session *session,
                       const struct bridge_message *message)
{
    struct buffer line = {0};
    struct bridge_call *call;
    uint64_t id;
    int error;

    if (bridge_message_is(message, "notifications/cancelled")) {
        call = bridge_call_named(&link->calls, session, message->request_id);
        if (call == NULL)
            return 0; /* it crossed the answer, or is another's */
        id = call->id;
        link_forget(link, call);
        return bridge_link_cancel(link, id);
    }
    if (link->common)
        return 0;
    error = bridge_message_append(&line, message->text, NULL, 0);
    if (error == 0)
        error = bridge_link_send(link, buffer_slice(&line), 0);
    buffer_free(&line);
    return error;
}

int bridge_link_respond(struct bridge_link *link, struct bridge_session *session,
                        const struct bridge_message *message)
{
    struct buffer line = {0};
    int error;

    if (!bridge_note_take(&session->asks, message->id))
        return 0; /* nobody asked: no server learns of it */
    error = bridge_message_append(&line, message->text, NULL, 0);
    if (error == 0)
        error = bridge_link_send(link, buffer_slice(&line), 0);
    buffer_free(&line);
    return error;
}

void bridge_link_cancel_stream(struct bridge_stream *stream)
{
    struct bridge_link *link = stream->server;
    struct bridge_call *call;

    while (link != NULL && (call = bridge_call_of(&link->calls, stream, NULL)) != NULL) {
        uint64_t id = call->id;

        call->stream = NULL;
        stream->calls--;
        link_forget(link, call);
        bridge_link_cancel(link, id);
    }
}

void bridge_link_forget_stream(struct bridge_stream *stream)
{
    struct bridge_link *link = stream->server;
    struct bridge_call *call;

    while (link != NULL && stream->calls > 0 &&
           (call = bridge_call_of(&link->calls, stream, NULL)) != NULL) {
        call->stream = NULL;
        stream->calls--;
    }
    stream->server = NULL;
}

void bridge_link_leave(struct bridge_link *link, struct bridge_session *session)
{
    struct bridge_call *call;

    if (!link->common) {
        if (link->state != BRIDGE_LINK_ENDED)
            link_dispose(link);
        return;
    }
    while ((call = bridge_call_of(&link->calls, NULL, session)) != NULL) {
        uint64_t id = call->id;

        if (call->stream != NULL)
            call->stream->calls--;
        bridge_call_remove(&link->calls, call);
        if (link->state == BRIDGE_LINK_OPEN)
            bridge_link_cancel(link, id);
    }
    for (struct bridge_note *uri = session->uris; uri != NULL && link->state == BRIDGE_LINK_OPEN;
         uri = uri->next) {
        struct slice text = slice_make(uri->text, uri->size);
        bool used = false;

        for (const struct bridge_session *other = link->sessions; other != NULL;
             other = other->beside)
            used = used || bridge_note_has(other->uris, text);
        if (!used)
            bridge_link_unsubscribe(link, text);
    }
}

void bridge_link_stall(struct bridge_link *link, bool stalled)
{
    if (link->state == BRIDGE_LINK_ENDED)
        return;
    link->stalled += stalled ? 1U : -1U;
    /* Others must not wait for one who does not read: that one is cut off (bridge_stream.c). */
    if (!link->common && link->stalled == (stalled ? 1U : 0U))
        link->ops->pause(link, stalled);
}
