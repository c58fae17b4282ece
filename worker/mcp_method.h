/* mcp_method.h: the methods that a client may send by MCP, and what each acts on. Pure, constant.
 *
 * Of all revisions that Gatehouse knows. A method that is not here is none that we can judge.
 */
#ifndef GATEHOUSE_WORKER_MCP_METHOD_H
#define GATEHOUSE_WORKER_MCP_METHOD_H

#include "shared/json.h"
#include "shared/policy_record.h"

enum { MCP_METHOD_MAX = 128 }; /* bytes of a method's name as it stands in a message */

/* Which member of params names what the method acts on. */
enum mcp_target {
    MCP_TARGET_NONE,
    MCP_TARGET_NAME,    /* name */
    MCP_TARGET_URI,     /* uri */
    MCP_TARGET_TASK,    /* taskId */
    MCP_TARGET_REF,     /* ref, of completion/complete */
    MCP_TARGET_REQUEST, /* requestId, of notifications/cancelled */
    MCP_TARGET_LISTEN,  /* notifications.resourceSubscriptions, of subscriptions/listen */
};

struct mcp_method {
    struct slice name;
    enum mcp_target target;
    bool initialize;
    bool alone;       /* never part of a batch */
    bool legacy_only; /* removed with 2026-07-28 */
    bool named;       /* 2026-07-28 repeats its target in Mcp-Name */
    bool judged;      /* a policy decides on its target; that of MCP_TARGET_REF says its own kind */
    bool calls;       /* it runs the tool that it names */
    bool task_list;   /* its result lists tasks, of anybody's */
    bool lists;       /* its result is a list, of which a policy hides parts */
    enum policy_kind kind; /* of the target, or of what is listed */
};

/* NULL: not known. `name`: a JSON string, escapes allowed. */
const struct mcp_method *mcp_method_find(const struct json_value *name);
/* Whether the name is a notification's: such a message bears no id. */
bool mcp_method_is_notification(const struct json_value *name);

#endif
