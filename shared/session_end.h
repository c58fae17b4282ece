/* session_end.h: sessions that ended by time, as the janitor tells the audit trail of them.
 *
 * The payload of MESSAGE_SESSIONS_ENDED: entries of kind, key and record, each with its size. Put
 * by the sweeps (session_sweep.h, mcp_session_store.h), read by a worker: its bytes come from
 * another process, and records in it are decoded as strictly as those of the store.
 */
#ifndef GATEHOUSE_SHARED_SESSION_END_H
#define GATEHOUSE_SHARED_SESSION_END_H

#include "shared/buffer.h"

enum session_end_kind {
    SESSION_END_GATE = 1, /* key: the session's id; record: session_record */
    SESSION_END_MCP,      /* key: of mcp_sessions; record: mcp_session_record */
};

struct session_end {
    enum session_end_kind kind;
    struct slice key, record;
};

/* 0 or -ENOMEM. */
int session_end_put(struct buffer *out, enum session_end_kind kind, struct slice key,
                    struct slice record);
/* The first entry of *rest, which is moved behind it. false: the end, or what is none. */
bool session_end_next(struct slice *rest, struct session_end *out);

#endif
