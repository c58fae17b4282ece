/* bridge_message.h: one JSON-RPC message as the bridge looks at it: what it is, and the places in
 * it that name other messages. Pure.
 *
 * A server's output and a client's body are read alike. What the bridge rewrites (ids, progress
 * tokens) it replaces in the text; every other byte stays. Policy is not judged here: workers did.
 */
#ifndef GATEHOUSE_WORKER_BRIDGE_MESSAGE_H
#define GATEHOUSE_WORKER_BRIDGE_MESSAGE_H

#include "shared/buffer.h"
#include "shared/json.h"

enum bridge_kind { BRIDGE_REQUEST, BRIDGE_NOTIFICATION, BRIDGE_RESPONSE };

/* Slices are borrowed from the text that was read. What is absent is empty, or JSON_INVALID. */
struct bridge_message {
    struct slice text; /* the whole message, without white space around it */
    enum bridge_kind kind;
    struct slice id; /* JSON text of a string or an integer */
    struct json_value method;
    struct slice token;        /* params._meta.progressToken; of notifications/progress, params' */
    struct slice request_id;   /* params.requestId */
    struct slice subscription; /* subscriptionId in _meta of params, or of the result */
    struct json_value uri;     /* params.uri; a string */
    struct json_value version; /* params.protocolVersion; a string */
    struct json_value result;  /* an object */
    int64_t error;             /* the code of an error; 0: it is none */
    bool broken;               /* refused, and yet plainly meant to answer `id` */
};

/* 0, or -EINVAL with *reason (a literal): then `broken`, and with it `id`, may be set. */
int bridge_message_read(struct slice text, struct bridge_message *out, const char **reason);
bool bridge_message_is(const struct bridge_message *message, const char *method);

/* Whether result.`member` (as server/discover's supportedVersions) lists that string. */
bool bridge_message_lists(const struct bridge_message *message, const char *member,
                          const char *text);

/* A part of a message's text, and what stands there instead. */
struct bridge_edit {
    struct slice old;
    struct slice text;
};
enum { BRIDGE_EDITS_MAX = 4 };

/* Appends the text with its edits (in any order, none in another; those that are empty are left
 * out), on one line: line breaks, which JSON has between its tokens alone, become spaces. 0 or
 * -ENOMEM. */
int bridge_message_append(struct buffer *out, struct slice text, const struct bridge_edit *edits,
                          size_t count);

/* An id that the bridge gave: digits alone. false when it is none. */
bool bridge_message_number(struct slice text, uint64_t *out);

#endif
