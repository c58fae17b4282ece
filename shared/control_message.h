/* control_message.h: what a command asks of the watcher over its control socket, and the answer.
 *
 * One request and one answer a connection, each a record in one SOCK_SEQPACKET packet; the socket
 * is `config/control` in the state directory, for root and the watcher's own user. What comes in is
 * outside input on both sides.
 */
#ifndef GATEHOUSE_SHARED_CONTROL_MESSAGE_H
#define GATEHOUSE_SHARED_CONTROL_MESSAGE_H

#include "shared/revocation_record.h"

struct sockaddr_un;

#define CONTROL_DIRECTORY "config"
#define CONTROL_SOCKET "control"

enum {
    CONTROL_MESSAGE_MAX = 8192,  /* bytes of a packet */
    CONTROL_VALUE_MAX = 256,     /* bytes of a name: no session has a longer one */
    CONTROL_ISSUER_MAX = 1024,   /* bytes */
    CONTROL_ENDPOINT_MAX = 2048, /* bytes: of a URI */
    CONTROL_WHY_MAX = 256,       /* bytes */
    CONTROL_TEXT_MAX = 256,      /* bytes of an answer's text */
};

/* Lets an endpoint of an app drain, or serve again. */
struct control_drain {
    struct slice app;      /* empty: the request is another */
    struct slice endpoint; /* "host:port", or a URI as `gatehouse apps` shows it */
    bool undo;
};

/* "Drain", or "revoke": exactly one value; a signing input only beside a session, an issuer only
 * with a kind that has one. */
struct control_request {
    struct control_drain drain;
    struct revocation_target target;
    int64_t ends; /* wall seconds after which neither the session nor its token lives; 0: unknown */
    struct slice why;
};

struct control_answer {
    int status;        /* 0: committed and synced; or -errno */
    int64_t since;     /* of the record: wall seconds, 0: all tokens */
    int64_t until;     /* of the record: wall seconds */
    struct slice text; /* why not, when status is not 0 */
};

int control_request_encode(const struct control_request *request, struct buffer *out);
/* Borrowed from the bytes. 0, or -EBADMSG also for a request that is not one of the above, or holds
 * control characters. */
int control_request_decode(struct slice bytes, struct control_request *out);
int control_answer_encode(const struct control_answer *answer, struct buffer *out);
int control_answer_decode(struct slice bytes, struct control_answer *out);

/* The address of the control socket of a state directory. LMDB's directory is named by descriptor,
 * since a path may be longer than an address: *directory, owned by the caller, must stay open until
 * bind or connect returned. 0 or -errno. */
int control_address(const char *state_dir, int *directory, struct sockaddr_un *address);

#endif
