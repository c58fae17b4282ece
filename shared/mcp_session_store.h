/* mcp_session_store.h: MCP sessions in the `sessions` environment, and their end by idleness.
 *
 *     mcp_sessions            app / id            mcp_session_record
 *
 * Called by workers (find, put, touch, delete) and by the janitor (sweep). That a session is in use
 * is written now and then only: a session ends between one idle time and five quarters of it after
 * its last use. Errors are the store's.
 */
#ifndef GATEHOUSE_SHARED_MCP_SESSION_STORE_H
#define GATEHOUSE_SHARED_MCP_SESSION_STORE_H

#include "shared/mcp_session_record.h"
#include "shared/store.h"

void mcp_session_key(struct store_key *key, struct slice app, struct slice id);

/* Whether it ended by idleness; `idle` in milliseconds, times in wall seconds. */
bool mcp_session_is_idle(const struct mcp_session_record *record, int64_t now, uint64_t idle);
/* Whether it is time to write that it is in use. */
bool mcp_session_wants_touch(int64_t used, int64_t now, uint64_t idle);

/* One get. *out is borrowed as store.h says. -ENOENT, also for a record that cannot be decoded. */
int mcp_session_find(struct store *store, const struct store_key *key, struct slice id,
                     struct mcp_session_record *out);

/* These inside store_write_begin. */

/* -EEXIST when another caller's session of that id is alive: nothing is written. */
int mcp_session_put(struct store *store, const struct store_key *key,
                    const struct mcp_session_record *record, uint64_t idle);
/* The version that its server named, and what it said of itself (mcp_session_record.identity; may
 * be empty). 0 also when it is gone. */
int mcp_session_set_version(struct store *store, const struct store_key *key, struct slice version,
                            struct slice identity);
/* It was opened anew at another home, at `now`. Who reads a lost home first, and writes last, does
 * not win: -EEXIST when it is no longer at `from`, -ENOENT when it is gone; then nothing is
 * written. */
int mcp_session_move(struct store *store, const struct store_key *key,
                     const struct mcp_session_home *from, const struct mcp_session_home *to,
                     int64_t now);
/* It could not be: deletes it, on the same terms. */
int mcp_session_abandon(struct store *store, const struct store_key *key,
                        const struct mcp_session_home *from);
/* 0 also when it is gone. */
int mcp_session_touch(struct store *store, const struct store_key *key, int64_t now);
/* 0 also when it is gone. */
int mcp_session_delete(struct store *store, const struct store_key *key);

/* The janitor's, outside of a transaction: looks at up to one batch of records from *cursor on
 * (which moves, and begins anew at the end), and removes those that are idle or unreadable: they
 * are then in `ended` (session_end.h; may be NULL). */
int mcp_session_sweep(struct store *store, struct store_key *cursor, int64_t now, uint64_t idle,
                      size_t *removed, struct buffer *ended);

#endif
