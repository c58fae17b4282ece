/* connect_call.h: one message's way to the server: sent, waited for, sent again where that is
 * right.
 *
 * A call lives from a line of the client (or a need of the session) to its answer, over as many
 * exchanges as it takes: a new token after 401, the pause that a 429 or 503 asks for, a new session
 * after 404, a resumed stream. A request that the server may have acted on is never sent again:
 * its client is told. connect_call.c is its life, connect_request.c what it sends, connect_answer.c
 * what it gets.
 */
#ifndef GATEHOUSE_WORKER_CONNECT_CALL_H
#define GATEHOUSE_WORKER_CONNECT_CALL_H

#include "worker/connect.h"
#include "worker/connect_message.h"
#include "worker/event_stream.h"
#include "worker/mcp_message.h"

enum connect_kind {
    CONNECT_REQUEST,
    CONNECT_NOTIFICATION,
    CONNECT_RESPONSE, /* of the client, to a server's request */
    CONNECT_LISTEN,   /* the session's own stream */
    CONNECT_REPLAY,   /* `initialize` once more, for a new session */
    CONNECT_REPLAYED, /* and `notifications/initialized` */
    CONNECT_RESTORE,  /* and what the client told the last one (connect_restore.h) */
    CONNECT_GOODBYE,  /* the session's end */
};

enum connect_wait {
    CONNECT_BUSY,       /* its link works, or is about to */
    CONNECT_WAIT_QUEUE, /* for its turn */
    CONNECT_WAIT_TOKEN,
    CONNECT_WAIT_SESSION,
    CONNECT_WAIT_TIMER,
};

struct connect_call {
    struct connect_remains remains;
    struct connect *connect;
    struct connect_call *next, **place; /* in connect->calls */
    struct connect_call *behind;        /* in the queue */
    enum connect_kind kind;
    enum connect_wait wait;
    /* Of the message. */
    struct buffer text;     /* owned */
    struct buffer repeated; /* header lines that repeat it; owned */
    struct buffer method;   /* decoded; owned */
    struct slice id;        /* JSON text, in `text` */
    bool modern;            /* of 2026-07-28: knows no session */
    bool initialize, initialized;
    bool lists_tools;
    struct slice cancels; /* notifications/cancelled: the request's id, in `text` */
    /* Of its way. */
    bool sent;      /* it may have reached the server */
    bool answered;  /* the client has its answer */
    bool cancelled; /* the client wants none */
    bool token_asked;
    bool delayed;  /* Retry-After was honoured */
    bool reopened; /* it was sent to a second session */
    bool resumes;  /* its next exchange asks for the rest of its stream */
    bool closed;
    unsigned token_serial, session_serial; /* with which it was sent */
    unsigned failures;                     /* in a row */
    unsigned silences;                     /* of its resumed stream, in a row */
    ev_tstamp gives_up;                    /* loop time; 0: not failing */
    struct deadline deadline;
    /* Of the present exchange. */
    struct connect_link *link;
    unsigned status;
    bool events_come; /* the answer is an event stream */
    bool gateway;     /* the gate answered itself */
    bool retry_said;  /* Retry-After was there, in seconds */
    uint64_t retry_after;
    struct buffer challenge, session; /* values of headers */
    struct buffer body;
    struct event_stream events;
    struct buffer last_id; /* of the last event that had one */
    uint64_t retry;        /* milliseconds, as the stream said */
};

/* NULL: out of memory. `message`: the text's, read; NULL for calls of the session. */
struct connect_call *connect_call_make(struct connect *connect, enum connect_kind kind,
                                       struct slice text, const struct mcp_message *message);
/* Begins, or goes on after a wait. */
void connect_call_start(struct connect_call *call);
/* Its stream spoke: a resumed one that falls silent is asked for again. */
void connect_call_heard(struct connect_call *call);
/* After so many milliseconds. */
void connect_call_start_later(struct connect_call *call, uint64_t milliseconds);
/* It failed before the server can have acted: again, after a growing pause, while there is
 * patience. */
void connect_call_repeat(struct connect_call *call, const char *reason);
/* It ends without an answer: the client and standard error are told. */
void connect_call_fail(struct connect_call *call, const char *words);
void connect_call_finish(struct connect_call *call);
/* The client has its answer; what the stream still says is heard for a moment. */
void connect_call_answered(struct connect_call *call);
/* The request with this id (JSON text), or NULL. */
struct connect_call *connect_call_find(struct connect *connect, struct slice id);
/* Whether two ids, as JSON texts, are the same. */
bool connect_call_id_is(struct slice a, struct slice b);
/* Those that wait for that are begun; with words, they fail. */
void connect_calls_wake(struct connect *connect, enum connect_wait wait, const char *failure);
/* For messages to people. */
const char *connect_call_name(const struct connect_call *call);

/* connect_request.c: the head of its next exchange, and the body that goes with it. 0 or -ENOMEM.
 */
int connect_request_head(struct connect_call *call, struct buffer *out, struct slice *body);

/* connect_answer.c: the call-backs of its link. */
void connect_answer_listen(struct connect_call *call, struct connect_listener *out);

#endif
