/* mcp_origin.h: who began an MCP session, or a task, and at which server: a part of their records.
 *
 * Called by mcp_session_record.c and mcp_task_record.c. Slices are borrowed: from whoever fills it
 * in, or from the bytes that it was read from.
 */
#ifndef GATEHOUSE_SHARED_MCP_ORIGIN_H
#define GATEHOUSE_SHARED_MCP_ORIGIN_H

#include "shared/record.h"
#include "shared/session_record.h"

struct mcp_origin {
    struct slice issuer, subject, user; /* the owner */
    struct slice address; /* of the server that made it: numeric, as in the app's record */
    uint16_t port;
    uint64_t endpoint; /* app_endpoint_id: several may share address and port; 0: not known */
};

/* Fields of a record, in their order. */
void mcp_origin_put(struct record_writer *writer, const struct mcp_origin *origin);
void mcp_origin_get(struct record_reader *reader, struct mcp_origin *out);

/* The same subject of the same issuer, or the same user where tokens name no subject. */
bool mcp_origin_same_owner(const struct mcp_origin *one, const struct mcp_origin *other);
/* Whether the caller of a session (of the gate's) is the owner. */
bool mcp_origin_is_of(const struct mcp_origin *origin, const struct session_record *caller);

#endif
