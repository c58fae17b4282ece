#include "worker/demo_session.h"

#include <sys/random.h>

const char *demo_session_add(struct demo_sessions *sessions)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[DEMO_SESSION_ID_SIZE / 2];
    char *id = sessions->ids[sessions->next];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return NULL;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        id[2 * i] = digits[bytes[i] >> 4];
        id[2 * i + 1] = digits[bytes[i] & 15];
    }
    id[DEMO_SESSION_ID_SIZE] = '\0';
    sessions->next = (sessions->next + 1) % DEMO_SESSIONS_MAX;
    return id;
}

static size_t demo_session_find(const struct demo_sessions *sessions, struct slice id)
{
    size_t at = 0;

    if (id.size != DEMO_SESSION_ID_SIZE)
        return DEMO_SESSIONS_MAX;
    while (at < DEMO_SESSIONS_MAX && memcmp(sessions->ids[at], id.data, id.size) != 0)
        at++;
    return at;
}

bool demo_session_exists(const struct demo_sessions *sessions, struct slice id)
{
    return demo_session_find(sessions, id) < DEMO_SESSIONS_MAX;
}

bool demo_session_remove(struct demo_sessions *sessions, struct slice id)
{
    size_t at = demo_session_find(sessions, id);

    if (at == DEMO_SESSIONS_MAX)
        return false;
    memset(sessions->ids[at], 0, sizeof(sessions->ids[at]));
    return true;
}
