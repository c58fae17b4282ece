/* Who is shut out: revocations and locks, as they are now. */
#include "shared/clock.h"
#include "worker/catalog_parts.h"

#include <errno.h>

static int catalog_stored_revocations(struct catalog *catalog)
{
    struct store_key key;
    struct slice value;
    int error;

    revocation_sequence_key(&key);
    error = store_get(catalog->store, STORE_META, &key, &value);
    if (error == -ENOENT)
        return 0;
    if (error != 0)
        return error;
    return revocation_sequence_decode(value, &catalog->revocations) == 0 ? 0 : -ESTALE;
}

/* As catalog_compare does with the generation: this turn's snapshot may be older than what the
 * scoreboard announces, a renewed one may not. */
static int catalog_compare_revocations(struct catalog *catalog, uint64_t sequence)
{
    int error = catalog_compare(catalog);

    if (error != 0 || (catalog->revocations != 0 && catalog->revocations >= sequence))
        return error;
    error = catalog_stored_revocations(catalog);
    if (error == 0 && catalog->revocations < sequence) {
        error = catalog_refresh(catalog);
        if (error == 0)
            error = catalog_stored_revocations(catalog);
        if (error == 0 && catalog->revocations < sequence)
            error = -ESTALE;
    }
    return error == 0 ? 0 : catalog_failed(catalog, error);
}

/* What the store says, remembered for this sequence. */
static int catalog_look_up_revocation(struct catalog *catalog, uint64_t sequence,
                                      const struct session_id *id,
                                      const struct session_record *session,
                                      struct revocation_answer *answer)
{
    int error = catalog_compare_revocations(catalog, sequence);

    if (error != 0)
        return error;
    error = revocation_is_empty(catalog->store);
    if (error < 0)
        return catalog_failed(catalog, error);
    if (error == 1) {
        catalog->empty = sequence;
        *answer = (struct revocation_answer){.state = REVOCATION_NONE};
        return 0;
    }
    error = revocation_find(catalog->store, id, session, clock_wall_seconds(), answer);
    if (error != 0)
        return catalog_failed(catalog, error);
    answer->sequence = sequence;
    revocation_cache_put(&catalog->revoked, answer);
    return 0;
}

int catalog_shut_out(struct catalog *catalog, const struct session_id *id,
                     const struct session_record *session, bool *locked)
{
    uint64_t sequence = atomic_load_explicit(&catalog->public->revocations, memory_order_acquire);
    struct revocation_answer answer;

    if (sequence == catalog->empty)
        return 0;
    if (revocation_cache_find(&catalog->revoked, id, sequence, &answer) != 0 ||
        revocation_answer_is_over(&answer, clock_wall_seconds())) {
        int error = catalog_look_up_revocation(catalog, sequence, id, session, &answer);

        if (error != 0)
            return error;
    }
    *locked = answer.state == REVOCATION_LOCKED;
    return answer.state != REVOCATION_NONE;
}
