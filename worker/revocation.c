#include "worker/revocation.h"

#include <errno.h>
#include <string.h>

/* The first of the places that an id may take. It is a digest in hex, and so spreads by itself:
 * FNV-1a over it is enough of a hash. */
static size_t revocation_cache_place(const struct session_id *id)
{
    uint64_t hash = 14695981039346656037u;

    for (size_t i = 0; i < SESSION_ID_SIZE; i++)
        hash = (hash ^ (uint8_t)id->text[i]) * 1099511628211u;
    return (size_t)(hash % (REVOCATION_CACHE_SIZE / REVOCATION_CACHE_WAYS)) * REVOCATION_CACHE_WAYS;
}

static bool revocation_answer_is_of(const struct revocation_answer *answer,
                                    const struct session_id *id)
{
    return memcmp(answer->id.text, id->text, SESSION_ID_SIZE) == 0;
}

int revocation_cache_find(const struct revocation_cache *cache, const struct session_id *id,
                          uint64_t sequence, struct revocation_answer *out)
{
    const struct revocation_answer *answers = &cache->answers[revocation_cache_place(id)];

    for (size_t i = 0; i < REVOCATION_CACHE_WAYS; i++) {
        if (answers[i].sequence != sequence || !revocation_answer_is_of(&answers[i], id))
            continue;
        *out = answers[i];
        return 0;
    }
    return -ENOENT;
}

/* In the place of what was known of the id, or of the oldest answer. */
void revocation_cache_put(struct revocation_cache *cache, const struct revocation_answer *answer)
{
    struct revocation_answer *answers = &cache->answers[revocation_cache_place(&answer->id)];
    size_t last = 0;

    while (last < REVOCATION_CACHE_WAYS - 1 &&
           !revocation_answer_is_of(&answers[last], &answer->id))
        last++;
    memmove(answers + 1, answers, last * sizeof(*answers));
    answers[0] = *answer;
}

bool revocation_answer_is_over(const struct revocation_answer *answer, int64_t now)
{
    return answer->state != REVOCATION_NONE && answer->until != 0 && answer->until <= now;
}

enum { VISIT_STOP = 1 };

static int visit_any(void *context, struct slice key, struct slice value)
{
    (void)context;
    (void)key;
    (void)value;
    return VISIT_STOP;
}

int revocation_is_empty(struct store *config)
{
    struct slice all = slice_make(NULL, 0);
    int status = store_scan(config, STORE_REVOCATIONS, all, all, visit_any, NULL);

    return status < 0 ? status : status != VISIT_STOP;
}

struct revocation_search {
    const struct session_id *id;
    const struct session_record *session;
    int64_t now;
    struct revocation_answer *out;
};

static int visit_revocation(void *context, struct slice key, struct slice value)
{
    const struct revocation_search *search = context;
    struct revocation_record record;
    int error = revocation_record_decode(value, &record);

    (void)key;
    if (error != 0)
        return error;
    if (!revocation_record_names(&record, search->id, search->session, search->now))
        return 0;
    search->out->state = record.lock.size > 0 ? REVOCATION_LOCKED : REVOCATION_REVOKED;
    search->out->until = record.until;
    return VISIT_STOP;
}

/* VISIT_STOP when one names it, 0 or -errno. An absent value is named by nothing. */
static int revocation_search_value(struct store *config, struct revocation_search *search,
                                   enum revocation_kind kind, struct slice issuer,
                                   struct slice value)
{
    struct store_key prefix;

    if (value.size == 0)
        return 0;
    revocation_record_prefix(&prefix, kind, issuer, value);
    return store_scan(config, STORE_REVOCATIONS, store_key_slice(&prefix), slice_make(NULL, 0),
                      visit_revocation, search);
}

int revocation_find(struct store *config, const struct session_id *id,
                    const struct session_record *session, int64_t now,
                    struct revocation_answer *out)
{
    struct slice any = slice_make(NULL, 0);
    struct revocation_search search = {.id = id, .session = session, .now = now, .out = out};
    const struct {
        enum revocation_kind kind;
        struct slice value;
    } names[] = {
        {REVOCATION_SESSION, slice_make(id->text, SESSION_ID_SIZE)},
        {REVOCATION_SIGNING_INPUT, session->signing_input},
        {REVOCATION_JTI, session->jti},
        {REVOCATION_SUBJECT, session->subject},
        {REVOCATION_USER, session->user},
        {REVOCATION_APP, session->app},
    };
    int found = 0;

    *out = (struct revocation_answer){.id = *id};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && found == 0; i++) {
        found = revocation_search_value(config, &search, names[i].kind, any, names[i].value);
        if (found == 0 && revocation_kind_has_issuer(names[i].kind))
            found = revocation_search_value(config, &search, names[i].kind, session->issuer,
                                            names[i].value);
    }
    return found < 0 ? found : 0;
}
