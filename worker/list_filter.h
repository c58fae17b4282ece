/* list_filter.h: a server's message as a caller may see it: lists without what the policy hides.
 *
 * Made for callers whom a rule narrows; see exchange_reading.c. By the message's shape, not by the
 * request's: on a resumed stream nothing tells which request an answer is to. In any result, the
 * arrays `tools`, `prompts`, `resources` and `resourceTemplates` lose the elements that
 * policy_lists hides; `cacheScope` becomes "private", and in the revision that requires it is added
 * to filtered lists: what depends on the caller must reach no other (2026-07-28,
 * server/utilities/caching). Of `inputRequests`, only the three requests that the specification
 * embeds pass. The notification resources/updated is dropped for a resource that is not listed.
 *
 * Elements are cut out of the text (json_splice.h) instead of a document being rebuilt, so that
 * order, unknown members, numbers, escapes, cursors and white space stay the server's, and one pass
 * with no memory of its own is enough. What another reader could understand in another way is
 * refused: a member of the envelope, the result or an element that comes twice or in another case.
 * A refused result becomes a JSON-RPC error, -32603, of the same id; a refused request or
 * notification is dropped.
 *
 * A resource template is listed as policy_lists_template says: when a rule could allow one of its
 * expansions. Reading is judged by the expansion in any case.
 */
#ifndef GATEHOUSE_WORKER_LIST_FILTER_H
#define GATEHOUSE_WORKER_LIST_FILTER_H

#include "shared/policy.h"
#include "worker/mcp_response.h"

struct list_filter {
    const struct policy_set *policy; /* borrowed */
    bool modern;                     /* of 2026-07-28: lists say their cacheScope */
    struct slice id;                 /* JSON text of the one request's id; empty: not known */
    /* result */
    const char *refusal; /* a literal: why the message was refused; NULL: it was not */
};

/* As mcp_response.look. `out` is empty. */
enum mcp_verdict list_filter_message(struct list_filter *filter, struct slice text,
                                     struct buffer *out);

#endif
