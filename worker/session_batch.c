#include "worker/session_batch.h"

#include "shared/session_store.h"

#include <errno.h>
#include <stdlib.h>

struct session_batch_entry *session_batch_find(const struct session_batch *batch,
                                               const struct session_id *id)
{
    struct session_batch_entry *entry = batch->entries;

    while (entry != NULL && memcmp(entry->id.text, id->text, SESSION_ID_SIZE) != 0)
        entry = entry->next;
    return entry;
}

size_t session_batch_count_user(const struct session_batch *batch, struct slice issuer,
                                struct slice user)
{
    size_t count = 0;

    for (const struct session_batch_entry *entry = batch->entries; entry != NULL;
         entry = entry->next) {
        if (!entry->renewed && slice_equal(entry->session.user, user) &&
            slice_equal(entry->session.issuer, issuer))
            count++;
    }
    return count;
}

static int session_batch_copy(struct session_batch_entry **out, struct slice record)
{
    struct session_batch_entry *entry = calloc(1, sizeof(*entry) + record.size);
    int error;

    if (entry == NULL)
        return -ENOMEM;
    memcpy(entry->bytes, record.data, record.size);
    entry->size = record.size;
    error = session_record_decode(slice_make(entry->bytes, record.size), &entry->session);
    if (error != 0) {
        free(entry);
        return error;
    }
    *out = entry;
    return 0;
}

int session_batch_add(struct session_batch *batch, const struct session_id *id,
                      const struct session_record *session, struct session_batch_entry **entry)
{
    struct buffer record = {0};
    int error = session_record_encode(session, &record);

    if (error == 0)
        error = session_batch_copy(entry, buffer_slice(&record));
    buffer_free(&record);
    if (error != 0)
        return error;
    (*entry)->id = *id;
    (*entry)->next = batch->entries;
    batch->entries = *entry;
    return 0;
}

int session_batch_commit(const struct session_batch *batch, struct store *sessions)
{
    int error = store_write_begin(sessions);

    if (error != 0)
        return error;
    for (const struct session_batch_entry *entry = batch->entries; entry != NULL && error == 0;
         entry = entry->next)
        error = session_store_put_record(sessions, &entry->id, &entry->session,
                                         slice_make(entry->bytes, entry->size));
    if (error != 0) {
        store_abort(sessions);
        return error;
    }
    return store_commit(sessions);
}

void session_batch_clear(struct session_batch *batch)
{
    while (batch->entries != NULL) {
        struct session_batch_entry *next = batch->entries->next;

        free(batch->entries);
        batch->entries = next;
    }
}
