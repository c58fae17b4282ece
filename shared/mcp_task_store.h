/* mcp_task_store.h: tasks of MCP servers in the `sessions` environment, and how long they are kept.
 *
 *     mcp_tasks               app / task id       mcp_task_record
 *
 * Called by workers (find, put, touch) and by the janitor (sweep). A task is remembered for the
 * time that its server said, at least MCP_TASK_TTL_MIN and at most the setting `mcp_task_ttl`, from
 * its last use on: servers may prolong it, and answer themselves for one that they forgot. That it
 * is in use is written four times in that time at most. Errors are the store's.
 */
#ifndef GATEHOUSE_SHARED_MCP_TASK_STORE_H
#define GATEHOUSE_SHARED_MCP_TASK_STORE_H

#include "shared/mcp_task_record.h"
#include "shared/store.h"

/* Seconds: clocks differ, and who polls slowly is to hear from the server that its task expired. */
enum { MCP_TASK_TTL_MIN = 60 };

void mcp_task_key(struct store_key *key, struct slice app, struct slice id);

/* Seconds to remember a task for which the server said so many milliseconds; below 0: it said none.
 * `limit`: the setting, in milliseconds. */
int64_t mcp_task_ttl(int64_t said, uint64_t limit);
bool mcp_task_is_over(const struct mcp_task_record *record, int64_t now);
/* Whether it is time to write that it is in use. */
bool mcp_task_wants_touch(const struct mcp_task_record *record, int64_t now);

/* One get. *out is borrowed as store.h says. -ENOENT, also for a record that is over or cannot be
 * decoded. */
int mcp_task_find(struct store *store, const struct store_key *key, struct slice id, int64_t now,
                  struct mcp_task_record *out);

/* These inside store_write_begin. */

/* -EEXIST when another caller's task of that id is remembered: nothing is written. */
int mcp_task_put(struct store *store, const struct store_key *key,
                 const struct mcp_task_record *record);
/* 0 also when it is gone. */
int mcp_task_touch(struct store *store, const struct store_key *key, int64_t now);

/* The janitor's: see store_sweep.h. */
int mcp_task_sweep(struct store *store, struct store_key *cursor, int64_t now, size_t *removed);

#endif
