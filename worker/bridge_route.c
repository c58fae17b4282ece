/* What servers say, brought to those whom it is for: each message to exactly one stream of a
 * session (2025-03-26 and later, transports). */
#include "worker/bridge_link.h"

#include "shared/log.h"
#include "worker/bridge_app.h"
#include "worker/bridge_session.h"

#include <stdio.h>

void bridge_link_answer(struct bridge_link *link, struct bridge_call *call, struct slice text,
                        unsigned status)
{
    struct bridge_stream *stream = call->stream;
    bool last = false;

    if (stream != NULL)
        last = --stream->calls == 0 && stream->kind != BRIDGE_STREAM_OLD;
    if (call->session != NULL)
        call->session->calls--;
    bridge_call_remove(&link->calls, call);
    if (stream == NULL)
        return;
    if (last && stream->session == NULL)
        stream->server = NULL; /* the link may go before the stream has been sent */
    bridge_stream_put(stream, text, last ? status : 0);
}

void bridge_link_fail(struct bridge_link *link, uint64_t id, int code, const char *message)
{
    struct bridge_call *call = bridge_call_find(&link->calls, id);
    struct bridge_session *session;
    struct buffer text = {0};
    unsigned status = code == BRIDGE_NOT_INITIALIZED ? 400 : 200;
    bool initialize;

    if (call == NULL)
        return;
    initialize = call->purpose == BRIDGE_CALL_INITIALIZE;
    session = call->session;
    if (link->status != 0)
        status = link->status;
    /* A session that was not opened has no id. */
    if (initialize && call->stream != NULL && call->stream->kind == BRIDGE_STREAM_PLAIN)
        call->stream->session = NULL;
    if (buffer_append_format(&text,
                             "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"error\":{\"code\":%d,"
                             "\"message\":\"%s\"}}",
                             (int)buffer_size(&call->client_id), buffer_data(&call->client_id),
                             code, message) == 0)
        bridge_link_answer(link, call, buffer_slice(&text), status);
    buffer_free(&text);
    if (initialize && session != NULL && !session->old)
        bridge_session_end(session);
}

/* A session is open: what its client can read from now on. */
static void route_opened(struct bridge_session *session, struct slice version)
{
    session->opened = true;
    /* "2025-11-25" and later, as it stands in its quotes. */
    session->primed = slice_compare(version, slice_from("\"2025-11-25\"")) >= 0;
    if (session->standing != NULL)
        session->standing->primed = session->primed;
}

static struct slice route_version(const struct json_value *result)
{
    static const char *const name[] = {"protocolVersion"};
    struct json_value version;

    if (json_members(result, name, 1, &version) != 0 || version.kind != JSON_STRING)
        return slice_make(NULL, 0);
    return version.text;
}

void bridge_link_welcome(struct bridge_link *link, struct bridge_call *call)
{
    struct json_value result;
    struct buffer text = {0};
    const char *reason;

    if (json_parse(buffer_slice(&link->opened), &result, &reason) == 0 && call->session != NULL)
        route_opened(call->session, route_version(&result));
    if (buffer_append_format(&text, "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":%.*s}",
                             (int)buffer_size(&call->client_id), buffer_data(&call->client_id),
                             (int)buffer_size(&link->opened), buffer_data(&link->opened)) == 0)
        bridge_link_answer(link, call, buffer_slice(&text), 200);
    buffer_free(&text);
}

/* The server answered our own `initialize`: so it answers those who wait for theirs. */
static void route_open(struct bridge_link *link, struct bridge_call *call,
                       const struct bridge_message *message)
{
    static const char initialized[] =
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}";
    uint64_t id = 0;

    bridge_call_remove(&link->calls, call);
    if (message->result.kind != JSON_OBJECT ||
        bridge_message_append(&link->opened, message->result.text, NULL, 0) != 0 ||
        link->ops->send(link, slice_from(initialized), 0) != 0) {
        bridge_link_end(link, "the server refused to be opened");
        return;
    }
    link->state = BRIDGE_LINK_OPEN;
    bridge_app_served(link);
    while (link->state == BRIDGE_LINK_OPEN &&
           (call = bridge_call_after(&link->calls, id)) != NULL) {
        id = call->id;
        if (call->purpose == BRIDGE_CALL_INITIALIZE)
            bridge_link_welcome(link, call);
    }
}

/* 2026-07-28, Streamable HTTP: some errors have a status of their own. */
static unsigned route_status(const struct bridge_call *call, const struct bridge_message *message)
{
    if (call->session != NULL)
        return 200;
    switch (message->error) {
    case BRIDGE_NO_METHOD:
        return 404;
    case -32020: /* HeaderMismatch, a missing capability, an unsupported version */
    case -32021:
    case -32022:
        return 400;
    default:
        return 200;
    }
}

static void route_client_response(struct bridge_link *link, struct bridge_call *call,
                                  const struct bridge_message *message)
{
    struct bridge_edit edits[] = {{.old = message->id, .text = buffer_slice(&call->client_id)},
                                  {.text = buffer_slice(&call->client_id)}};
    bool initialize = call->purpose == BRIDGE_CALL_INITIALIZE;
    bool refused = initialize && message->result.kind != JSON_OBJECT;
    struct bridge_session *session = call->session;
    unsigned status = route_status(call, message);
    struct buffer text = {0};

    /* A subscription of 2026-07-28 is named by its request's id. */
    if (slice_equal(message->subscription, message->id))
        edits[1].old = message->subscription;
    if (refused && call->stream != NULL && call->stream->kind == BRIDGE_STREAM_PLAIN)
        call->stream->session = NULL;
    if (initialize && !refused && session != NULL)
        route_opened(session, route_version(&message->result));
    bridge_app_served(link);
    if (bridge_message_append(&text, message->text, edits, 2) == 0)
        bridge_link_answer(link, call, buffer_slice(&text), status);
    buffer_free(&text);
    if (refused && session != NULL && !session->old)
        bridge_session_end(session);
}

static struct bridge_call *route_call(struct bridge_link *link,
                                      const struct bridge_message *message)
{
    uint64_t id;

    return bridge_message_number(message->id, &id) ? bridge_call_find(&link->calls, id) : NULL;
}

static void route_response(struct bridge_link *link, const struct bridge_message *message)
{
    struct bridge_call *call = route_call(link, message);

    if (call == NULL)
        return; /* it was cancelled, or nobody waits any more */
    switch (call->purpose) {
    case BRIDGE_CALL_OPEN:
        route_open(link, call, message);
        break;
    case BRIDGE_CALL_PROBE:
        bridge_call_remove(&link->calls, call);
        bridge_app_served(link);
        bridge_probe_judged(link, bridge_message_lists(message, "supportedVersions", "2026-07-28"),
                            true);
        break;
    case BRIDGE_CALL_CLIENT:
    case BRIDGE_CALL_INITIALIZE:
        route_client_response(link, call, message);
        break;
    }
}

/* The newest open request of the session (or of the link) whose stream can take more than its
 * answer. */
static struct bridge_stream *route_latest(struct bridge_link *link,
                                          const struct bridge_session *session, bool attached)
{
    struct bridge_stream *latest = NULL;
    uint64_t id = 0;

    for (size_t i = 0; i < BRIDGE_CALL_BUCKETS; i++) {
        for (struct bridge_call *call = link->calls.buckets[i]; call != NULL; call = call->next) {
            if (call->session != session || call->stream == NULL || call->id < id ||
                call->stream->kind == BRIDGE_STREAM_PLAIN ||
                (attached && call->stream->client == NULL))
                continue;
            latest = call->stream;
            id = call->id;
        }
    }
    return latest;
}

/* A server over pipes does not say to which request a message belongs: most likely it is the one
 * that it works on. */
static struct bridge_stream *route_stream(struct bridge_link *link, struct bridge_session *session)
{
    struct bridge_stream *stream = route_latest(link, session, true);

    if (stream != NULL)
        return stream;
    if (session->standing->client == NULL) {
        stream = route_latest(link, session, false);
        if (stream != NULL)
            return stream;
    }
    return session->standing;
}

static void route_put(struct bridge_stream *stream, const struct bridge_message *message)
{
    struct buffer text = {0};

    if (bridge_message_append(&text, message->text, NULL, 0) == 0)
        bridge_stream_put(stream, buffer_slice(&text), 0);
    buffer_free(&text);
}

/* The server asks its client. */
static void route_request(struct bridge_link *link, const struct bridge_message *message)
{
    struct bridge_session *session = link->common ? NULL : link->sessions;

    /* Whether the peer is there: the peer is the bridge. */
    if (bridge_message_is(message, "ping"))
        bridge_link_refuse(link, message->id, 0, NULL);
    else if (session == NULL)
        bridge_link_refuse(link, message->id, BRIDGE_NO_METHOD,
                           "no client of this server can be asked");
    else if (!bridge_note_put(&session->asks, message->id, BRIDGE_ASKS_MAX))
        bridge_link_refuse(link, message->id, BRIDGE_INTERNAL_ERROR,
                           "the client has not answered what it was asked before");
    else
        route_put(route_stream(link, session), message);
}

/* To the call that progress or a subscription names. */
static void route_to_call(struct bridge_link *link, const struct bridge_message *message,
                          struct slice name, bool progress)
{
    struct bridge_call *call = NULL;
    struct bridge_edit edit = {.old = name};
    struct buffer text = {0};
    uint64_t id;

    if (bridge_message_number(name, &id))
        call = bridge_call_find(&link->calls, id);
    if (call == NULL || call->stream == NULL || call->stream->kind == BRIDGE_STREAM_PLAIN)
        return;
    edit.text = buffer_slice(progress ? &call->token : &call->client_id);
    if (edit.text.size > 0 && bridge_message_append(&text, message->text, &edit, 1) == 0)
        bridge_stream_put(call->stream, buffer_slice(&text), 0);
    buffer_free(&text);
}

static bool route_is_list_changed(const struct bridge_message *message)
{
    return bridge_message_is(message, "notifications/tools/list_changed") ||
           bridge_message_is(message, "notifications/prompts/list_changed") ||
           bridge_message_is(message, "notifications/resources/list_changed");
}

/* A notification of a server that several sessions share. */
static void route_to_all(struct bridge_link *link, const struct bridge_message *message)
{
    bool updated = bridge_message_is(message, "notifications/resources/updated");
    struct bridge_session *next;
    char uri[BRIDGE_URI_MAX];
    long size = -1;

    if (updated && message->uri.kind == JSON_STRING)
        size = json_string(&message->uri, uri, sizeof(uri));
    if ((updated && size < 0) || (!updated && link->shared && !route_is_list_changed(message)))
        return;
    for (struct bridge_session *session = link->sessions; session != NULL; session = next) {
        next = session->beside;
        if (session->opened &&
            (!updated || bridge_note_has(session->uris, slice_make(uri, (size_t)size))))
            route_put(session->standing, message);
    }
}

static void route_notification(struct bridge_link *link, const struct bridge_message *message)
{
    struct bridge_stream *stream;

    if (bridge_message_is(message, "notifications/progress")) {
        route_to_call(link, message, message->token, true);
    } else if (message->subscription.size > 0 && link->modern) {
        route_to_call(link, message, message->subscription, false);
    } else if (link->modern) {
        stream = link->shared ? NULL : route_latest(link, NULL, true);
        if (stream != NULL && !route_is_list_changed(message))
            route_put(stream, message);
    } else if (link->common) {
        route_to_all(link, message);
    } else if (link->sessions != NULL) {
        if (bridge_message_is(message, "notifications/cancelled"))
            bridge_note_take(&link->sessions->asks, message->request_id);
        route_put(route_stream(link, link->sessions), message);
    }
}

/* A result that is no object, an answer with neither result nor error, or both: its caller would
 * wait for another until the time is up. */
static bool route_broken(struct bridge_link *link, const struct bridge_message *message)
{
    struct bridge_message nothing = {.kind = BRIDGE_RESPONSE, .id = message->id};
    struct bridge_call *call = route_call(link, message);

    if (!message->broken || call == NULL)
        return false;
    log_warning("server_answer", "app %s: an answer breaks JSON-RPC 2.0; its caller is told",
                bridge_app_name(link->app));
    if (call->purpose == BRIDGE_CALL_OPEN || call->purpose == BRIDGE_CALL_PROBE)
        route_response(link, &nothing);
    else
        bridge_link_fail(link, call->id, BRIDGE_INTERNAL_ERROR,
                         "the server's answer breaks JSON-RPC 2.0");
    return true;
}

static void route_message(struct bridge_link *link, struct slice text)
{
    struct bridge_message message;
    const char *reason;

    if (bridge_message_read(text, &message, &reason) != 0) {
        if (!route_broken(link, &message))
            bridge_app_garbage(link->app, text.size, reason);
        return;
    }
    switch (message.kind) {
    case BRIDGE_RESPONSE:
        route_response(link, &message);
        break;
    case BRIDGE_REQUEST:
        route_request(link, &message);
        break;
    case BRIDGE_NOTIFICATION:
        route_notification(link, &message);
        break;
    }
}

static bool route_is_batch(struct slice text)
{
    while (text.size > 0 && memchr(" \t\r\n", text.data[0], 4) != NULL)
        text = slice_skip(text, 1);
    return text.size > 0 && text.data[0] == '[';
}

void bridge_link_receive(struct bridge_link *link, struct slice text)
{
    struct json_iterator iterator;
    struct json_value root, value;
    const char *reason;

    if (link->state == BRIDGE_LINK_ENDED)
        return;
    /* A batch (2025-03-26, which has clients receive them): its messages, one by one. */
    if (!route_is_batch(text) || json_parse(text, &root, &reason) != 0) {
        route_message(link, text);
        return;
    }
    json_iterate(&iterator, &root);
    while (link->state != BRIDGE_LINK_ENDED && json_next(&iterator, NULL, NULL, &value) == 1)
        route_message(link, value.text);
}
