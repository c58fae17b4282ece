#include "conf/lock_candidate.h"

#include "conf/lock_document.h"
#include "shared/clock.h"

#include <errno.h>

int lock_candidate_stage(struct registry_slot *slot, const struct document *document)
{
    struct document_record origin = {0};
    struct revocation_record record;
    struct store_key key;

    if (slot->good != NULL && slice_equal(slot->good->origin.good_hash, document->hash))
        return 0;
    lock_record_fill(document, &record);
    record.made = clock_wall_seconds();
    revocation_record_key(&key, &record);
    origin.revocation = store_key_slice(&key);
    return candidate_set(slot, &record, &origin, document);
}

/* The key that a version of before wrote: known from its status alone, after a restart. */
static int lock_delete(const struct registry_entry *entry, struct publication *publication)
{
    struct slice text = entry->origin.revocation;
    struct store_key key;

    if (text.size == 0)
        return 0;
    if (store_key_take(&key, text) != 0)
        return -EBADMSG;
    return publication_delete(publication, STORE_REVOCATIONS, &key);
}

static int lock_put(const struct revocation_record *record, struct publication *publication)
{
    struct buffer bytes = {0};
    struct store_key key;
    int status;

    if (record->until != 0 && record->until <= clock_wall_seconds())
        return 0;
    revocation_record_key(&key, record);
    status = revocation_record_encode(record, &bytes);
    if (status == 0)
        status = publication_put(publication, STORE_REVOCATIONS, &key, buffer_slice(&bytes));
    buffer_free(&bytes);
    return status;
}

int lock_candidate_write(const struct registry_slot *slot, struct publication *publication)
{
    int status = slot->good == NULL ? 0 : lock_delete(slot->good, publication);

    if (status == 0 && slot->change == REGISTRY_REPLACED)
        status = lock_put(&slot->next->lock, publication);
    return status;
}
