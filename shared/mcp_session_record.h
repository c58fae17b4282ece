/* mcp_session_record.h: an MCP session of an app's server, and whose it is.
 *
 * The value in `mcp_sessions`, keyed by app and session id. Servers take the id alone for proof; we
 * do not (MCP, security best practices: session hijacking).
 */
#ifndef GATEHOUSE_SHARED_MCP_SESSION_RECORD_H
#define GATEHOUSE_SHARED_MCP_SESSION_RECORD_H

#include "shared/buffer.h"
#include "shared/mcp_origin.h"
#include "shared/slice.h"

#include <stdint.h>

enum { MCP_SESSION_ID_MAX = 1024 }; /* bytes; visible ASCII */

struct mcp_session_record {
    struct slice id; /* the server's own, as clients send it */
    struct mcp_origin origin;
    struct slice version; /* of the protocol, as its server named it; empty: it has not yet */
    int64_t birth;        /* of the app (app_record.h): a session ends with its app */
    int64_t created;      /* wall seconds */
    int64_t used;         /* wall seconds, some time ago at most (mcp_session_store.h) */
};

int mcp_session_record_encode(const struct mcp_session_record *record, struct buffer *out);
/* 0 or -EBADMSG; slices are borrowed from the bytes. */
int mcp_session_record_decode(struct slice bytes, struct mcp_session_record *out);

/* What a server may use for an id: 0x21 to 0x7e (2025-03-26 and later, transports). */
bool mcp_session_id_is_valid(struct slice id);

#endif
