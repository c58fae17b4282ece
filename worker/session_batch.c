#include "worker/session_batch.h"

#include "shared/session_store.h"

#include <stddef.h>
#include <stdlib.h>

struct session_batch_entry *session_batch_find(const struct session_batch *batch,
                                               const struct session_id *id)
{
    struct session_batch_entry *entry = batch->entries;

    while (entry != NULL && memcmp(entry->id.text, id->text, SESSION_ID_SIZE) != 0)
        entry = entry->next;
    return entry;
}

size_t session_batch_count_user(const struct session_batch *batch, const struct store_key *user)
{
    size_t count = 0;

    for (const struct session_batch_entry *entry = batch->entries; entry != NULL;
         entry = entry->next) {
        if (!entry->renewed && slice_equal(store_key_slice(&entry->user), store_key_slice(user)))
            count++;
    }
    return count;
}

/* An entry whose record was encoded where it stays, behind it. */
static int session_batch_encode(struct session_batch_entry **out,
                                const struct session_record *session)
{
    const size_t head = offsetof(struct session_batch_entry, bytes);
    struct session_batch_entry *entry;
    struct buffer memory = {0};
    int error = buffer_reserve(&memory, head + SESSION_RECORD_USUAL);

    if (error != 0)
        return error;
    buffer_commit(&memory, head);
    error = session_record_encode(session, &memory);
    entry = (void *)buffer_data(&memory);
    entry->size = buffer_size(&memory) - head;
    if (error == 0)
        error = session_record_decode(slice_make(entry->bytes, entry->size), &entry->session);
    if (error != 0)
        buffer_free(&memory);
    else
        *out = entry;
    return error;
}

int session_batch_add(struct session_batch *batch, const struct session_id *id,
                      const struct session_record *session, const struct store_key *user,
                      struct session_batch_entry **entry)
{
    int error = session_batch_encode(entry, session);

    if (error != 0)
        return error;
    (*entry)->id = *id;
    (*entry)->user = *user;
    (*entry)->renewed = false;
    (*entry)->attempts = NULL;
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
        error = session_store_put_record(sessions, &entry->id, entry->session.expires, &entry->user,
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
