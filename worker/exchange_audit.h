/* exchange_audit.h: what the audit trail needs of a request while it runs, and its lines.
 *
 * A request has one line, written when it is over: `refused` when it did not go to a server,
 * `request` when it did. An event stream may last for hours: its line is written when it begins,
 * and a short one, `stream_end`, when it ends; so an idle stream keeps no text. What stands in the
 * request's head and body is put into a text (the note) before they go. Without an audit trail
 * nothing is noted. Fields are audit.h's.
 */
#ifndef GATEHOUSE_WORKER_EXCHANGE_AUDIT_H
#define GATEHOUSE_WORKER_EXCHANGE_AUDIT_H

#include "shared/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct client;
struct exchange;

/* A part of the request's head or body. */
struct exchange_span {
    uint32_t at, size; /* size 0: there is none */
};

/* What its line says of request and response; in exchange.request, and gone with it. */
struct exchange_note {
    uint64_t bytes_in;    /* once it was noted */
    uint32_t to_upstream; /* microseconds from `begun` to the first byte upstream; 0: none went */
    uint32_t to_head;     /* microseconds from `begun` to the response's head; 0: none came */
    uint16_t status;      /* 0: none was sent */
    bool refused;         /* by an error of ours */
    bool noted;           /* head and body may be gone */
    bool cut;             /* of the text */
    struct exchange_span app, path, agent; /* of the head */
    uint32_t size;
    char *text; /* owned; NULL: not made yet, or no memory for it */
};

/* What the line at its end says, also of an event stream. */
struct exchange_audit {
    int64_t begun;        /* monotonic microseconds; 0: no line of it */
    uint64_t sent_before; /* bytes that the client had been sent */
    const char *reason;   /* a literal; NULL: nothing to say */
    uint32_t number;      /* of the request on its connection */
    bool streams;         /* its first line is written: stream_end follows */
};

/* worker.request is its head. */
void exchange_audit_begin(struct exchange *exchange);
/* The app that the head names, when it is not known whether there is one. */
void exchange_audit_app(struct exchange *exchange, struct slice app);
/* Whether it must be refused, because it could not be recorded; it has no line then. */
bool exchange_audit_refuses(struct exchange *exchange);
/* The first byte goes upstream; the response's head is here. */
void exchange_audit_sent(struct exchange *exchange);
void exchange_audit_head(struct exchange *exchange);
/* Head and body are about to go. */
void exchange_audit_note(struct exchange *exchange);
/* An event stream begins, and did not end at once. */
void exchange_audit_stream(struct exchange *exchange);
/* It is over. */
void exchange_audit_end(struct exchange *exchange);

/* A head that was refused before it was a request. */
void exchange_audit_malformed(struct client *client, unsigned status, const char *reason);

#endif
