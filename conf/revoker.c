#include "conf/revoker.h"

#include "shared/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TOKEN_AGE = 30 * 86400,     /* seconds: the least that a token of now is reckoned with, whatever
                                   the configs say: they may allow more tomorrow */
    SKEW_MAX = 300,             /* seconds: the largest clock_skew */
    END_MAX = 10 * 366 * 86400, /* seconds from now: beyond is no sensible end */
    ENDED_KEPT = 600,           /* seconds that the record of what has ended is kept */
};

/* No config accepts a token after its max_token_age for a new session, and one of before is judged
 * anew within its own end: so a limit on all sessions bounds what a token of now can do. */
static int64_t longest_life(const struct registry *registry)
{
    const struct registry_list *configs = &registry->lists[DOCUMENT_AUTH_CONFIG];
    int64_t life = TOKEN_AGE;
    bool bounded = true;

    for (size_t i = 0; i < configs->count; i++) {
        const struct registry_entry *good = configs->slots[i]->good;

        if (good == NULL)
            continue;
        if (good->config.max_session_ttl == 0)
            bounded = false;
        if (good->config.max_token_age > life)
            life = good->config.max_token_age;
    }
    life += SKEW_MAX;
    return bounded || life > REVOKER_UNBOUNDED ? life : REVOKER_UNBOUNDED;
}

static bool kind_is_by_time(enum revocation_kind kind)
{
    return kind == REVOCATION_USER || kind == REVOCATION_SUBJECT || kind == REVOCATION_APP;
}

static void record_fill(const struct publisher *publisher, const struct control_request *request,
                        uid_t uid, int64_t now, struct revocation_record *out)
{
    *out = (struct revocation_record){.target = request->target,
                                      .made = now,
                                      .uid = uid,
                                      .why = request->why,
                                      .until = now + REVOKER_UNBOUNDED};
    /* Each of the two stands under its own name: either is enough. */
    out->target.values[REVOCATION_SIGNING_INPUT] = slice_make(NULL, 0);
    if (kind_is_by_time(revocation_target_kind(&request->target))) {
        out->since = now;
        out->until = now + longest_life(&publisher->registry);
    } else if (request->ends > 0 && request->ends < now + END_MAX) {
        out->until = request->ends > now + ENDED_KEPT ? request->ends : now + ENDED_KEPT;
    }
}

/* What was refused stays refused: another command of the same name only adds to it. */
static void record_join(struct revocation_record *record, const struct revocation_record *old)
{
    if (record->since != 0 && (old->since == 0 || old->since > record->since))
        record->since = old->since;
    if (old->until == 0 || (record->until != 0 && old->until > record->until))
        record->until = old->until;
}

static int revocation_put(struct revocation_record *record, struct publication *publication)
{
    struct revocation_record old;
    struct buffer bytes = {0};
    struct store_key key;
    struct slice value;
    int status;

    revocation_record_key(&key, record);
    status = publication_get(publication, STORE_REVOCATIONS, &key, &value);
    if (status == 0 && revocation_record_decode(value, &old) == 0)
        record_join(record, &old);
    if (status < 0 && status != -ENOENT)
        return status;
    status = revocation_record_encode(record, &bytes);
    if (status == 0)
        status = publication_put(publication, STORE_REVOCATIONS, &key, buffer_slice(&bytes));
    buffer_free(&bytes);
    return status;
}

static int records_put(struct revocation_record *record, struct slice signing_input,
                       struct publication *publication)
{
    struct revocation_record other = *record;
    int status = revocation_put(record, publication);

    if (status < 0 || signing_input.size == 0)
        return status;
    other.target = (struct revocation_target){0};
    other.target.values[REVOCATION_SIGNING_INPUT] = signing_input;
    return revocation_put(&other, publication);
}

int revoker_add(struct publisher *publisher, const struct control_request *request, uid_t uid,
                int64_t now, struct control_answer *answer)
{
    enum revocation_kind kind = revocation_target_kind(&request->target);
    struct revocation_record record;
    struct publication *publication;
    int status = publication_begin(&publication, publisher->store);

    *answer = (struct control_answer){.status = status};
    if (status < 0)
        return status;
    record_fill(publisher, request, uid, now, &record);
    status = records_put(&record, request->target.values[REVOCATION_SIGNING_INPUT], publication);
    if (status == 0)
        status = publisher_commit(publisher, publication);
    else
        publication_abort(publication);
    if (status < 0) {
        answer->status = status;
        answer->text = slice_from(strerror(-status));
        return status;
    }
    answer->since = record.since;
    answer->until = record.until;
    log_info("revoked", "%s, by user id %u, until %lld", revocation_kind_name(kind), (unsigned)uid,
             (long long)record.until);
    return status;
}

struct sweep {
    struct publication *publication;
    struct store_key *cursor;
    int64_t now;
    size_t looks, deletes;
};

static bool key_copy(struct store_key *out, struct slice text)
{
    store_key_begin(out);
    if (text.size > STORE_KEY_MAX)
        return false;
    memcpy(out->text, text.data, text.size);
    out->text[text.size] = '\0';
    out->size = text.size;
    return true;
}

enum { SWEEP_STOP = 1 };

static int visit_record(void *context, struct slice key, struct slice value)
{
    struct sweep *sweep = context;
    struct revocation_record record;

    if (!key_copy(sweep->cursor, key))
        return -EBADMSG;
    if (sweep->looks++ >= REVOKER_SWEEP_LOOKS || sweep->deletes >= REVOKER_SWEEP_DELETES)
        return SWEEP_STOP;
    /* What cannot be read stays: workers refuse by it. */
    if (revocation_record_decode(value, &record) != 0 || record.until == 0 ||
        record.until > sweep->now)
        return 0;
    sweep->deletes++;
    return publication_delete(sweep->publication, STORE_REVOCATIONS, sweep->cursor);
}

int revoker_sweep(struct publisher *publisher, struct store_key *cursor, int64_t now, bool *more)
{
    struct store_key from = *cursor;
    struct sweep sweep = {.cursor = cursor, .now = now};
    int status = publication_begin(&sweep.publication, publisher->store);

    *more = false;
    if (status < 0)
        return status;
    status = store_scan(publisher->store, STORE_REVOCATIONS, slice_make(NULL, 0),
                        store_key_slice(&from), visit_record, &sweep);
    *more = status == SWEEP_STOP;
    if (!*more)
        store_key_begin(cursor);
    if (status < 0 || sweep.deletes == 0) {
        publication_abort(sweep.publication);
        return status < 0 ? status : 0;
    }
    return publisher_commit(publisher, sweep.publication);
}
