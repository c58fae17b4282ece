/* bridge_link.h: the messages to and from one server, whatever carries them: pipes or HTTP.
 *
 * bridge_link.c sends, bridge_probe.c finds out for which era, bridge_route.c brings what comes
 * back to whom it is for. A link belongs to one session; or it is `common`: several sessions, or
 * requests without one (2026-07-28), share the server. What a common server can do:
 *
 *   - The bridge opens it, once, as a client without capabilities: it cannot ask clients anything
 *     (sampling, elicitation, roots); servers that must ask need scope `session`. Each client's own
 *     `initialize` gets the server's answer, its `notifications/initialized` goes no further.
 *   - Requests, answers, progress, cancellation: for each caller its own.
 *   - resources/updated goes to the sessions that subscribed to the resource, list_changed to all.
 *   - Of one owner (scope `user`), other notifications go to all of the owner's sessions; of
 *     several (`shared`), nobody gets them, since they may tell of others, and log levels are not
 *     passed on.
 */
#ifndef GATEHOUSE_WORKER_BRIDGE_LINK_H
#define GATEHOUSE_WORKER_BRIDGE_LINK_H

#include "worker/bridge.h"
#include "worker/bridge_call.h"
#include "worker/bridge_message.h"
#include "worker/bridge_probe.h"

/* JSON-RPC's (5.1), and what servers of the older revisions answer before `initialize`: nothing
 * that a client would take for the newer era. */
enum { BRIDGE_INTERNAL_ERROR = -32603, BRIDGE_NO_METHOD = -32601, BRIDGE_NOT_INITIALIZED = -32000 };
/* What we say of ourselves to servers. */
#define BRIDGE_IMPLEMENTATION "{\"name\":\"gatehouse\",\"version\":\"1\"}"
#define BRIDGE_NOT_MODERN "Bad Request: this server begins with initialize"

enum { BRIDGE_OWNER_SIZE = 64, BRIDGE_CALLS_MAX = 256 }; /* hex digits; of a session or caller */

struct bridge_link;

struct bridge_link_ops {
    /* A message, on one line; `id`: the request's, 0 for others. 0, -EAGAIN (the server does not
     * read), other -errno. */
    int (*send)(struct bridge_link *link, struct slice line, uint64_t id);
    /* Whether to take what the server sends. */
    void (*pause)(struct bridge_link *link, bool paused);
    /* Frees the link's end; the server ends. */
    void (*close)(struct bridge_link *link);
};

enum bridge_link_state {
    BRIDGE_LINK_NEW,     /* common: nothing was sent */
    BRIDGE_LINK_OPENING, /* common: our `initialize`, or our probe, is to be answered */
    BRIDGE_LINK_OPEN,
    BRIDGE_LINK_ENDED,
};

struct bridge_link {
    struct bridge_remains remains;
    struct bridge *bridge;
    struct bridge_link *next, **at; /* of the bridge's */
    struct bridge_app *app;         /* NULL: a server over HTTP */
    const struct bridge_link_ops *ops;
    void *end; /* the ops' */
    enum bridge_link_state state;
    bool common;   /* see above */
    bool shared;   /* common, and of several owners */
    bool modern;   /* 2026-07-28 */
    bool retired;  /* of a command that is in force no longer: takes nobody new */
    bool answered; /* a request of ours: it works */
    char owner[BRIDGE_OWNER_SIZE + 1]; /* "": shared */
    struct bridge_calls calls;
    struct bridge_session *sessions;
    struct buffer opened; /* the result of our `initialize`; JSON */
    struct bridge_probe probe;
    unsigned stalled; /* streams that hold it back */
    unsigned status;  /* of HTTP, for those who wait when it ends; 0: 200 */
    ev_tstamp used;   /* when something was last sent */
    ev_tstamp began;  /* when its process began; 0: not yet */
};

/* NULL: out of memory; `end` is then the caller's still. */
struct bridge_link *bridge_link_new(struct bridge *bridge, const struct bridge_link_ops *ops,
                                    void *end);
/* Frees one that was never used, and whose end is the caller's still. */
void bridge_link_drop(struct bridge_link *link);
/* Ends the server, its sessions and all who wait: they are told `reason`, a sentence. */
void bridge_link_end(struct bridge_link *link, const char *reason);

/* Sends a client's request; the answer goes to the stream. `session` NULL: of none. 0, -EAGAIN,
 * -EDQUOT (too many are open), other -errno: nothing was sent. */
int bridge_link_request(struct bridge_link *link, struct bridge_session *session,
                        struct bridge_stream *stream, const struct bridge_message *message);
int bridge_link_notify(struct bridge_link *link, struct bridge_session *session,
                       const struct bridge_message *message);
int bridge_link_respond(struct bridge_link *link, struct bridge_session *session,
                        const struct bridge_message *message);

/* A message to the server, as it is; `id`: the request's, 0 for others. 0 or -errno. */
int bridge_link_send(struct bridge_link *link, struct slice line, uint64_t id);
int bridge_link_send_format(struct bridge_link *link, uint64_t id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Our own words to the server. */
int bridge_link_cancel(struct bridge_link *link, uint64_t id);
int bridge_link_unsubscribe(struct bridge_link *link, struct slice uri);
void bridge_link_refuse(struct bridge_link *link, struct slice id, int code, const char *message);

/* Cancels all that the stream waits for. */
void bridge_link_cancel_stream(struct bridge_stream *stream);
/* The stream goes away: its calls are nobody's. */
void bridge_link_forget_stream(struct bridge_stream *stream);
/* The session goes away: so does a server of its own. */
void bridge_link_leave(struct bridge_link *link, struct bridge_session *session);
void bridge_link_stall(struct bridge_link *link, bool stalled);

/* bridge_route.c: a message of the server's, or a batch, as it came. */
void bridge_link_receive(struct bridge_link *link, struct slice text);
/* Answers one call with an error of ours. */
void bridge_link_fail(struct bridge_link *link, uint64_t id, int code, const char *message);
/* The call's stream, if any, gets its answer; the call is over. `text` bears the client's id. */
void bridge_link_answer(struct bridge_link *link, struct bridge_call *call, struct slice text,
                        unsigned status);
/* Answers a client's `initialize` with the result of ours. */
void bridge_link_welcome(struct bridge_link *link, struct bridge_call *call);

#endif
