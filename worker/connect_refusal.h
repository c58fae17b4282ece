/* connect_refusal.h: why a server's HTTP answer is no answer, in words for a person. Pure. */
#ifndef GATEHOUSE_WORKER_CONNECT_REFUSAL_H
#define GATEHOUSE_WORKER_CONNECT_REFUSAL_H

#include "shared/buffer.h"
#include "shared/slice.h"

#include <stdint.h>

struct connect_refusal {
    unsigned status;
    bool gateway;           /* the gate said it itself */
    struct slice challenge; /* WWW-Authenticate's value; empty: none */
    uint64_t retry_after;   /* seconds; 0: not said */
    struct slice message;   /* of a JSON-RPC error in the body, decoded; empty: none */
};

/* The value of a challenge's parameter (RFC 9110, 11.2), without quotes; empty: it is not there. */
struct slice connect_challenge(struct slice challenge, const char *name);

/* Appends a sentence: what was answered, what that asks for. 0 or -ENOMEM. */
int connect_refusal_words(struct buffer *out, const struct connect_refusal *refusal);

#endif
