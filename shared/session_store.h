/* session_store.h: sessions in the `sessions` environment, with their two indexes.
 *
 *     sessions            seconds / turn / id                  session_record
 *     sessions_by_id      id~                                  seconds / turn
 *     sessions_by_user    sha256(issuer)~ / user / turn / id~  "1"
 *
 * Seconds, when the session ends, and turn are 16 hex digits; a digest with ~ is cut to as many.
 * The turn is the number of the transaction that wrote the entries (store_write_number).
 *
 * A page that changes is written whole, so that a session costs what pages it touches. Those that a
 * turn makes mostly end together, and so share pages of records, over which their ids, being
 * digests, would spread them. Only the small entries by id and by user are spread, and the shorter
 * their keys, the fewer pages lead to them. What is cut never decides: the record's key has the
 * whole id. Of two sessions whose ids begin alike the later is found, and the earlier's token is
 * proven anew.
 *
 * The three change together, in the caller's write transaction, so that no index is ever left over.
 * Called by workers (find, put, delete) and by the janitor's sweep. Judges nothing: whether a
 * session is current, unexpired or revoked is the caller's question. Errors are the store's.
 */
#ifndef GATEHOUSE_SHARED_SESSION_STORE_H
#define GATEHOUSE_SHARED_SESSION_STORE_H

#include "shared/session_record.h"
#include "shared/store.h"

enum {
    SESSION_STORE_DIGITS = 16,                        /* of a number or digest in a key */
    SESSION_STORE_ID_SIZE = 4 + SESSION_STORE_DIGITS, /* bytes of an id that is cut */
};

/* Where a session's record stands. A zeroed one is empty. */
struct session_place {
    uint64_t seconds, turn; /* of its key */
    struct store_place found;
};

/* Two gets. *out is borrowed until the turn's end (see store.h). -ENOENT; -EBADMSG when the record
 * cannot be decoded, which a caller treats as absent: a put replaces it. */
int session_store_find(struct store *store, const struct session_id *id,
                       struct session_record *out);

/* The record's bytes, for an id that is asked for again and again: one get while it stands where
 * *place, the caller's, remembers; see store_get_again. */
int session_store_read(struct store *store, const struct session_id *id,
                       struct session_place *place, struct slice *record);

/* The id in a key of `sessions`; false when it is no key of ours. */
bool session_store_key_id(struct slice key, struct session_id *id);

/* Calls `visit` as store_scan does, with key and record, for each session whose id begins so. */
int session_store_search(struct store *store, const char *prefix, store_visit visit, void *context);

/* Inside store_write_begin: writes the record and both index entries, and removes the index entries
 * of a record that it replaces. -ENOSPC when the environment is full: the caller aborts. */
int session_store_put(struct store *store, const struct session_id *id,
                      const struct session_record *session);
/* The same for a session that is encoded already; `user`: session_store_user_key of its user. */
int session_store_put_record(struct store *store, const struct session_id *id, int64_t expires,
                             const struct store_key *user, struct slice record);

/* Inside store_write_begin: removes the session and its index entries. -ENOENT when there is none.
 * A record that cannot be decoded is removed as well, its entry by user is then left over. */
int session_store_delete(struct store *store, const struct session_id *id);

/* Inside store_write_begin, for the sweep: `key` is one of `sessions`. Removes that entry, and the
 * session's others with it if it is where the session stands: then sets *removed and appends the
 * session to `ended` (session_end.h; may be NULL). */
int session_store_expire(struct store *store, struct slice key, bool *removed,
                         struct buffer *ended);

/* What the keys of a user's entries in sessions_by_user begin with. */
void session_store_user_key(struct store_key *key, struct slice issuer, struct slice user);
/* How many sessions a user has, counted to `limit` and no further. */
int session_store_count_user(struct store *store, const struct store_key *user, size_t limit,
                             size_t *count);

#endif
