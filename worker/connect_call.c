#include "worker/connect_call.h"

#include "worker/connect_header.h"
#include "worker/connect_session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    CALL_PATIENCE_S = 20, /* for a gate that restarts; clients wait a minute for an answer */
    CALL_PAUSE_MS = 100,  /* before the second try; doubles */
    CALL_PAUSE_MAX_MS = 2000,
    CALL_LISTEN_MAX_MS = 30000, /* the session's stream is tried for ever, but seldom */
    CALL_LINGER_MS = 1000,      /* for a stream to end by itself when its answer was there */
    CALL_ACCEPT_MS = 60000,     /* for a notification to be taken: later ones wait for it */
    CALL_GOODBYE_MS = 700,      /* clients wait two seconds before they kill */
    CALL_RESTORE_MS = 10000, /* for a new session to be told what the last one was: others wait */
    /* For a resumed stream to say something. Then it is asked for again: server-everything, and
     * what was begun from its code, replays what it has stored, and says nothing more on that
     * stream. */
    CALL_SILENCE_MS = 5000,
    CALL_ID_MAX = 512, /* bytes of an id that is compared decoded */
};

static void call_ask_again(struct connect_call *call)
{
    connect_link_cancel(call->link);
    call->link = NULL;
    call->silences++;
    connect_call_start(call);
}

static void call_late(struct deadline *deadline)
{
    struct connect_call *call = deadline->owner;

    if (call->answered || call->kind == CONNECT_GOODBYE)
        connect_call_finish(call);
    else if (call->wait == CONNECT_WAIT_TIMER)
        connect_call_start(call);
    else if (call->kind == CONNECT_RESTORE)
        connect_call_fail(call, "no answer in time");
    else if (call->resumes && call->link != NULL)
        call_ask_again(call);
}

static int call_read(struct connect_call *call, struct slice text,
                     const struct mcp_message *message)
{
    const char *base = buffer_data(&call->text);
    struct slice request = message->request_id.text;
    long size;
    size_t room;

    call->modern = message->meta_version.kind == JSON_STRING;
    if (message->id.size > 0)
        call->id = slice_make(base + (message->id.data - text.data), message->id.size);
    if (message->method.kind != JSON_STRING)
        return 0;
    if (buffer_reserve(&call->method, message->method.text.size) != 0)
        return -ENOMEM;
    size = json_string(&message->method, buffer_space(&call->method, &room),
                       message->method.text.size - 1);
    buffer_commit(&call->method, size < 0 ? 0 : (size_t)size);
    buffer_append(&call->method, "", 1);
    call->initialize = strcmp(buffer_data(&call->method), "initialize") == 0;
    call->initialized = strcmp(buffer_data(&call->method), "notifications/initialized") == 0;
    call->lists_tools = strcmp(buffer_data(&call->method), "tools/list") == 0;
    if (strcmp(buffer_data(&call->method), "notifications/cancelled") == 0 && request.size > 0)
        call->cancels = slice_make(base + (request.data - text.data), request.size);
    if (!call->modern)
        return 0;
    return connect_header_repeat(&call->repeated, message,
                                 message->name.kind == JSON_STRING
                                     ? connect_tools_find(&call->connect->tools, &message->name)
                                     : NULL);
}

static void call_release(struct connect_remains *remains)
{
    struct connect_call *call = (struct connect_call *)remains;

    buffer_free(&call->text);
    buffer_free(&call->repeated);
    buffer_free(&call->method);
    buffer_free(&call->challenge);
    buffer_free(&call->session);
    buffer_free(&call->body);
    buffer_free(&call->last_id);
    event_stream_free(&call->events);
    free(call);
}

struct connect_call *connect_call_make(struct connect *connect, enum connect_kind kind,
                                       struct slice text, const struct mcp_message *message)
{
    struct connect_call *call = calloc(1, sizeof(*call));

    if (call == NULL)
        return NULL;
    call->connect = connect;
    call->kind = kind;
    if (buffer_append_slice(&call->text, text) != 0 ||
        (message != NULL && call_read(call, text, message) != 0)) {
        call_release(&call->remains);
        return NULL;
    }
    call->initialize = call->initialize || kind == CONNECT_REPLAY;
    deadline_open(&call->deadline, connect->loop, call_late, call);
    call->place = &connect->calls;
    call->next = connect->calls;
    if (call->next != NULL)
        call->next->place = &call->next;
    connect->calls = call;
    connect->call_count++;
    connect->call_bytes += text.size;
    return call;
}

const char *connect_call_name(const struct connect_call *call)
{
    switch (call->kind) {
    case CONNECT_RESPONSE:
        return "an answer to the server";
    case CONNECT_LISTEN:
        return "the session's stream";
    case CONNECT_REPLAY:
    case CONNECT_REPLAYED:
        return "the new session";
    case CONNECT_RESTORE:
        return "what the new session is told again";
    case CONNECT_GOODBYE:
        return "the session's end";
    default:
        return buffer_size(&call->method) > 0 ? buffer_data(&call->method) : "a message";
    }
}

static uint64_t call_patience(const struct connect_call *call)
{
    if (call->kind == CONNECT_GOODBYE)
        return CALL_GOODBYE_MS;
    return call->kind == CONNECT_REQUEST ? 0 : CALL_ACCEPT_MS;
}

/* Whether it belongs to a session that is being opened anew. */
static bool call_awaits_session(const struct connect_call *call)
{
    return call->connect->session.reopening && !call->modern && !call->initialize &&
           call->kind <= CONNECT_RESPONSE;
}

static void call_send(struct connect_call *call)
{
    struct connect *connect = call->connect;
    struct connect_listener listener;
    struct buffer head = {0};
    struct slice body;

    connect_answer_listen(call, &listener);
    call->token_serial = connect->token.serial;
    call->session_serial = connect->session.serial;
    if (connect_request_head(call, &head, &body) == 0)
        call->link =
            connect_link_open(&connect->links, &head, body, call_patience(call), &listener);
    buffer_wipe(&head);
    if (call->link == NULL)
        connect_call_fail(call, "out of memory");
    else
        call->sent = true;
    if (call->link != NULL && call->kind == CONNECT_RESTORE)
        deadline_set(&call->deadline, CALL_RESTORE_MS);
}

void connect_call_start(struct connect_call *call)
{
    struct connect *connect = call->connect;

    deadline_clear(&call->deadline);
    call->wait = CONNECT_BUSY;
    if (!connect_token_ready(&connect->token)) {
        call->wait = CONNECT_WAIT_TOKEN;
        connect_token_ask(&connect->token);
    } else if (call_awaits_session(call)) {
        call->wait = CONNECT_WAIT_SESSION;
    } else {
        call_send(call);
    }
}

void connect_call_heard(struct connect_call *call)
{
    if (call->resumes && !call->answered)
        deadline_set(&call->deadline,
                     (uint64_t)CALL_SILENCE_MS << (call->silences < 4 ? call->silences : 4));
}

void connect_call_start_later(struct connect_call *call, uint64_t milliseconds)
{
    call->wait = CONNECT_WAIT_TIMER;
    deadline_set(&call->deadline, milliseconds);
}

void connect_call_repeat(struct connect_call *call, const char *reason)
{
    uint64_t most = call->kind == CONNECT_LISTEN ? CALL_LISTEN_MAX_MS : CALL_PAUSE_MAX_MS;
    uint64_t pause = call->failures < 16 ? (uint64_t)CALL_PAUSE_MS << call->failures : most;
    char words[CONNECT_REASON_MAX + 64];

    if (call->gives_up == 0)
        call->gives_up = ev_now(call->connect->loop) + CALL_PATIENCE_S;
    if (call->kind == CONNECT_GOODBYE ||
        (call->kind != CONNECT_LISTEN && ev_now(call->connect->loop) >= call->gives_up)) {
        snprintf(words, sizeof(words), "the gate cannot be reached: %s", reason);
        connect_call_fail(call, words);
        return;
    }
    if (call->failures++ == 0)
        connect_say("%s: %s; trying again", connect_call_name(call), reason);
    call->sent = call->resumes;
    connect_call_start_later(call, pause < most ? pause : most);
}

/* Takes it out of the queue when it waits there. */
static void call_unqueue(struct connect_call *call)
{
    struct connect *connect = call->connect;
    struct connect_call **at = &connect->queue;

    while (*at != NULL && *at != call)
        at = &(*at)->behind;
    if (*at == NULL)
        return;
    *at = call->behind;
    if (connect->queue_end == &call->behind)
        connect->queue_end = at;
}

void connect_call_finish(struct connect_call *call)
{
    struct connect *connect = call->connect;

    if (call->closed)
        return;
    call->closed = true;
    if (call->link != NULL)
        connect_link_cancel(call->link);
    call->link = NULL;
    call_unqueue(call);
    deadline_close(&call->deadline);
    *call->place = call->next;
    if (call->next != NULL)
        call->next->place = call->place;
    connect->call_count--;
    connect->call_bytes -= buffer_size(&call->text);
    if (connect->barrier == call)
        connect->barrier = NULL;
    connect_grave_bury(&connect->grave, &call->remains, call_release);
    connect_advance(connect);
}

void connect_call_answered(struct connect_call *call)
{
    call->answered = true;
    call->wait = CONNECT_BUSY;
    if (call->connect->barrier == call)
        call->connect->barrier = NULL;
    if (call->link == NULL)
        connect_call_finish(call);
    else
        deadline_set(&call->deadline, CALL_LINGER_MS);
    connect_advance(call->connect);
}

void connect_call_fail(struct connect_call *call, const char *words)
{
    struct connect *connect = call->connect;
    enum connect_kind kind = call->kind;
    struct buffer line = {0};

    if (!call->cancelled && kind != CONNECT_GOODBYE)
        connect_say("%s: %s", connect_call_name(call), words);
    if (kind == CONNECT_REQUEST && !call->cancelled && !call->answered) {
        if (connect_message_fail(&line, call->id, slice_from(words)) == 0)
            connect_output_line(&connect->output, buffer_slice(&line));
        buffer_free(&line);
    }
    connect_call_finish(call);
    if (kind == CONNECT_REPLAY || kind == CONNECT_REPLAYED)
        connect_session_failed(connect, words);
    else if (kind == CONNECT_RESTORE)
        connect_session_told(connect);
}

bool connect_call_id_is(struct slice a, struct slice b)
{
    struct json_value left = {.kind = JSON_STRING, .text = a, .escaped = true};
    struct json_value right = {.kind = JSON_STRING, .text = b, .escaped = true};
    char decoded[CALL_ID_MAX];
    long size;

    if (slice_equal(a, b))
        return true;
    if (a.size < 2 || b.size < 2 || a.data[0] != '"' || b.data[0] != '"')
        return false;
    size = json_string(&left, decoded, sizeof(decoded));
    return size >= 0 && json_string_is(&right, slice_make(decoded, (size_t)size));
}

struct connect_call *connect_call_find(struct connect *connect, struct slice id)
{
    for (struct connect_call *call = connect->calls; call != NULL; call = call->next)
        if (call->kind == CONNECT_REQUEST && !call->answered && connect_call_id_is(call->id, id))
            return call;
    return NULL;
}

static struct connect_call *calls_waiting(struct connect *connect, enum connect_wait wait)
{
    struct connect_call *found = NULL;

    /* The oldest first: the list begins with the newest. */
    for (struct connect_call *call = connect->calls; call != NULL; call = call->next)
        if (call->wait == wait)
            found = call;
    return found;
}

static void call_wake(struct connect_call *call, enum connect_wait wait, const char *failure)
{
    bool same = wait == CONNECT_WAIT_TOKEN && call->token_asked &&
                call->token_serial == call->connect->token.serial;

    call->wait = CONNECT_BUSY;
    if (failure == NULL && !same) {
        connect_call_start(call);
    } else if (call->kind == CONNECT_LISTEN) {
        call->token_asked = false;
        connect_call_start_later(call, CALL_LISTEN_MAX_MS);
    } else {
        connect_call_fail(call, failure != NULL ? failure
                                                : "the gate refused the token, and asking again "
                                                  "gave no other");
    }
}

void connect_calls_wake(struct connect *connect, enum connect_wait wait, const char *failure)
{
    struct connect_call *call;

    /* Waking one may end others. Whoever begins to wait again meanwhile is not of these: a token
     * that is ready, and a session that is open, make nobody wait. */
    while ((call = calls_waiting(connect, wait)) != NULL)
        call_wake(call, wait, failure);
}
