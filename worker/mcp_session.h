/* mcp_session.h: what a worker writes of MCP sessions and tasks.
 *
 * So that a session is on record before the client learns its id, and gone before the client hears
 * that it is, changes are queued in a turn and committed at its end, and an exchange holds its
 * response until `done`. What stands in the middle of a response (a task's id, the version that was
 * negotiated) is seldom, and committed at once. Knows no sockets.
 */
#ifndef GATEHOUSE_WORKER_MCP_SESSION_H
#define GATEHOUSE_WORKER_MCP_SESSION_H

#include "shared/mcp_session_store.h"
#include "shared/mcp_task_store.h"

enum mcp_session_change {
    MCP_SESSION_PUT,
    MCP_SESSION_TOUCH,
    MCP_SESSION_DELETE,
    MCP_TASK_TOUCH,
};

/* A queued write. `done` gets 0, -EEXIST (another caller's session of that id lives), or the
 * store's error, and is called once, at the turn's end; NULL: nobody waits. */
struct mcp_session_write {
    void (*done)(void *context, int error);
    void *context;
    /* private */
    struct mcp_session_write *next;
    enum mcp_session_change change;
    int error;
    int64_t now;
    struct store_key key;
    struct buffer record; /* owned; for PUT */
};

struct mcp_sessions {
    struct store *store;              /* borrowed */
    uint64_t idle;                    /* milliseconds */
    uint64_t task_ttl;                /* milliseconds, at most */
    struct mcp_session_write *writes; /* owned */
    int error;                        /* -EUCLEAN: found since the last commit */
};

/* Queues a change; `record` is for MCP_SESSION_PUT and is copied. NULL: out of memory. Owned by the
 * queue, and borrowed until `done`: who goes away before sets done to NULL. */
struct mcp_session_write *mcp_sessions_queue(struct mcp_sessions *sessions,
                                             enum mcp_session_change change,
                                             const struct store_key *key,
                                             const struct mcp_session_record *record);
/* These commit at once: what was read from the store in this turn is gone. 0, -EEXIST (another
 * caller's task of that id is remembered; the session is at another home), -ENOENT (it is gone), or
 * the store's error. */
int mcp_sessions_put_task(struct mcp_sessions *sessions, const struct store_key *key,
                          const struct mcp_task_record *record);
int mcp_sessions_set_version(struct mcp_sessions *sessions, const struct store_key *key,
                             struct slice version, struct slice identity);
/* `to` NULL: it ends. See mcp_session_move and mcp_session_abandon. */
int mcp_sessions_move(struct mcp_sessions *sessions, const struct store_key *key,
                      const struct mcp_session_home *from, const struct mcp_session_home *to);

/* At the turn's end, before authenticator_commit (`done` may begin a client's next request). 0, or
 * -EUCLEAN: the store is corrupt. */
int mcp_sessions_commit(struct mcp_sessions *sessions);
/* Forgets what is queued. */
void mcp_sessions_clear(struct mcp_sessions *sessions);

#endif
