#include "worker/audit_event.h"

#include "shared/digest.h"
#include "shared/session_end.h"

#include <stdlib.h>

enum {
    CALLER_MAX = 2048, /* bytes of a caller's members: what is more is cut */
};

static void put_session(struct audit_line *line, const struct session_id *id,
                        const struct session_record *session)
{
    audit_line_plain(line, "session", id->text);
    audit_line_text(line, "app", session->app, AUDIT_VALUE_MAX);
    audit_line_text(line, "config", session->config, AUDIT_VALUE_MAX);
    audit_line_text(line, "issuer", session->issuer, AUDIT_VALUE_MAX);
    audit_line_text(line, "subject", session->subject, AUDIT_VALUE_MAX);
    audit_line_text(line, "user", session->user, AUDIT_VALUE_MAX);
    audit_line_texts(line, "roles", session->roles, session->role_count);
}

struct audit_caller *audit_caller_keep(struct audit_caller *kept, const struct session_id *id,
                                       const struct session_record *session)
{
    char members[CALLER_MAX];
    struct audit_line line = {.bytes = members, .room = sizeof(members)};

    if (kept != NULL && kept->revision == session->revision &&
        memcmp(kept->id.text, id->text, SESSION_ID_SIZE) == 0)
        return kept;
    free(kept);
    put_session(&line, id, session);
    kept = malloc(sizeof(*kept) + line.size);
    if (kept == NULL)
        return NULL;
    *kept = (struct audit_caller){
        .id = *id, .revision = session->revision, .cut = line.cut, .size = line.size};
    memcpy(kept->members, members, line.size);
    return kept;
}

void audit_caller_put(struct audit_line *line, const struct audit_caller *caller)
{
    if (caller == NULL)
        return;
    audit_line_members(line, slice_make(caller->members, caller->size));
    line->cut = line->cut || caller->cut;
}

static void mcp_session_text(struct slice id, char out[DIGEST_HEX_SIZE + 1])
{
    struct digest digest;

    digest_of(id, &digest);
    digest_hex(&digest, out);
    out[AUDIT_MCP_SESSION_SIZE] = '\0';
}

void audit_put_mcp_session(struct audit_line *line, struct slice id)
{
    char text[DIGEST_HEX_SIZE + 1];

    if (id.size == 0)
        return;
    mcp_session_text(id, text);
    audit_line_plain(line, "mcp_session", text);
}

void audit_session_start(struct audit *audit, const struct session_id *id,
                         const struct session_record *session, bool renewed)
{
    struct audit_line line;

    if (!audit->on)
        return;
    audit_begin(audit, &line, "session_start");
    audit_line_text(&line, "client", session->client_address, AUDIT_VALUE_MAX);
    put_session(&line, id, session);
    audit_line_text(&line, "jti", session->jti, AUDIT_VALUE_MAX);
    audit_line_text(&line, "alg", session->algorithm, AUDIT_VALUE_MAX);
    audit_line_text(&line, "kid", session->kid, AUDIT_VALUE_MAX);
    audit_line_time(&line, "issued", session->issued_at);
    audit_line_time(&line, "expires", session->expires);
    if (renewed)
        audit_line_true(&line, "renewed");
    audit_end(audit, &line);
}

void audit_session_end(struct audit *audit, const struct session_id *id,
                       const struct session_record *session, const char *reason)
{
    struct audit_line line;

    if (!audit->on || !audit_ends_session(audit, slice_make(id->text, SESSION_ID_SIZE)))
        return;
    audit_begin(audit, &line, "session_end");
    put_session(&line, id, session);
    audit_line_plain(&line, "reason", reason);
    audit_end(audit, &line);
}

static void put_session_end(struct audit *audit, const struct session_end *end)
{
    struct session_record session;
    struct session_id id;

    if (end->key.size != SESSION_ID_SIZE || session_record_decode(end->record, &session) != 0)
        return;
    memcpy(id.text, end->key.data, SESSION_ID_SIZE);
    id.text[SESSION_ID_SIZE] = '\0';
    audit_session_end(audit, &id, &session, "it expired");
}

static void put_mcp_session_end(struct audit *audit, const struct session_end *end)
{
    const char *slash = end->key.size == 0 ? NULL : memchr(end->key.data, '/', end->key.size);
    struct mcp_session_record session;
    char text[DIGEST_HEX_SIZE + 1];
    struct audit_line line;

    if (slash == NULL || mcp_session_record_decode(end->record, &session) != 0)
        return;
    mcp_session_text(session.id, text);
    if (!audit_ends_session(audit, slice_from(text)))
        return;
    audit_begin(audit, &line, "mcp_session_end");
    audit_line_plain(&line, "mcp_session", text);
    audit_line_text(&line, "app", slice_make(end->key.data, (size_t)(slash - end->key.data)),
                    AUDIT_VALUE_MAX);
    audit_line_text(&line, "issuer", session.origin.issuer, AUDIT_VALUE_MAX);
    audit_line_text(&line, "subject", session.origin.subject, AUDIT_VALUE_MAX);
    audit_line_text(&line, "user", session.origin.user, AUDIT_VALUE_MAX);
    audit_line_text(&line, "protocol", session.version, AUDIT_VALUE_MAX);
    audit_line_endpoint(&line, "endpoint", session.origin.address, session.origin.port);
    audit_line_plain(&line, "reason", "nobody used it");
    audit_end(audit, &line);
}

void audit_sessions_ended(struct audit *audit, struct slice entries)
{
    struct session_end end;

    while (audit->on && session_end_next(&entries, &end)) {
        if (end.kind == SESSION_END_GATE)
            put_session_end(audit, &end);
        else
            put_mcp_session_end(audit, &end);
    }
}

void audit_mcp_session(struct audit *audit, enum audit_mcp_change change, struct slice app,
                       struct slice id, const struct audit_caller *caller,
                       const struct mcp_session_record *session, const char *reason)
{
    static const char *const events[] = {"mcp_session_start", "mcp_session_end",
                                         "mcp_session_foreign", "mcp_session_reopen"};
    char text[DIGEST_HEX_SIZE + 1];
    struct audit_line line;

    if (!audit->on)
        return;
    mcp_session_text(id, text);
    if (change == AUDIT_MCP_END && !audit_ends_session(audit, slice_from(text)))
        return;
    audit_begin(audit, &line, events[change]);
    audit_line_plain(&line, "mcp_session", text);
    if (caller == NULL)
        audit_line_text(&line, "app", app, AUDIT_VALUE_MAX);
    audit_caller_put(&line, caller);
    if (session != NULL && change == AUDIT_MCP_FOREIGN) {
        audit_line_text(&line, "owner", session->origin.user, AUDIT_VALUE_MAX);
        audit_line_text(&line, "owner_subject", session->origin.subject, AUDIT_VALUE_MAX);
        audit_line_text(&line, "owner_issuer", session->origin.issuer, AUDIT_VALUE_MAX);
    }
    if (session != NULL) {
        audit_line_text(&line, "protocol", session->version, AUDIT_VALUE_MAX);
        audit_line_endpoint(&line, "endpoint", session->origin.address, session->origin.port);
    }
    if (reason != NULL)
        audit_line_plain(&line, "reason", reason);
    audit_end(audit, &line);
}
