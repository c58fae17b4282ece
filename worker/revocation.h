/* revocation.h: whether a revocation or a lock names a session, and a small memory of such answers.
 *
 * Looks into the database `revocations` (shared/revocation_record.h says its keys), which the
 * watcher writes. Called by the catalog alone.
 */
#ifndef GATEHOUSE_WORKER_REVOCATION_H
#define GATEHOUSE_WORKER_REVOCATION_H

#include "shared/revocation_record.h"
#include "shared/store.h"

enum {
    REVOCATION_CACHE_SIZE = 2048, /* answers that a worker remembers */
    REVOCATION_CACHE_WAYS = 4,    /* places that one id may take: ids of one hash share them */
};

enum revocation_state { REVOCATION_NONE, REVOCATION_REVOKED, REVOCATION_LOCKED };

struct revocation_answer {
    struct session_id id; /* zeroed: nobody's */
    uint64_t sequence;    /* of revocations, when it was looked up */
    int64_t until;        /* wall seconds when what was found ends; 0: never */
    enum revocation_state state;
};

struct revocation_cache {
    struct revocation_answer answers[REVOCATION_CACHE_SIZE];
};

/* 0, or -ENOENT when it is not known for this sequence. */
int revocation_cache_find(const struct revocation_cache *cache, const struct session_id *id,
                          uint64_t sequence, struct revocation_answer *out);
void revocation_cache_put(struct revocation_cache *cache, const struct revocation_answer *answer);
/* Whether its time has come: others may name the session still. `now`: wall seconds. */
bool revocation_answer_is_over(const struct revocation_answer *answer, int64_t now);

/* 1 when there is none at all, 0 or -errno. */
int revocation_is_empty(struct store *config);

/* Fills all of *out but its sequence. A look at each kind of name that the session bears, nine at
 * most. 0 or -errno; a record that cannot be read is -EBADMSG: who it names is not known. */
int revocation_find(struct store *config, const struct session_id *id,
                    const struct session_record *session, int64_t now,
                    struct revocation_answer *out);

#endif
