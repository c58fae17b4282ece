/* mcp_policy.h: what a caller's policy says to one message for an MCP server. Pure but for the
 * scopes, which are asked for when a rule needs some.
 *
 * Called by mcp_gate.c for every message that the protocol's own rules let pass, each element of a
 * batch among them. A caller for whom everything is open costs two comparisons. Reads what was
 * read strictly (mcp_message.h), and never anything else. Answers nothing itself.
 */
#ifndef GATEHOUSE_WORKER_MCP_POLICY_H
#define GATEHOUSE_WORKER_MCP_POLICY_H

#include "shared/policy.h"
#include "worker/mcp_message.h"

/* Bytes of a name or URI that rules are matched with: tools have 128 (the specification), and what
 * is longer than browsers' URIs is matched at nobody's cost. */
enum { MCP_POLICY_NAME_MAX = 8192 };

struct mcp_policy {
    const struct policy_set *set;
    /* The token's scopes, borrowed until the gate is done: 0, or a negative errno. */
    int (*scopes)(void *context, const struct slice **scopes, size_t *count);
    void *context; /* of `scopes` */
};

enum mcp_ruling_kind {
    MCP_RULING_PASS,
    MCP_RULING_SHUT,      /* the caller's roles do not open the app at all */
    MCP_RULING_DENIED,    /* answer as if it were not there */
    MCP_RULING_SCOPE,     /* the token lacks scopes: decision.scopes */
    MCP_RULING_UNDECIDED, /* what it says has more than one reading */
    MCP_RULING_FAILED,    /* the scopes could not be had just now */
};

struct mcp_ruling {
    enum mcp_ruling_kind kind;
    enum policy_kind thing;          /* that was judged */
    struct json_value name;          /* of it, a string; JSON_INVALID: nothing was judged */
    struct policy_decision decision; /* on it */
};

void mcp_policy_judge(const struct mcp_policy *policy, const struct mcp_message *message,
                      struct mcp_ruling *out);

#endif
