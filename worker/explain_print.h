/* explain_print.h: an answer of `gatehouse explain`, made readable.
 *
 * Called by explain.c. Never prints the token: it does not know it.
 */
#ifndef GATEHOUSE_WORKER_EXPLAIN_PRINT_H
#define GATEHOUSE_WORKER_EXPLAIN_PRINT_H

#include "shared/policy.h"
#include "shared/session_record.h"

#include <stdio.h>

struct explain_answer {
    struct slice app;
    enum policy_kind kind;
    struct slice name;
    const struct session_record *session; /* NULL: the token is refused, or it cannot be said */
    struct policy_decision decision;
    bool unknown;        /* it cannot be said, for this reason: */
    const char *refused; /* why there is no session; a literal */
};

/* One answer, as lines or as one line of JSON. 0, -ENOMEM or -EIO. */
int explain_print(const struct explain_answer *answer, bool json, FILE *out);

/* "allowed", "denied", "needs scope", "refused" (by the token, or arguments in doubt), "unknown" */
const char *explain_word(const struct explain_answer *answer);

#endif
