/* revocation_record.h: who is shut out, from when and until when; the values of `revocations`.
 *
 *     session/<id>/BY         signing_input/<64 hex>/BY   app/<app>/BY
 *     jti/ISSUER/<jti>/BY     subject/ISSUER/<sub>/BY     user/ISSUER/<name>/BY
 *
 * ISSUER is sha256(issuer) in hex, or "any". BY is "@command" for `gatehouse sessions revoke`, else
 * the name of the lock: so that what one of them took back does not take back another's word. A
 * record that names several things stands under the first of them in the order of enum
 * revocation_kind; all must fit.
 *
 * Written by the watcher alone; judged by workers. `meta` "revocations" is the number of changes,
 * which the public scoreboard announces.
 */
#ifndef GATEHOUSE_SHARED_REVOCATION_RECORD_H
#define GATEHOUSE_SHARED_REVOCATION_RECORD_H

#include "shared/session_record.h"
#include "shared/store_key.h"

enum revocation_kind {
    REVOCATION_SESSION,
    REVOCATION_SIGNING_INPUT, /* SHA-256 of header.payload, hex: any signature of that token */
    REVOCATION_JTI,
    REVOCATION_SUBJECT,
    REVOCATION_USER,
    REVOCATION_APP,
    REVOCATION_KINDS
};

/* Empty values name nothing and fit all. */
struct revocation_target {
    struct slice values[REVOCATION_KINDS];
    struct slice issuer; /* of jti, subject and user */
};

struct revocation_record {
    struct revocation_target target; /* at least one value */
    int64_t since;     /* wall seconds: only tokens whose iat is not later; 0: all tokens */
    int64_t until;     /* wall seconds when it ends; 0: never */
    int64_t made;      /* wall seconds */
    int64_t uid;       /* whose command it was; -1: a lock */
    struct slice lock; /* the lock's name; empty: a command */
    struct slice why;  /* may be empty */
};

/* "session", ... */
const char *revocation_kind_name(enum revocation_kind kind);
/* Whether an issuer may narrow it. */
bool revocation_kind_has_issuer(enum revocation_kind kind);

/* The kind that a target stands under, or REVOCATION_KINDS when it names nothing. */
enum revocation_kind revocation_target_kind(const struct revocation_target *target);

int revocation_record_encode(const struct revocation_record *record, struct buffer *out);
/* Slices are borrowed from the bytes. 0 or -EBADMSG. */
int revocation_record_decode(struct slice bytes, struct revocation_record *out);
void revocation_record_key(struct store_key *key, const struct revocation_record *record);
/* What all keys of that value begin with, '/' included. `issuer` empty: any. */
void revocation_record_prefix(struct store_key *key, enum revocation_kind kind, struct slice issuer,
                              struct slice value);

/* Whether it shuts this session, or the token that would become it, out at `now` (wall seconds). */
bool revocation_record_names(const struct revocation_record *record, const struct session_id *id,
                             const struct session_record *session, int64_t now);

/* The sequence of changes: 0 or -EBADMSG, -ENOMEM. */
void revocation_sequence_key(struct store_key *key);
int revocation_sequence_encode(uint64_t sequence, struct buffer *out);
int revocation_sequence_decode(struct slice bytes, uint64_t *sequence);

#endif
