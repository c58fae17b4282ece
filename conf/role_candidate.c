#include "conf/role_candidate.h"

int role_candidate_stage(struct registry_slot *slot, const struct document *document)
{
    struct document_record origin = {0};

    if (slot->good != NULL && slice_equal(slot->good->origin.good_hash, document->hash))
        return 0;
    return candidate_set(slot, &document->role, &origin, document);
}

static int side_put(const struct policy_record *record, const struct store_key *key,
                    struct publication *publication)
{
    struct buffer bytes = {0};
    int status = policy_record_encode(record, &bytes);

    if (status == 0)
        status = publication_put(publication, STORE_POLICIES, key, buffer_slice(&bytes));
    buffer_free(&bytes);
    return status;
}

int role_candidate_write(const struct registry_slot *slot, struct publication *publication)
{
    const struct role_sides *sides = slot->change == REGISTRY_REPLACED ? &slot->next->role : NULL;
    int status = 0;

    for (int deny = 0; deny < 2 && status == 0; deny++) {
        struct store_key key;

        policy_record_key(&key, slot->name, deny);
        if (sides != NULL && sides->has[deny])
            status = side_put(&sides->records[deny], &key, publication);
        else
            status = publication_delete(publication, STORE_POLICIES, &key);
    }
    return status;
}
