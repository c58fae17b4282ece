/* mcp_result.h: what a server's response says of tasks and of the protocol's version. Pure: no
 * allocation.
 *
 * Made for observers of responses (exchange_reading.h), who ask seldom: a message is read whole,
 * and one that says something twice says nothing. Values are borrowed from the text.
 */
#ifndef GATEHOUSE_WORKER_MCP_RESULT_H
#define GATEHOUSE_WORKER_MCP_RESULT_H

#include "shared/json.h"

struct mcp_result {
    struct slice id;          /* JSON text */
    struct json_value result; /* an object */
};

struct mcp_result_task {
    struct json_value id; /* a string */
    int64_t ttl;          /* milliseconds; below 0: without end, or not said */
};

/* false: it is no response with a result. */
bool mcp_result_read(struct slice text, struct mcp_result *out);

/* Whether it tells of a new task: by `task` in 2025-11-25, by `resultType` in the extension of
 * 2026-07-28. */
bool mcp_result_makes_task(const struct mcp_result *result, bool modern,
                           struct mcp_result_task *out);
/* The array of a tasks/list result; JSON_INVALID when there is none. */
struct json_value mcp_result_tasks(const struct mcp_result *result);
/* The `taskId` of an object, as in that array; JSON_INVALID when it has none. */
struct json_value mcp_result_task_id(const struct json_value *task);
/* protocolVersion of an InitializeResult; JSON_INVALID when there is none. */
struct json_value mcp_result_version(const struct mcp_result *result);

#endif
