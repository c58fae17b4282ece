/* policy_cache.h: policy sets by app and roles, of one config generation.
 *
 * The catalog's: made on first use, dropped when the generation moves. Bounded, because tokens
 * choose among the combinations of roles: a full cache is emptied. Reads one store; never lists.
 */
#ifndef GATEHOUSE_WORKER_POLICY_CACHE_H
#define GATEHOUSE_WORKER_POLICY_CACHE_H

#include "shared/buffer.h"
#include "shared/policy.h"
#include "shared/store.h"
#include "worker/name_table.h"

enum {
    POLICY_CACHE_SETS = 4096,
    POLICY_CACHE_BYTES = 64 * 1024 * 1024, /* of a worker: large roles, in few combinations */
};

/* A zeroed one is empty and usable. */
struct policy_cache {
    struct name_table sets;
    size_t size;        /* bytes, about */
    struct buffer name; /* kept for its memory */
};

struct policy_caller {
    struct slice app;
    const struct slice *roles;
    size_t role_count;
};

/* What is kept, with a hold of the caller's own, or NULL. */
struct policy_set *policy_cache_find(struct policy_cache *cache,
                                     const struct policy_caller *caller);

/* Reads the caller's roles and makes their set, held by the caller; keeps it unless a role has no
 * match at the app in this snapshot and `keep` is not said: *missing is then true, and the answer
 * counts only if a newer snapshot says the same. 0 or a negative errno. */
int policy_cache_load(struct policy_cache *cache, struct store *store,
                      const struct policy_caller *caller, bool keep, bool *missing,
                      struct policy_set **out);

void policy_cache_clear(struct policy_cache *cache);

/* Gives the rest of the memory back, too. */
void policy_cache_free(struct policy_cache *cache);

#endif
