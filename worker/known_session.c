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
    return sessions->places[digits * UINT64_C(0x9e3779b97f4a7c15) >> (64 - KNOWN_SESSION_BITS)];
}

static bool known_is(const struct known_session *known, const struct session_id *id)
{
    return known != NULL && memcmp(known->id.text, id->text, SESSION_ID_SIZE) == 0;
}

/* Where the session stands in its place, or NULL. */
static struct known_session **known_in(struct known_session **place, const struct session_id *id)
{
    for (size_t i = 0; i < KNOWN_SESSION_ROOM; i++) {
        if (known_is(place[i], id))
            return &place[i];
    }
    return NULL;
}

/* The one that came first gives its room away. */
static struct known_session **known_room(struct known_session **place)
{
    known_session_free(place[KNOWN_SESSION_ROOM - 1]);
    memmove(place + 1, place, (KNOWN_SESSION_ROOM - 1) * sizeof(*place));
    place[0] = NULL;
    return place;
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
    struct known_session **room = known_place(sessions, id);
    struct known_session **at = known_in(room, id);
    struct known_session *known = at != NULL ? *at : NULL;
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
        if (at == NULL)
            at = known_room(room);
        known_session_free(*at);
        *at = known;
    }
    known->place = place;
    *out = known;
    return 0;
}

void known_sessions_free(struct known_sessions *sessions)
{
    for (size_t i = 0; i < KNOWN_SESSION_PLACES; i++) {
        for (size_t j = 0; j < KNOWN_SESSION_ROOM; j++)
            known_session_free(sessions->places[i][j]);
    }
    *sessions = (struct known_sessions){0};
}
