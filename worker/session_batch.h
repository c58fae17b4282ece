/* session_batch.h: the sessions that one turn of a worker makes, written in one transaction.
 *
 * Authenticate puts a session in when its token was proven, and commits before any answer that
 * depends on it leaves. What is in the batch counts as present. Knows no token.
 */
#ifndef GATEHOUSE_WORKER_SESSION_BATCH_H
#define GATEHOUSE_WORKER_SESSION_BATCH_H

#include "shared/session_record.h"
#include "shared/store.h"

struct auth_attempt;

struct session_batch_entry {
    struct session_batch_entry *next;
    struct session_id id;
    struct session_record session; /* borrowed from bytes */
    struct store_key user;         /* session_store_user_key of the session's */
    size_t size;                   /* of bytes: the record */
    bool renewed;                  /* replaces a session that was judged by an older config */
    struct auth_attempt *attempts; /* who waits for the commit; authenticate's list */
    char bytes[];
};

struct session_batch {
    struct session_batch_entry *entries; /* owned; a zeroed batch is empty */
};

/* The entry of that id, or NULL. */
struct session_batch_entry *session_batch_find(const struct session_batch *batch,
                                               const struct session_id *id);
/* Sessions of that user in the batch, without renewed ones; `user` as an entry's. */
size_t session_batch_count_user(const struct session_batch *batch, const struct store_key *user);
/* Copies the session into a new entry, borrowed until session_batch_clear; the caller sets its
 * `renewed` and `attempts`. 0 or -ENOMEM, or -EBADMSG for a session that does not survive its own
 * encoding. */
int session_batch_add(struct session_batch *batch, const struct session_id *id,
                      const struct session_record *session, const struct store_key *user,
                      struct session_batch_entry **entry);
/* One write transaction. On an error (the store's) nothing was written. */
int session_batch_commit(const struct session_batch *batch, struct store *sessions);
void session_batch_clear(struct session_batch *batch);

#endif
