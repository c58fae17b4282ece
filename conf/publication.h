/* publication.h: changes on their way into the config environment, collected, then written in one
 * transaction.
 *
 * Called by the watcher's parts: each says what a record shall be; what the store already holds so
 * is not written again, and when nothing is left there is no transaction. A transaction that
 * changes revocations moves `meta` revocations, one that changes anything else `meta` generation,
 * by one. Never matches, never fetches.
 */
#ifndef GATEHOUSE_CONF_PUBLICATION_H
#define GATEHOUSE_CONF_PUBLICATION_H

#include "shared/store.h"

struct publication;

/* What `meta` says. */
struct publication_numbers {
    uint64_t generation;
    uint64_t revocations;
};

/* Begins to read: a turn of the store, until commit or abort. `store` is borrowed. 0, -ENOMEM. */
int publication_begin(struct publication **out, struct store *store);

/* What the store will hold: what was said here, or else what it holds now. -ENOENT. Borrowed until
 * the next call for the same key, commit or abort. */
int publication_get(struct publication *publication, enum store_database database,
                    const struct store_key *key, struct slice *value);
/* -EMSGSIZE when the value is larger than a record may be. */
int publication_put(struct publication *publication, enum store_database database,
                    const struct store_key *key, struct slice value);
int publication_delete(struct publication *publication, enum store_database database,
                       const struct store_key *key);

/* Writes what differs and frees the publication. *numbers are the last that were seen; -ESTALE when
 * the store's are older. 1: committed; 0: nothing differed; *numbers are then the present ones; or
 * the store's error, and nothing was written. */
int publication_commit(struct publication *publication, struct publication_numbers *numbers);
void publication_abort(struct publication *publication);

#endif
