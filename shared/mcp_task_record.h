/* mcp_task_record.h: a task of an app's server, whose it is, and what made it.
 *
 * The value in `mcp_tasks`, keyed by app and task id. To many servers a task's id is all the proof
 * they ask for (MCP, tasks: security considerations); we ask whose it is. Holds no argument and no
 * result.
 */
#ifndef GATEHOUSE_SHARED_MCP_TASK_RECORD_H
#define GATEHOUSE_SHARED_MCP_TASK_RECORD_H

#include "shared/buffer.h"
#include "shared/mcp_origin.h"
#include "shared/slice.h"

#include <stdint.h>

enum { MCP_TASK_ID_MAX = 1024 }; /* bytes, decoded */

struct mcp_task_record {
    struct slice id; /* the server's own, decoded */
    struct mcp_origin origin;
    struct slice method; /* that made it */
    struct slice tool;   /* that it runs, decoded; empty: the method names none */
    int64_t created;     /* wall seconds */
    int64_t used;        /* wall seconds, some time ago at most (mcp_task_store.h) */
    int64_t ttl;         /* seconds after its last use that it is remembered */
};

int mcp_task_record_encode(const struct mcp_task_record *record, struct buffer *out);
/* 0 or -EBADMSG; slices are borrowed from the bytes. */
int mcp_task_record_decode(struct slice bytes, struct mcp_task_record *out);

#endif
