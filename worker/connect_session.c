#include "worker/connect_session.h"

static void session_keep(struct buffer *place, struct slice text)
{
    buffer_clear(place);
    if (buffer_append_slice(place, text) != 0)
        connect_say("out of memory: the session cannot be opened anew");
}

/* Ids and versions stand in headers; a string with escapes is none of these. */
static struct slice session_plain(const struct json_value *string)
{
    return string->kind == JSON_STRING && !string->escaped
               ? slice_make(string->text.data + 1, string->text.size - 2)
               : slice_make(NULL, 0);
}

static void session_end_stream(struct connect *connect)
{
    for (struct connect_call *call = connect->calls; call != NULL; call = call->next) {
        if (call->kind == CONNECT_LISTEN) {
            connect_call_finish(call);
            return;
        }
    }
}

static void session_stream(struct connect *connect)
{
    struct connect_call *call;

    session_end_stream(connect);
    call = connect_call_make(connect, CONNECT_LISTEN, slice_make(NULL, 0), NULL);
    if (call != NULL)
        connect_call_start(call);
}

void connect_session_opened(struct connect_call *call, const struct connect_message *answer)
{
    struct connect_session *session = &call->connect->session;

    session_end_stream(call->connect);
    session->open = true;
    session->serial++;
    session_keep(&session->id, buffer_slice(&call->session));
    session_keep(&session->version, session_plain(&answer->version));
    session_keep(&session->server, answer->server.text);
    session_keep(&session->initialize, buffer_slice(&call->text));
    buffer_clear(&session->initialized);
    connect_restore_clear(&session->restore);
}

/* Who waits for the session goes on. */
static void session_anew(struct connect *connect)
{
    connect->session.reopening = false;
    connect_say("the session was opened anew");
    connect_calls_wake(connect, CONNECT_WAIT_SESSION, NULL);
}

void connect_session_told(struct connect *connect)
{
    if (connect->session.reopening && !connect_restore_next(connect))
        session_anew(connect);
}

void connect_session_settled(struct connect_call *call)
{
    struct connect *connect = call->connect;
    struct connect_session *session = &connect->session;

    if (!session->open)
        return;
    if (call->kind != CONNECT_REPLAYED)
        session_keep(&session->initialized, buffer_slice(&call->text));
    /* Before anything is told, so that no update is missed. */
    session_stream(connect);
    if (call->kind == CONNECT_REPLAYED && !connect_restore_begin(connect) && session->reopening)
        session_anew(connect);
}

void connect_session_lost(struct connect *connect)
{
    struct connect_session *session = &connect->session;
    struct connect_call *call = NULL;
    struct mcp_reader reader;
    struct mcp_message message;

    if (session->reopening || !session->open)
        return;
    session->reopening = true;
    session_end_stream(connect);
    mcp_reader_begin(&reader, buffer_slice(&session->initialize), false);
    if (mcp_reader_next(&reader, &message) == 1)
        call = connect_call_make(connect, CONNECT_REPLAY, buffer_slice(&session->initialize),
                                 &message);
    if (call == NULL)
        connect_session_failed(connect, "out of memory");
    else
        connect_call_start(call);
}

void connect_session_replayed(struct connect_call *call, const struct connect_message *answer)
{
    struct connect *connect = call->connect;
    struct connect_session *session = &connect->session;
    struct connect_call *settled;

    if (answer->result.kind != JSON_OBJECT) {
        connect_call_fail(call, "the session was lost, and the server refuses a new one");
        return;
    }
    if (!slice_equal(session_plain(&answer->version), buffer_slice(&session->version)) ||
        !slice_equal(answer->server.text, buffer_slice(&session->server))) {
        connect_call_fail(call, "the session was lost, and the server that answers now is another "
                                "one, or of another version; start the client again");
        return;
    }
    session->serial++;
    session_keep(&session->id, buffer_slice(&call->session));
    connect_call_answered(call);
    if (buffer_size(&session->initialized) == 0) {
        session_anew(connect);
        return;
    }
    settled =
        connect_call_make(connect, CONNECT_REPLAYED, buffer_slice(&session->initialized), NULL);
    if (settled == NULL)
        connect_session_failed(connect, "out of memory");
    else
        connect_call_start(settled);
}

void connect_session_failed(struct connect *connect, const char *words)
{
    /* The next message tries again. */
    connect->session.reopening = false;
    connect_calls_wake(connect, CONNECT_WAIT_SESSION, words);
}

void connect_session_free(struct connect_session *session)
{
    buffer_free(&session->id);
    buffer_free(&session->version);
    buffer_free(&session->server);
    buffer_free(&session->initialize);
    buffer_free(&session->initialized);
    connect_restore_clear(&session->restore);
}
