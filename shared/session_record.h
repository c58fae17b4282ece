/* session_record.h: a session: a token that was proven once, and everything the judgement used.
 *
 * The value in `sessions`, keyed by session id. The id is a kind prefix and the SHA-256 of app,
 * NUL, and the whole token: who does not have the token cannot name the session, and the id opens
 * nothing. The token itself is never stored.
 */
#ifndef GATEHOUSE_SHARED_SESSION_RECORD_H
#define GATEHOUSE_SHARED_SESSION_RECORD_H

#include "shared/auth_config_record.h"
#include "shared/buffer.h"
#include "shared/digest.h"
#include "shared/slice.h"

#include <stdint.h>

#define SESSION_KIND_JWT "jwt_"
enum {
    SESSION_ID_SIZE = 4 + DIGEST_HEX_SIZE,
    SESSION_RECORD_USUAL = 1024, /* bytes that most records do not exceed */
    SESSION_SCOPES_MAX = 256,    /* a token with more is refused: roles may require any of them */
    SESSION_ROLES_MAX = 16,      /* a token that gives more is refused: one of them may forbid */
    /* What was judged: the user's, email_verified, those required, those that give roles. */
    SESSION_CLAIMS_MAX = 2 + AUTH_CLAIMS_MAX + ROLE_MAPPING_CLAIMS_MAX,
};

struct session_id {
    char text[SESSION_ID_SIZE + 1]; /* NUL-terminated */
};

void session_id_make(struct session_id *id, const char *kind, struct slice app, struct slice token);

struct session_record {
    struct slice app;
    struct slice config;
    uint64_t revision; /* of config, when judged */
    struct slice issuer;
    struct slice audiences[AUTH_AUDIENCES_MAX]; /* of the token */
    size_t audience_count;
    struct slice kid;                          /* empty when the token had none */
    struct slice key_thumbprint;               /* hex */
    struct slice algorithm;                    /* "RS256" */
    int64_t issued_at, not_before, expires_at; /* the token's iat, nbf (0: none), exp */
    int64_t expires;                           /* the session's own end, wall seconds */
    int64_t created;                           /* wall seconds */
    struct slice scopes[SESSION_SCOPES_MAX];
    size_t scope_count;
    struct auth_claim claims[SESSION_CLAIMS_MAX]; /* each claim the config names, as JSON text */
    size_t claim_count;
    struct slice user; /* the username claim */
    struct slice subject;
    struct slice roles[SESSION_ROLES_MAX];
    size_t role_count;
    struct slice jti;           /* empty when there is none */
    struct slice signing_input; /* SHA-256 of header.payload, hex */
    struct slice client_address;
};

int session_record_encode(const struct session_record *session, struct buffer *out);
int session_record_decode(struct slice bytes, struct session_record *out);

#endif
