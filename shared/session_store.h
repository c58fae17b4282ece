/* session_store.h: sessions in the `sessions` environment, with their two indexes.
 *
 *     sessions            id                              session_record
 *     sessions_by_user    sha256(issuer) / user / id      turn
 *     sessions_by_expiry  seconds / turn / id             "1"
 *
 * Seconds and turn are 16 hex digits. The turn is the number of the transaction that wrote both
 * entries (store_write_number): sessions that are made together mostly end together, and so share a
 * page of sessions_by_expiry, which their ids, being digests, would spread over all of a second's.
 *
 * The three change together, in the caller's write transaction, so that no index is ever left over.
 * Called by workers (find, put, delete) and by the janitor's sweep. Judges nothing: whether a
 * session is current, unexpired or revoked is the caller's question. Errors are the store's.
 */
#ifndef GATEHOUSE_SHARED_SESSION_STORE_H
#define GATEHOUSE_SHARED_SESSION_STORE_H

#include "shared/session_record.h"
#include "shared/store.h"

/* One get. *out is borrowed until the turn's end (see store.h). -ENOENT; -EBADMSG when the record
 * cannot be decoded, which a caller treats as absent: a put replaces it. */
int session_store_find(struct store *store, const struct session_id *id,
                       struct session_record *out);

/* The record's bytes, for an id that is asked for again and again; see store_get_again. */
int session_store_read(struct store *store, const struct session_id *id, struct store_place *place,
                       struct slice *record);

/* Inside store_write_begin: writes the record and both index entries, and removes the index entries
 * of a record that it replaces. -ENOSPC when the environment is full: the caller aborts. */
int session_store_put(struct store *store, const struct session_id *id,
                      const struct session_record *session);
/* The same for a session that is encoded already; `user`: session_store_user_key of its user. */
int session_store_put_record(struct store *store, const struct session_id *id, int64_t expires,
                             const struct store_key *user, struct slice record);

/* Inside store_write_begin: removes the session and its index entries. -ENOENT when there is none.
 * A record that cannot be decoded is removed as well, its index entries are then left over. */
int session_store_delete(struct store *store, const struct session_id *id);

/* Inside store_write_begin, for the sweep: `expiry` is a key of sessions_by_expiry. Removes that
 * entry, and the session with it unless the session now ends at another time. Sets *removed when a
 * session went, and appends it to `ended` (session_end.h; may be NULL). */
int session_store_expire(struct store *store, struct slice expiry, bool *removed,
                         struct buffer *ended);

/* What the keys of a user's entries in sessions_by_user begin with. */
void session_store_user_key(struct store_key *key, struct slice issuer, struct slice user);
/* How many sessions a user has, counted to `limit` and no further. */
int session_store_count_user(struct store *store, const struct store_key *user, size_t limit,
                             size_t *count);

#endif
