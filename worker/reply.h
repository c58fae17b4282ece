/* reply.h: answers that Gatehouse itself gives: heads, errors, challenges, metadata. Pure: appends
 * to a buffer.
 *
 * Nothing internal leaks: texts are fixed or come from the request's own public data. Every error
 * from here bears `Gatehouse-Error-Origin: gateway`. Bodies of errors on MCP routes are JSON-RPC
 * errors, with the request's id where it is known, so that a client never takes them for another
 * era's.
 */
#ifndef GATEHOUSE_WORKER_REPLY_H
#define GATEHOUSE_WORKER_REPLY_H

#include "shared/buffer.h"
#include "shared/slice.h"

struct reply_error {
    unsigned status;
    const char *message;    /* a sentence for the client; a literal */
    struct slice challenge; /* WWW-Authenticate's value; empty: none */
    unsigned retry_after;   /* seconds; 0: none */
    const char *allow;      /* for 405; NULL: none */
    bool json_rpc;          /* on an MCP route; what follows is for such */
    int code;               /* JSON-RPC's; 0: one that fits the status */
    struct slice detail;    /* goes behind the message: the inside of a JSON string; may be empty */
    struct slice id;        /* JSON text of the request's id; empty: null */
    struct slice data;      /* JSON text of the error's data; empty: none */
    bool head_only;         /* answer to HEAD */
    bool close;             /* the connection ends: say so */
    struct slice body;      /* JSON text: the whole body, in the place of message, code, id, data */
    struct slice cors;      /* origin of a page that may read it; empty: none */
    const char *origin;     /* "gateway" or "upstream"; NULL: gateway */
};

int reply_error(struct buffer *out, const struct reply_error *error);

/* The body alone. */
int reply_error_body(struct buffer *out, const struct reply_error *error);

/* 200 with a body of that media type; `extra`: further header lines, each ended by CRLF, or NULL.
 */
int reply_content(struct buffer *out, const char *media_type, struct slice body, const char *extra,
                  bool head_only, bool close);

/* The value of WWW-Authenticate (RFC 6750, 3; RFC 9728, 5.1) for an app of the gate:
 * `error` "invalid_token", "insufficient_scope" or NULL when no token was sent. */
int reply_challenge(struct buffer *out, struct slice public_addr, struct slice app,
                    const char *error, const char *description, struct slice scope);

/* Protected resource metadata (RFC 9728): the JSON body. `issuers`: https URLs. */
int reply_metadata(struct buffer *out, struct slice public_addr, struct slice app,
                   const struct slice *issuers, size_t issuer_count, const struct slice *scopes,
                   size_t scope_count);

/* "200" -> "OK"; "" for what has no registered phrase. */
const char *reply_phrase(unsigned status);

#endif
