/* mcp_message.h: what a POST to an MCP server says, read strictly and once. Pure: no allocation.
 *
 * Everything that decides is read here and nowhere else: what another reader could understand in
 * another way is refused (the design's section 4), so that the server acts on what was judged. Made
 * for mcp_gate.c. Values are borrowed from the text. Knows no headers, no era, no policy.
 */
#ifndef GATEHOUSE_WORKER_MCP_MESSAGE_H
#define GATEHOUSE_WORKER_MCP_MESSAGE_H

#include "shared/json_scan.h"
#include "worker/mcp_method.h"

enum {
    MCP_ID_MAX = 256,                         /* bytes of a request's id: every answer repeats it */
    MCP_BATCH_MAX = 100,                      /* messages; what SDK servers take, too */
    MCP_SUBSCRIPTIONS_MAX = JSON_MEMBERS_MAX, /* resources of one subscriptions/listen */
};

/* Codes of JSON-RPC 2.0, 5.1. */
enum { MCP_PARSE_ERROR = -32700, MCP_INVALID_REQUEST = -32600 };

enum mcp_kind { MCP_REQUEST, MCP_NOTIFICATION, MCP_RESPONSE };

struct mcp_message {
    enum mcp_kind kind;
    struct slice id;                /* JSON text of a string or an integer; empty: none */
    struct json_value method;       /* a string; JSON_INVALID for a response */
    const struct mcp_method *known; /* the method, when we know it */
    bool has_params;                /* as all of what follows, of params; JSON_INVALID: absent */
    struct json_value name, uri, task_id;          /* strings */
    struct json_value request_id;                  /* a string or an integer */
    struct json_value ref_type, ref_name, ref_uri; /* strings, of params.ref */
    struct json_value arguments; /* of any kind: what is no object is for the server to refuse */
    struct json_value subscriptions;    /* an array of strings, none of them twice, of
                                           params.notifications.resourceSubscriptions */
    struct json_value task_ids;         /* as that, of params.notifications.taskIds */
    bool augmented;                     /* params.task: it asks for a task (2025-11-25) */
    struct json_value protocol_version; /* of `initialize`; a string */
    struct json_value meta_version;     /* of params._meta; a string */
    bool meta_capabilities;             /* params._meta names an object of them */
    bool meta_tasks;                    /* among them the extension io.modelcontextprotocol/tasks */
};

struct mcp_reader {
    int code;           /* of the error that refused the text; 0: none */
    const char *reason; /* a literal, for the client */
    bool batch;         /* the text is an array of messages */
    /* private */
    struct json_scan scan;
    size_t count;
};

/* Before the first message. `batches`: the revision allows an array of them. */
void mcp_reader_begin(struct mcp_reader *reader, struct slice text, bool batches);
/* 1 with a message; 0 when the text ended in good order (*out is left as it was); -1 with code and
 * reason when it is refused: out->id is then the message's id when that could be read without
 * doubt. */
int mcp_reader_next(struct mcp_reader *reader, struct mcp_message *out);

#endif
