/* audit_event.h: who a caller is in the audit trail, and the lines that are not of one request.
 *
 * Called by authenticate.c and the exchange. Each writes nothing when there is no audit trail. What
 * lines have is in audit.h.
 */
#ifndef GATEHOUSE_WORKER_AUDIT_EVENT_H
#define GATEHOUSE_WORKER_AUDIT_EVENT_H

#include "shared/mcp_session_record.h"
#include "shared/session_record.h"
#include "worker/audit.h"

enum { AUDIT_MCP_SESSION_SIZE = 16 }; /* digits: enough to tell the sessions of a year apart */

/* The members of a caller, made once and kept by its connection. */
struct audit_caller {
    struct session_id id;
    uint64_t revision; /* of the config that judged */
    bool cut;
    size_t size;
    char members[];
};

/* `kept` (NULL: none) when it is of that session, judged by that config; else a new one in its
 * place. Owned by the caller; NULL: out of memory. */
struct audit_caller *audit_caller_keep(struct audit_caller *kept, const struct session_id *id,
                                       const struct session_record *session);
void audit_caller_put(struct audit_line *line, const struct audit_caller *caller);

/* `mcp_session`: what stands for an Mcp-Session-Id. */
void audit_put_mcp_session(struct audit_line *line, struct slice id);

/* A token was proven, and its session is committed. `renewed`: a known one, judged anew by another
 * revision of its config. */
void audit_session_start(struct audit *audit, const struct session_id *id,
                         const struct session_record *session, bool renewed);
/* A session was found to be over: `reason` is a literal. Each worker that sees it tells it, once as
 * far as it remembers; a session that expires unseen has its end in session_start's `expires`. */
void audit_session_end(struct audit *audit, const struct session_id *id,
                       const struct session_record *session, const char *reason);

/* Sessions that ended by time, as the janitor tells of them (session_end.h). */
void audit_sessions_ended(struct audit *audit, struct slice entries);

enum audit_mcp_change { AUDIT_MCP_START, AUDIT_MCP_END, AUDIT_MCP_FOREIGN, AUDIT_MCP_REOPEN };

/* An MCP session of an app began or ended, another than its owner named it, or it was opened anew
 * at another server: `caller` is who did (NULL: nobody), `session` what is on record of it (NULL:
 * not known). `reason`: a literal, or NULL at its start and when it goes on. */
void audit_mcp_session(struct audit *audit, enum audit_mcp_change change, struct slice app,
                       struct slice id, const struct audit_caller *caller,
                       const struct mcp_session_record *session, const char *reason);

#endif
