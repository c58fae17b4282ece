/* token_claims.h: the members of a token's payload, set one by one, in order.
 *
 * Called by token_mint. Setting a claim again replaces it where it stands.
 */
#ifndef GATEHOUSE_MASTER_TOKEN_CLAIMS_H
#define GATEHOUSE_MASTER_TOKEN_CLAIMS_H

#include "shared/buffer.h"
#include "shared/slice.h"

#include <stdint.h>

enum { TOKEN_CLAIMS_MAX = 64 };

struct token_claim {
    struct slice name;   /* borrowed from the caller */
    struct buffer value; /* JSON; empty: left out */
};

struct token_claims {
    struct token_claim claims[TOKEN_CLAIMS_MAX]; /* their memory is owned */
    size_t count;
};

/* 0, -E2BIG or -ENOMEM. */
int token_claims_set_string(struct token_claims *claims, struct slice name, struct slice value);
int token_claims_set_integer(struct token_claims *claims, struct slice name, int64_t value);
/* A string when there is one value, else an array of strings. */
int token_claims_set_strings(struct token_claims *claims, struct slice name,
                             const char *const *values, size_t count);
/* The value as JSON when it is JSON, else as a string; no value leaves the claim out. */
int token_claims_set_text(struct token_claims *claims, struct slice name, struct slice value);

/* Appends the object. 0 or -ENOMEM. */
int token_claims_append(const struct token_claims *claims, struct buffer *out);
void token_claims_free(struct token_claims *claims);

#endif
