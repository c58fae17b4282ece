#include "shared/revocation_record.h"

#include "shared/record.h"

#include <errno.h>

/* No digest and no lock's name is spelled so. */
#define ANY_ISSUER "any"
#define BY_COMMAND "@command"

static const struct kind {
    const char *name;
    bool has_issuer;
} kinds[REVOCATION_KINDS] = {
    [REVOCATION_SESSION] = {"session", false},
    [REVOCATION_SIGNING_INPUT] = {"signing_input", false},
    [REVOCATION_JTI] = {"jti", true},
    [REVOCATION_SUBJECT] = {"subject", true},
    [REVOCATION_USER] = {"user", true},
    [REVOCATION_APP] = {"app", false},
};

const char *revocation_kind_name(enum revocation_kind kind)
{
    return kinds[kind].name;
}

bool revocation_kind_has_issuer(enum revocation_kind kind)
{
    return kinds[kind].has_issuer;
}

enum revocation_kind revocation_target_kind(const struct revocation_target *target)
{
    unsigned kind = 0;

    while (kind < REVOCATION_KINDS && target->values[kind].size == 0)
        kind++;
    return (enum revocation_kind)kind;
}

int revocation_record_encode(const struct revocation_record *record, struct buffer *out)
{
    struct record_writer writer;

    record_begin(&writer, out, '1');
    for (size_t kind = 0; kind < REVOCATION_KINDS; kind++)
        record_put(&writer, kinds[kind].name, record->target.values[kind]);
    record_put(&writer, "issuer", record->target.issuer);
    record_put_number(&writer, "since", record->since);
    record_put_number(&writer, "until", record->until);
    record_put_number(&writer, "made", record->made);
    record_put_number(&writer, "uid", record->uid);
    record_put(&writer, "lock", record->lock);
    record_put(&writer, "why", record->why);
    return record_finish(&writer);
}

int revocation_record_decode(struct slice bytes, struct revocation_record *out)
{
    struct record_reader reader;

    memset(out, 0, sizeof(*out));
    record_open(&reader, bytes, '1');
    for (size_t kind = 0; kind < REVOCATION_KINDS; kind++)
        out->target.values[kind] = record_get(&reader, kinds[kind].name);
    out->target.issuer = record_get(&reader, "issuer");
    out->since = record_get_range(&reader, "since", 0, INT64_MAX);
    out->until = record_get_range(&reader, "until", 0, INT64_MAX);
    out->made = record_get_range(&reader, "made", 0, INT64_MAX);
    out->uid = record_get_range(&reader, "uid", -1, UINT32_MAX);
    out->lock = record_get(&reader, "lock");
    out->why = record_get(&reader, "why");
    if (revocation_target_kind(&out->target) == REVOCATION_KINDS)
        reader.failed = true;
    return record_end(&reader);
}

static void revocation_key_begin(struct store_key *key, enum revocation_kind kind,
                                 struct slice issuer, struct slice value)
{
    store_key_begin(key);
    store_key_plain(key, kinds[kind].name);
    if (kinds[kind].has_issuer && issuer.size > 0)
        store_key_digest(key, issuer);
    else if (kinds[kind].has_issuer)
        store_key_plain(key, ANY_ISSUER);
    store_key_part(key, value);
}

void revocation_record_prefix(struct store_key *key, enum revocation_kind kind, struct slice issuer,
                              struct slice value)
{
    revocation_key_begin(key, kind, issuer, value);
    store_key_plain(key, "");
}

void revocation_record_key(struct store_key *key, const struct revocation_record *record)
{
    enum revocation_kind kind = revocation_target_kind(&record->target);

    revocation_key_begin(key, kind, record->target.issuer, record->target.values[kind]);
    if (record->lock.size > 0)
        store_key_part(key, record->lock);
    else
        store_key_plain(key, BY_COMMAND);
}

static struct slice session_value(enum revocation_kind kind, const struct session_id *id,
                                  const struct session_record *session)
{
    switch (kind) {
    case REVOCATION_SESSION:
        return slice_make(id->text, SESSION_ID_SIZE);
    case REVOCATION_SIGNING_INPUT:
        return session->signing_input;
    case REVOCATION_JTI:
        return session->jti;
    case REVOCATION_SUBJECT:
        return session->subject;
    case REVOCATION_USER:
        return session->user;
    case REVOCATION_APP:
        return session->app;
    case REVOCATION_KINDS:
        break;
    }
    return slice_make(NULL, 0);
}

bool revocation_record_names(const struct revocation_record *record, const struct session_id *id,
                             const struct session_record *session, int64_t now)
{
    const struct revocation_target *target = &record->target;

    if (record->until != 0 && record->until <= now)
        return false;
    if (record->since != 0 && session->issued_at > record->since)
        return false;
    if (target->issuer.size > 0 && !slice_equal(target->issuer, session->issuer))
        return false;
    for (unsigned kind = 0; kind < REVOCATION_KINDS; kind++)
        if (target->values[kind].size > 0 &&
            !slice_equal(target->values[kind],
                         session_value((enum revocation_kind)kind, id, session)))
            return false;
    return true;
}

void revocation_sequence_key(struct store_key *key)
{
    store_key_of(key, slice_from("revocations"));
}

int revocation_sequence_encode(uint64_t sequence, struct buffer *out)
{
    struct record_writer writer;

    record_begin(&writer, out, '1');
    record_put_number(&writer, "revocations", (int64_t)sequence);
    return record_finish(&writer);
}

int revocation_sequence_decode(struct slice bytes, uint64_t *sequence)
{
    struct record_reader reader;

    record_open(&reader, bytes, '1');
    *sequence = (uint64_t)record_get_range(&reader, "revocations", 0, INT64_MAX);
    return record_end(&reader);
}
