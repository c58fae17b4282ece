#include "worker/bridge_session.h"

#include "shared/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum { SESSION_OVER_MAX = 8 }; /* streams that are over, and kept in case their end was lost */

static struct bridge_session **session_bucket(struct bridge *bridge, const char *id)
{
    unsigned hash = 0;

    for (size_t i = 0; i < 8; i++) /* random already */
        hash = hash * 31 + (unsigned char)id[i];
    return &bridge->sessions[hash % BRIDGE_BUCKETS];
}

static int session_mint(char id[BRIDGE_SESSION_ID_SIZE + 1])
{
    uint8_t bytes[BRIDGE_SESSION_ID_SIZE / 2];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return -EIO;
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(id + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

int bridge_session_open(struct bridge_link *link, struct slice app, struct slice owner, bool old,
                        struct bridge_session **out)
{
    struct bridge *bridge = link->bridge;
    struct bridge_session *session;
    struct bridge_session **bucket;

    if (bridge->session_count >= BRIDGE_SESSIONS_MAX)
        return -EDQUOT;
    session = calloc(1, sizeof(*session));
    if (session == NULL || app.size >= sizeof(session->app) ||
        owner.size >= sizeof(session->owner) || session_mint(session->id) != 0) {
        free(session);
        return -ENOMEM;
    }
    session->bridge = bridge;
    session->link = link;
    session->old = old;
    session->used = ev_now(bridge->loop);
    memcpy(session->app, app.data, app.size);
    memcpy(session->owner, owner.data, owner.size);
    bucket = session_bucket(bridge, session->id);
    session->next = *bucket;
    session->at = bucket;
    if (session->next != NULL)
        session->next->at = &session->next;
    *bucket = session;
    session->beside = link->sessions;
    session->beside_at = &link->sessions;
    if (session->beside != NULL)
        session->beside->beside_at = &session->beside;
    link->sessions = session;
    bridge->session_count++;
    session->standing =
        bridge_session_stream(session, old ? BRIDGE_STREAM_OLD : BRIDGE_STREAM_STANDING);
    *out = session;
    if (session->standing != NULL)
        return 0;
    bridge_session_end(session);
    return -ENOMEM;
}

struct bridge_session *bridge_session_find(struct bridge *bridge, struct slice id, struct slice app,
                                           struct slice owner)
{
    struct bridge_session *session;

    if (id.size != BRIDGE_SESSION_ID_SIZE)
        return NULL;
    for (session = *session_bucket(bridge, id.data); session != NULL; session = session->next) {
        if (slice_is(id, session->id))
            break;
    }
    if (session == NULL || !slice_is(app, session->app) || !slice_is(owner, session->owner))
        return NULL;
    session->used = ev_now(bridge->loop);
    session->left = 0;
    return session;
}

void bridge_session_left(struct bridge_session *session)
{
    session->left = ev_now(session->bridge->loop);
}

static void notes_free(struct bridge_note **notes)
{
    while (*notes != NULL) {
        struct bridge_note *next = (*notes)->next;

        free(*notes);
        *notes = next;
    }
}

void bridge_session_end(struct bridge_session *session)
{
    struct bridge *bridge;

    if (session == NULL || session->ended)
        return;
    bridge = session->bridge;
    session->ended = true;
    *session->at = session->next;
    if (session->next != NULL)
        session->next->at = session->at;
    *session->beside_at = session->beside;
    if (session->beside != NULL)
        session->beside->beside_at = session->beside_at;
    bridge->session_count--;
    bridge_link_leave(session->link, session);
    while (session->streams != NULL)
        bridge_stream_free(session->streams);
    notes_free(&session->asks);
    notes_free(&session->uris);
    bridge_bury(bridge, &session->remains);
}

/* A request that is still open, but for nobody, keeps no server alive. */
static bool session_is_used(const struct bridge_session *session)
{
    for (const struct bridge_stream *stream = session->streams; stream != NULL;
         stream = stream->next) {
        if (stream->client != NULL)
            return true;
    }
    return false;
}

void bridge_session_sweep(struct bridge *bridge)
{
    ev_tstamp now = ev_now(bridge->loop);
    ev_tstamp idle = (ev_tstamp)bridge->child.settings.stdio.idle_timeout / 1000.;
    ev_tstamp leave = (ev_tstamp)bridge->child.settings.stdio.leave_timeout / 1000.;

    for (size_t i = 0; i < BRIDGE_BUCKETS; i++) {
        struct bridge_session *session = bridge->sessions[i];

        while (session != NULL) {
            struct bridge_session *next = session->next;

            if (session_is_used(session)) {
                session->used = now;
            } else if (session->left != 0 && now - session->left >= leave) {
                log_info("bridge_session_left", "app %s: a session whose client left ended",
                         session->app);
                bridge_session_end(session);
            } else if (now - session->used > idle) {
                log_info("bridge_session_idle", "app %s: a session that nobody used ended",
                         session->app);
                bridge_session_end(session);
            }
            session = next;
        }
    }
}

struct bridge_stream *bridge_session_stream(struct bridge_session *session,
                                            enum bridge_stream_kind kind)
{
    struct bridge_stream *stream = bridge_stream_new(session->bridge, kind);

    if (stream == NULL)
        return NULL;
    stream->session = session;
    stream->server = session->link;
    stream->number = ++session->last_stream;
    stream->primed = session->primed;
    stream->next = session->streams;
    stream->link = &session->streams;
    if (stream->next != NULL)
        stream->next->link = &stream->next;
    session->streams = stream;
    return stream;
}

struct bridge_stream *bridge_session_find_stream(struct bridge_session *session, uint64_t number)
{
    struct bridge_stream *stream = session->streams;

    while (stream != NULL && stream->number != number)
        stream = stream->next;
    return stream;
}

void bridge_session_stream_over(struct bridge_session *session)
{
    struct bridge_stream *stream = session->streams;
    struct bridge_stream *next;
    size_t over = 0;

    for (; stream != NULL; stream = next) {
        next = stream->next;
        if (stream->client == NULL && stream->kind == BRIDGE_STREAM_ANSWER && stream->calls == 0 &&
            ++over > SESSION_OVER_MAX)
            bridge_stream_free(stream);
    }
}

bool bridge_note_put(struct bridge_note **notes, struct slice text, size_t max)
{
    struct bridge_note *note;
    size_t count = 0;

    for (note = *notes; note != NULL; note = note->next)
        count++;
    note = count >= max ? NULL : malloc(sizeof(*note) + text.size);
    if (note == NULL)
        return false;
    note->size = text.size;
    memcpy(note->text, text.data, text.size);
    note->next = *notes;
    *notes = note;
    return true;
}

static struct bridge_note **note_find(struct bridge_note **notes, struct slice text)
{
    while (*notes != NULL && !slice_equal(slice_make((*notes)->text, (*notes)->size), text))
        notes = &(*notes)->next;
    return notes;
}

bool bridge_note_has(const struct bridge_note *notes, struct slice text)
{
    struct bridge_note *first = (struct bridge_note *)notes;

    return *note_find(&first, text) != NULL;
}

bool bridge_note_take(struct bridge_note **notes, struct slice text)
{
    struct bridge_note **at = note_find(notes, text);
    struct bridge_note *note = *at;

    if (note == NULL)
        return false;
    *at = note->next;
    free(note);
    return true;
}
