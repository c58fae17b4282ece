/* connect_message.h: what a server's message is, and the errors that the bridge says itself. Pure.
 *
 * Read only as far as a bridge must: whose answer it is, and what an answer to `initialize` says.
 * What it contains is the client's business. Values are borrowed from the text.
 */
#ifndef GATEHOUSE_WORKER_CONNECT_MESSAGE_H
#define GATEHOUSE_WORKER_CONNECT_MESSAGE_H

#include "shared/buffer.h"
#include "shared/json.h"

enum connect_says {
    CONNECT_SAYS_NOTHING,  /* no message, or not one that can be read without doubt */
    CONNECT_SAYS_MESSAGE,  /* a request or notification */
    CONNECT_SAYS_RESPONSE, /* of `id` */
    CONNECT_SAYS_ERROR,    /* of nobody's request: an error without an id */
};

struct connect_message {
    enum connect_says says;
    struct slice id;                 /* JSON text; empty: none, or null */
    struct json_value method;        /* a string */
    struct json_value result;        /* JSON_INVALID when it is an error */
    struct json_value error;         /* an object */
    struct json_value error_message; /* of it; a string */
    struct json_value version;       /* protocolVersion of the result; a string */
    struct json_value server;        /* serverInfo of the result */
};

void connect_message_read(struct slice text, struct connect_message *out);

/* Appends {"jsonrpc":"2.0","id":...,"error":{...}}: `id` as JSON text, with -32603 and these words.
 * 0 or -ENOMEM. */
int connect_message_fail(struct buffer *out, struct slice id, struct slice words);
/* The same with an error object that a server gave. */
int connect_message_error(struct buffer *out, struct slice id, struct slice error);

#endif
