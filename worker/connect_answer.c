/* What a call gets: its link's call-backs, and what each answer means. */
#include "worker/connect_call.h"
#include "worker/connect_event.h"
#include "worker/connect_refusal.h"
#include "worker/connect_session.h"
#include "worker/http_field.h"

#include <stdio.h>

enum {
    ANSWER_RETRY_MAX_S = 30, /* of Retry-After that we wait; a client waits a minute */
    ANSWER_RESUME_MS = 1000, /* before a broken stream is resumed, unless it says `retry` */
    ANSWER_RESUME_MAX_MS = 60000,
    ANSWER_RESUMES = 10,       /* in a row that brought nothing */
    ANSWER_LISTEN_MS = 30000,  /* before the session's stream is asked for again after a no */
    ANSWER_LISTEN_MAX_S = 600, /* of Retry-After, for that stream */
    ANSWER_BODY_MAX = CONNECT_LINE_MAX,
    ANSWER_WORDS_MAX = 400, /* bytes of a server's message that are shown */
};

static const char answer_maybe[] = "the connection was lost before the answer came; the server "
                                   "may have acted, so the request was not sent again";

static const char answer_unresumed[] =
    "; so the rest of the answer cannot be had, and the server may "
    "have acted";

/* Forwards a message to the client. */
static void answer_forward(struct connect_call *call, struct slice text)
{
    connect_output_line(&call->connect->output, text);
}

static void answer_said(const struct connect_message *message)
{
    char words[ANSWER_WORDS_MAX];
    long size = message->error_message.kind == JSON_STRING
                    ? json_string(&message->error_message, words, sizeof(words))
                    : -1;

    connect_say("the server says: %.*s", size < 0 ? 8 : (int)size, size < 0 ? "an error" : words);
}

/* The response to `call` is here. */
static void answer_take(struct connect_call *call, struct slice text,
                        const struct connect_message *message)
{
    if (call->kind == CONNECT_REPLAY) {
        connect_session_replayed(call, message);
        return;
    }
    if (call->kind == CONNECT_RESTORE) {
        if (message->result.kind == JSON_INVALID)
            answer_said(message);
        connect_call_answered(call);
        connect_session_told(call->connect);
        return;
    }
    if (call->initialize && message->result.kind == JSON_OBJECT)
        connect_session_opened(call, message);
    if (!call->modern && message->result.kind == JSON_OBJECT)
        connect_restore_note(&call->connect->session.restore, call);
    if (call->modern && call->lists_tools && message->result.kind == JSON_OBJECT)
        connect_tools_learn(&call->connect->tools, message->result.text);
    if (!call->cancelled)
        answer_forward(call, text);
    connect_call_answered(call);
}

static void answer_message(struct connect_call *call, struct slice text)
{
    struct connect_message message;
    struct connect_call *asked = call;

    connect_message_read(text, &message);
    switch (message.says) {
    case CONNECT_SAYS_MESSAGE:
        answer_forward(call, text);
        break;
    case CONNECT_SAYS_RESPONSE:
        if (call->answered || !connect_call_id_is(call->id, message.id))
            asked = connect_call_find(call->connect, message.id);
        if (asked != NULL)
            answer_take(asked, text, &message);
        break;
    case CONNECT_SAYS_ERROR:
        answer_said(&message);
        break;
    case CONNECT_SAYS_NOTHING:
        connect_say("%s: the server sent what is no message; it was dropped",
                    connect_call_name(call));
        break;
    }
}

static void answer_event(struct connect_call *call, const struct event *event)
{
    struct connect_event fields;

    connect_event_read(event, &fields);
    if (fields.has_id) {
        buffer_clear(&call->last_id);
        buffer_append_slice(&call->last_id, fields.id);
    }
    if (fields.has_retry)
        call->retry = fields.retry < ANSWER_RESUME_MAX_MS ? fields.retry : ANSWER_RESUME_MAX_MS;
    if (event->data.size == 0)
        return;
    call->failures = 0;
    call->silences = 0;
    connect_call_heard(call);
    answer_message(call, event->data);
}

static void answer_events(struct connect_call *call, struct slice bytes)
{
    struct event event;
    int result = 0;

    while (!call->closed && (result = event_stream_next(&call->events, &bytes, &event)) == 1)
        answer_event(call, &event);
    if (result < 0 && !call->closed)
        connect_call_fail(call, "the server sent a message that is too large");
}

static void answer_header(struct connect_call *call, const struct http_header *header)
{
    switch (header->field) {
    case HTTP_MCP_SESSION_ID:
        buffer_clear(&call->session);
        buffer_append_slice(&call->session, header->value);
        break;
    case HTTP_WWW_AUTHENTICATE:
        if (buffer_size(&call->challenge) == 0)
            buffer_append_slice(&call->challenge, header->value);
        break;
    case HTTP_RETRY_AFTER:
        call->retry_said = http_length_parse(header->value, &call->retry_after);
        break;
    case HTTP_GATEHOUSE:
        if (slice_equal_nocase(header->name, slice_from("Gatehouse-Error-Origin")))
            call->gateway = slice_is(header->value, "gateway");
        break;
    default:
        break;
    }
}

static void answer_head(void *context, const struct http_response *response)
{
    struct connect_call *call = context;

    call->status = response->status;
    call->events_come = response->status == 200 && response->event_stream;
    call->gateway = false;
    call->retry_said = false;
    call->retry_after = 0;
    call->gives_up = 0;
    if (!call->resumes)
        call->failures = 0;
    if (response->status >= 200 && response->status < 300)
        call->token_asked = false; /* this token is good; another may be asked for when it is old */
    buffer_clear(&call->session);
    buffer_clear(&call->challenge);
    buffer_clear(&call->body);
    event_stream_free(&call->events);
    call->events = (struct event_stream){.limit = CONNECT_LINE_MAX};
    for (size_t i = 0; i < response->header_count; i++)
        answer_header(call, &response->headers[i]);
    if (call->events_come)
        connect_call_heard(call);
}

static void answer_data(void *context, struct slice bytes)
{
    struct connect_call *call = context;

    if (call->events_come)
        answer_events(call, bytes);
    else if (buffer_size(&call->body) + bytes.size > ANSWER_BODY_MAX)
        connect_call_fail(call, "the server's answer is too large");
    else if (buffer_append_slice(&call->body, bytes) != 0)
        connect_call_fail(call, "out of memory");
}

/* A stream ended, in good order or not, and its answer has not come. */
static void answer_stream_over(struct connect_call *call)
{
    uint64_t pause = call->retry > 0 ? call->retry : ANSWER_RESUME_MS;

    if (call->kind == CONNECT_LISTEN) {
        connect_call_start_later(call, pause);
    } else if (call->cancelled || call->kind != CONNECT_REQUEST) {
        connect_call_fail(call, "the stream ended without an answer");
    } else if (call->modern || buffer_size(&call->last_id) == 0) {
        connect_call_fail(call, answer_maybe);
    } else if (++call->failures > ANSWER_RESUMES) {
        connect_call_fail(call, "the stream ends again and again without an answer");
    } else {
        call->resumes = true;
        connect_call_start_later(call, pause);
    }
}

/* What is no request is done when it was taken, whatever the server says to it. */
static bool answer_is_awaited(const struct connect_call *call)
{
    return call->kind == CONNECT_REQUEST || call->kind == CONNECT_REPLAY ||
           call->kind == CONNECT_RESTORE || call->kind == CONNECT_LISTEN;
}

/* A JSON document, or the empty answer to what is no request. */
static void answer_document(struct connect_call *call)
{
    if (call->kind == CONNECT_NOTIFICATION || call->kind == CONNECT_REPLAYED) {
        struct connect_call *cancelled =
            call->cancels.size > 0 ? connect_call_find(call->connect, call->cancels) : NULL;

        /* Nothing more will come: the server was told. */
        if (cancelled != NULL)
            connect_call_finish(cancelled);
        if (call->initialized || call->kind == CONNECT_REPLAYED)
            connect_session_settled(call);
    } else if (answer_is_awaited(call)) {
        if (buffer_size(&call->body) > 0)
            answer_message(call, buffer_slice(&call->body));
        if (!call->answered && !call->closed)
            connect_call_fail(call, "the server's answer was not to this request");
        return;
    }
    connect_call_finish(call);
}

/* The error in the body, if it is one. */
static void answer_error(const struct connect_call *call, struct connect_message *out)
{
    connect_message_read(buffer_slice(&call->body), out);
    if (out->error.kind != JSON_OBJECT)
        *out = (struct connect_message){0};
}

static void answer_refused(struct connect_call *call)
{
    struct connect_refusal refusal = {
        .status = call->status,
        .gateway = call->gateway,
        .challenge = buffer_slice(&call->challenge),
        .retry_after = call->retry_after,
    };
    struct connect_message error;
    struct buffer words = {0};
    char message[ANSWER_WORDS_MAX];
    long size;

    answer_error(call, &error);
    size = error.error_message.kind == JSON_STRING
               ? json_string(&error.error_message, message, sizeof(message))
               : 0;
    refusal.message = slice_make(message, size < 0 ? 0 : (size_t)size);
    if (connect_refusal_words(&words, &refusal) != 0 ||
        (call->resumes && buffer_append_text(&words, answer_unresumed) != 0) ||
        buffer_append(&words, "", 1) != 0)
        connect_call_fail(call, "out of memory");
    else
        connect_call_fail(call, buffer_data(&words));
    buffer_free(&words);
}

/* A 4xx whose body is a JSON-RPC error says more than words of ours: the client gets that, with its
 * request's id, which some servers leave out. */
static bool answer_relayed(struct connect_call *call)
{
    struct connect_message error;
    struct buffer line = {0};

    if (call->kind != CONNECT_REQUEST || call->cancelled || call->resumes || call->status == 401 ||
        call->status == 403 || call->status == 429 || call->status >= 500)
        return false;
    answer_error(call, &error);
    if (error.error.kind != JSON_OBJECT ||
        (error.id.size > 0 && !connect_call_id_is(error.id, call->id)) ||
        connect_message_error(&line, call->id, error.error.text) != 0)
        return false;
    answer_forward(call, buffer_slice(&line));
    buffer_free(&line);
    answer_said(&error);
    connect_call_answered(call);
    return true;
}

static void answer_unauthorized(struct connect_call *call)
{
    struct connect_token *token = &call->connect->token;

    if (call->kind == CONNECT_LISTEN && call->token_asked) {
        call->token_asked = false;
        connect_call_start_later(call, ANSWER_LISTEN_MS);
    } else if (call->token_asked || !connect_token_can_change(token)) {
        answer_refused(call);
    } else if (call->token_serial != token->serial) {
        connect_call_start(call); /* another call has asked meanwhile */
    } else {
        call->token_asked = true;
        call->wait = CONNECT_WAIT_TOKEN;
        connect_token_ask(token);
    }
}

/* Servers that do not follow the specification say 400 where it asks for 404: with -32000, and
 * words about the session (server-everything, and what else was begun from its code). */
static bool answer_session_unknown(const struct connect_call *call)
{
    struct connect_message error;
    char words[ANSWER_WORDS_MAX];
    long size;

    if (call->status == 404)
        return true;
    if (call->status != 400)
        return false;
    answer_error(call, &error);
    if (error.error_message.kind != JSON_STRING || error.id.size > 0)
        return false;
    size = json_string(&error.error_message, words, sizeof(words) - 1);
    words[size < 0 ? 0 : size] = '\0';
    return strcasestr(words, "session") != NULL;
}

static void answer_session_lost(struct connect_call *call)
{
    struct connect *connect = call->connect;

    if (call->session_serial == connect->session.serial)
        connect_session_lost(connect);
    if (call->closed)
        return;
    if (call->kind == CONNECT_LISTEN || call->kind == CONNECT_RESPONSE)
        connect_call_finish(call); /* what it belonged to is gone */
    else if (call->resumes)
        connect_call_fail(call, "the session was lost before the answer came; the server may have "
                                "acted, so the request was not sent again");
    else if (call->reopened)
        answer_refused(call);
    else {
        call->reopened = true;
        connect_call_start(call);
    }
}

static bool answer_in_session(const struct connect_call *call)
{
    return call->connect->session.open && buffer_size(&call->connect->session.id) > 0 &&
           !call->modern && !call->initialize && call->kind <= CONNECT_LISTEN;
}

static void answer_listen_refused(struct connect_call *call)
{
    uint64_t pause = ANSWER_LISTEN_MS;

    if (call->retry_after > 0 && call->retry_after <= ANSWER_LISTEN_MAX_S)
        pause = call->retry_after * 1000;
    /* The server has no such stream. The rest is as final, but where time may help. */
    if (call->status == 404 || call->status == 405 || call->status == 501)
        connect_call_finish(call);
    else if (call->status == 409 || call->status == 429 || call->status >= 500)
        connect_call_start_later(call, pause);
    else
        answer_refused(call);
}

/* The status is no success. */
static void answer_failure(struct connect_call *call)
{
    bool busy = call->status == 429 || call->status == 503;

    if (call->kind == CONNECT_GOODBYE) {
        connect_call_finish(call);
    } else if (call->status == 401) {
        answer_unauthorized(call);
    } else if (answer_in_session(call) && answer_session_unknown(call)) {
        answer_session_lost(call);
    } else if (call->kind == CONNECT_LISTEN) {
        answer_listen_refused(call);
    } else if (busy && call->retry_said && !call->delayed &&
               call->retry_after <= ANSWER_RETRY_MAX_S) {
        call->delayed = true;
        connect_say("%s: the gate is busy; trying again in %u s", connect_call_name(call),
                    (unsigned)call->retry_after);
        connect_call_start_later(call, call->retry_after * 1000);
    } else if (!answer_relayed(call)) {
        answer_refused(call);
    }
}

static void answer_whole(struct connect_call *call)
{
    if (call->answered)
        connect_call_finish(call);
    else if (call->status < 200 || call->status >= 300)
        answer_failure(call);
    else if (call->events_come && answer_is_awaited(call))
        answer_stream_over(call);
    else if (call->resumes)
        connect_call_fail(call, "the server cannot resume the stream; it may have acted, so the "
                                "request was not sent again");
    else
        answer_document(call);
}

static void answer_lost(struct connect_call *call, const char *reason)
{
    if (call->answered)
        connect_call_finish(call);
    else if (call->events_come && call->status == 200)
        answer_stream_over(call);
    else if (call->kind == CONNECT_REQUEST && !call->resumes)
        connect_call_fail(call, answer_maybe);
    else
        connect_call_repeat(call, reason); /* to say it twice changes nothing */
}

static void answer_end(void *context, enum connect_end end, const char *reason)
{
    struct connect_call *call = context;
    char words[CONNECT_REASON_MAX + 64];

    call->link = NULL;
    switch (end) {
    case CONNECT_WHOLE:
        answer_whole(call);
        break;
    case CONNECT_UNSENT:
        connect_call_repeat(call, reason);
        break;
    case CONNECT_LOST:
        answer_lost(call, reason);
        break;
    case CONNECT_GARBAGE:
        snprintf(words, sizeof(words), "the server's answer is not HTTP: %s", reason);
        if (call->answered)
            connect_call_finish(call);
        else
            connect_call_fail(call, words);
        break;
    }
}

void connect_answer_listen(struct connect_call *call, struct connect_listener *out)
{
    call->status = 0;
    call->events_come = false;
    *out = (struct connect_listener){
        .context = call, .head = answer_head, .data = answer_data, .end = answer_end};
}
