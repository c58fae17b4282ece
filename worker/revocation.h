/* revocation.h: whether a revocation names a session, and a small memory of such answers.
 *
 * Database `revocations`, written by the watcher, keyed by kind and value:
 *
 *     session/<session id>            signing_input/<64 hex>          app/<app>
 *     user/<sha256(issuer)>/<name>    subject/<sha256(issuer)>/<sub>  jti/<sha256(issuer)>/<jti>
 *
 * A record that is there revokes. Called by the catalog alone.
 */
#ifndef GATEHOUSE_WORKER_REVOCATION_H
#define GATEHOUSE_WORKER_REVOCATION_H

#include "shared/session_record.h"
#include "shared/store.h"

enum { REVOCATION_CACHE_SIZE = 512 }; /* answers that a worker remembers */

struct revocation_answer {
    struct session_id id;
    uint64_t sequence; /* of revocations, when it was looked up; 0: free */
    bool revoked;
};

struct revocation_cache {
    struct revocation_answer answers[REVOCATION_CACHE_SIZE];
};

/* 1 revoked, 0 not, -ENOENT not known for this sequence (not 0). */
int revocation_cache_find(const struct revocation_cache *cache, const struct session_id *id,
                          uint64_t sequence);
void revocation_cache_put(struct revocation_cache *cache, const struct session_id *id,
                          uint64_t sequence, bool revoked);

/* Looks at each kind, at most six gets. 1 revoked, 0 not, or -errno. */
int revocation_find(struct store *config, const struct session_id *id,
                    const struct session_record *session);

#endif
