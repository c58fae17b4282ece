#include "worker/revocation.h"

#include <errno.h>
#include <string.h>

/* An id is a digest in hex, and so spreads by itself: FNV-1a over it is enough of a hash. */
static size_t revocation_cache_place(const struct session_id *id)
{
    uint64_t hash = 14695981039346656037u;

    for (size_t i = 0; i < SESSION_ID_SIZE; i++)
        hash = (hash ^ (uint8_t)id->text[i]) * 1099511628211u;
    return (size_t)(hash % REVOCATION_CACHE_SIZE);
}

int revocation_cache_find(const struct revocation_cache *cache, const struct session_id *id,
                          uint64_t sequence)
{
    const struct revocation_answer *answer = &cache->answers[revocation_cache_place(id)];

    if (answer->sequence != sequence || memcmp(answer->id.text, id->text, SESSION_ID_SIZE) != 0)
        return -ENOENT;
    return answer->revoked;
}

void revocation_cache_put(struct revocation_cache *cache, const struct session_id *id,
                          uint64_t sequence, bool revoked)
{
    cache->answers[revocation_cache_place(id)] =
        (struct revocation_answer){.id = *id, .sequence = sequence, .revoked = revoked};
}

/* `issuer` empty: the value stands alone. An absent value is named by nothing. */
static int revocation_get(struct store *config, const char *kind, struct slice issuer,
                          struct slice value)
{
    struct store_key key;
    struct slice record;
    int error;

    if (value.size == 0)
        return 0;
    store_key_begin(&key);
    store_key_plain(&key, kind);
    if (issuer.size > 0)
        store_key_digest(&key, issuer);
    store_key_part(&key, value);
    error = store_get(config, STORE_REVOCATIONS, &key, &record);
    if (error == -ENOENT)
        return 0;
    return error == 0 ? 1 : error;
}

int revocation_find(struct store *config, const struct session_id *id,
                    const struct session_record *session)
{
    struct slice none = slice_make(NULL, 0);
    const struct {
        const char *kind;
        struct slice issuer, value;
    } names[] = {
        {"session", none, slice_make(id->text, SESSION_ID_SIZE)},
        {"signing_input", none, session->signing_input},
        {"user", session->issuer, session->user},
        {"subject", session->issuer, session->subject},
        {"jti", session->issuer, session->jti},
        {"app", none, session->app},
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        int found = revocation_get(config, names[i].kind, names[i].issuer, names[i].value);

        if (found != 0)
            return found;
    }
    return 0;
}
