#include "worker/known_session.h"

#include <errno.h>
#include <stdlib.h>

static void known_session_free(struct known_session *known)
{
    if (known == NULL)
        return;
    free(known->bytes);
    free(known);
}

/* Ids are digests, so that some of their digits, spread by a multiplication, choose well. Who makes
 * tokens that meet in one place makes requests dearer, and no more. */
static struct known_session **known_place(struct known_sessions *sessions,
                                          const struct session_id *id)
{
    uint64_t digits;

    memcpy(&digits, id->text + SESSION_ID_SIZE - sizeof(digits), sizeof(digits));
    return &sessions->places[digits * UINT64_C(0x9e3779b97f4a7c15) >> (64 - KNOWN_SESSION_BITS)];
}

static bool known_is(const struct known_session *known, const struct session_id *id)
{
    return known != NULL && memcmp(known->id.text, id->text, SESSION_ID_SIZE) == 0;
}

/* A copy of the record, decoded. */
static int known_make(const struct session_id *id, struct slice record, struct known_session **out)
{
    struct known_session *known = malloc(sizeof(*known));
    int error = -ENOMEM;

    if (known == NULL)
        return -ENOMEM;
    known->id = *id;
    known->fits = false;
    known->generation = 0;
    known->size = record.size;
    known->bytes = malloc(record.size + 1);
    if (known->bytes != NULL) {
        memcpy(known->bytes, record.data, record.size);
        error = session_record_decode(slice_make(known->bytes, record.size), &known->record);
    }
    if (error != 0) {
        known_session_free(known);
        return error;
    }
    *out = known;
    return 0;
}

int known_sessions_find(struct known_sessions *sessions, struct store *store,
                        const struct session_id *id, struct known_session **out)
{
    struct known_session **at = known_place(sessions, id);
    struct known_session *known = known_is(*at, id) ? *at : NULL;
    struct session_place place = known != NULL ? known->place : (struct session_place){0};
    struct slice record;
    int error;

    if (known != NULL && place.found.snapshot != 0 &&
        place.found.snapshot == store_last_write(store)) {
        *out = known;
        return 0;
    }
    error = session_store_read(store, id, &place, &record);
    if (error != 0)
        return error;
    if (known == NULL || !slice_equal(slice_make(known->bytes, known->size), record)) {
        error = known_make(id, record, &known);
        if (error != 0)
            return error;
        known_session_free(*at);
        *at = known;
    }
    known->place = place;
    *out = known;
    return 0;
}

void known_sessions_free(struct known_sessions *sessions)
{
    for (size_t i = 0; i < KNOWN_SESSIONS; i++)
        known_session_free(sessions->places[i]);
    *sessions = (struct known_sessions){0};
}
