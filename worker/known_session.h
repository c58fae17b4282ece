/* known_session.h: the sessions that a worker saw last, decoded.
 *
 * The authenticator's: a request in one of them neither searches a store that did not change, nor
 * reads its record anew. Remembers what a record says, and under which generation of the
 * configuration its config's binding was found to fit: neither time nor revocation, which are asked
 * at each request. A store that changed is always searched again. Bounded; holds no token.
 */
#ifndef GATEHOUSE_WORKER_KNOWN_SESSION_H
#define GATEHOUSE_WORKER_KNOWN_SESSION_H

#include "shared/session_store.h"

/* Of a worker; 6 to 8 KiB each: 4 MiB at most. Few that are in use at a time meet in a place, and
 * fewer find no room there. */
enum {
    KNOWN_SESSION_BITS = 7,
    KNOWN_SESSION_PLACES = 1 << KNOWN_SESSION_BITS,
    KNOWN_SESSION_ROOM = 4, /* of a place */
    KNOWN_SESSIONS = KNOWN_SESSION_PLACES * KNOWN_SESSION_ROOM
};

struct known_session {
    struct session_record record; /* borrows from bytes */
    bool fits;                    /* the caller's: under `generation` */
    uint64_t generation;
    /* private */
    struct session_id id;
    struct session_place place;
    char *bytes; /* owned */
    size_t size;
};

/* A zeroed one is empty. */
struct known_sessions {
    struct known_session *places[KNOWN_SESSION_PLACES][KNOWN_SESSION_ROOM]; /* owned */
};

/* The session of that id as the store has it now, not while that is being written; *out is borrowed
 * until the next call. -ENOENT; -EBADMSG when its record cannot be decoded, which a caller treats
 * as absent; -ENOMEM; the store's errors. */
int known_sessions_find(struct known_sessions *sessions, struct store *store,
                        const struct session_id *id, struct known_session **out);
void known_sessions_free(struct known_sessions *sessions);

#endif
