/* mcp_gate.h: whether a request may go on to an MCP server, by what the protocol itself demands,
 * and by what the caller's policy says to each of its messages.
 *
 * Head and body are judged together, once the body is in hand: one strict reading, the revision's
 * own rules, headers and body in agreement, then the policy (mcp_policy.h). A batch goes on whole
 * or not at all. Answers nothing itself. Called by exchange_mcp.c for every request to an MCP app.
 */
#ifndef GATEHOUSE_WORKER_MCP_GATE_H
#define GATEHOUSE_WORKER_MCP_GATE_H

#include "worker/http_head.h"
#include "worker/mcp_policy.h"

/* Codes of MCP 2026-07-28, of JSON-RPC 2.0, and of what SDK servers answer for a lost session. */
enum {
    MCP_HEADER_MISMATCH = -32020,
    MCP_CAPABILITY_MISSING = -32021,
    MCP_VERSION_UNSUPPORTED = -32022,
    MCP_METHOD_NOT_FOUND = -32601,
    MCP_INVALID_PARAMS = -32602,
    MCP_INTERNAL_ERROR = -32603,
    MCP_SESSION_NOT_FOUND = -32001,
};

/* Bytes of a name, with its quotes, that an error repeats. */
enum { MCP_GATE_DETAIL_MAX = 256 };

enum mcp_revision {
    MCP_VERSION_NONE,    /* no MCP-Protocol-Version */
    MCP_VERSION_UNKNOWN, /* one that we do not know */
    MCP_2024_11_05,
    MCP_2025_03_26, /* the one that has batches */
    MCP_2025_06_18,
    MCP_2025_11_25,
    MCP_2026_07_28, /* "modern": no sessions, and headers repeat the body */
};

/* Why a request does not go on. Of a batch, 200 and 403 are about one of its messages: the others
 * are sound, and each request among them can be answered. */
struct mcp_refusal {
    unsigned status;    /* 0: none */
    int code;           /* JSON-RPC's */
    const char *reason; /* a literal for the client */
    struct slice
        detail;      /* what goes behind the reason: the inside of a JSON string; may be empty */
    struct slice id; /* of a batch: of the request that was refused; may be empty */
};

struct mcp_gate {
    /* given */
    const struct http_request *request;
    struct slice body;
    /* Of the request's MCP session. MCP_VERSION_NONE: it has none. MCP_VERSION_UNKNOWN: the session
     * has not said yet. */
    enum mcp_revision negotiated;
    const struct mcp_policy *policy; /* the caller's; for a GET and a DELETE, too */
    const struct slice *methods;     /* that are allowed besides those that we know */
    size_t method_count;
    /* result; slices are borrowed from the request and the body */
    enum mcp_revision revision;
    bool batch;
    struct mcp_message message; /* the one message; of a batch: the last that was read */
    struct slice id;            /* JSON text of the request's id; empty: none, or not to be told */
    bool initialize;            /* it asks for an MCP session */
    size_t requests;            /* of a batch */
    struct mcp_ruling ruling;   /* on the message; of a batch: on that which was refused */
    struct mcp_refusal refusal;
};

/* True: forward it. */
bool mcp_gate_admits(struct mcp_gate *gate);

/* What the message acts on: JSON_INVALID when params do not say it; NULL: nothing that has one
 * name. */
const struct json_value *mcp_gate_target(const struct mcp_message *message);

/* The revision of that name. */
enum mcp_revision mcp_gate_revision_of(struct slice name);
/* What MCP-Protocol-Version says. */
enum mcp_revision mcp_gate_revision(const struct http_request *request);

/* The revisions that are served, as a JSON array. */
extern const char mcp_gate_revisions[];
/* What MCP_CAPABILITY_MISSING tells: the only capability that the gate can miss. */
extern const char mcp_gate_capabilities[];

#endif
