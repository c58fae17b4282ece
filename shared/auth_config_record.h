/* auth_config_record.h: an app auth config as workers use it, and its binding to an app.
 *
 * `app_auth_configs`, keyed by the config's name: auth_config_record. `bindings`, keyed by
 * app/sha256(issuer): binding_record, the match made beforehand. Written by the watcher, read by
 * workers. Slices are borrowed from the decoded bytes.
 */
#ifndef GATEHOUSE_SHARED_AUTH_CONFIG_RECORD_H
#define GATEHOUSE_SHARED_AUTH_CONFIG_RECORD_H

#include "shared/role_mapping.h"

#include <stdint.h>

enum { AUTH_AUDIENCES_MAX = 16, AUTH_CLAIMS_MAX = 16, AUTH_SCOPES_MAX = 32 };

#define AUTH_AUDIENCE_APP "{{app}}"

struct auth_claim {
    struct slice name;
    struct slice value; /* the claim must be this string, or an array that holds it */
};

struct auth_config_record {
    struct slice name;
    /* Changes whenever a session of before must be judged anew: what is below changed, or a key
     * left the set. Not when a key was added. Never 0. */
    uint64_t revision;
    struct slice issuer;
    /* At least 1. AUTH_AUDIENCE_APP in one stands for the name of the app that is asked for. */
    struct slice audiences[AUTH_AUDIENCES_MAX];
    size_t audience_count;
    struct slice username_claim;
    uint32_t algorithms;     /* bits of 1 << enum jose_algorithm */
    int64_t clock_skew;      /* seconds, 0 to 300 */
    int64_t max_token_age;   /* seconds since iat, at session creation */
    int64_t max_session_ttl; /* seconds since iat; 0: as long as the token */
    bool allow_unverified_email;
    struct auth_claim required_claims[AUTH_CLAIMS_MAX];
    size_t required_claim_count;
    struct slice required_scopes[AUTH_SCOPES_MAX];
    size_t required_scope_count;
    struct slice role_mappings; /* claims_to_roles: role_mapping.h; empty: the built-in role */
    bool keys_static;           /* static_jwks: an unknown kid is refused at once */
    bool keys_usable;           /* a set was read at least once and is not past its time */
    bool last_fetch_ok;         /* false: an unknown kid is 503, never 401 */
    int64_t keys_fetched;       /* wall seconds of the last successful fetch; 0: never */
    int64_t next_refresh;       /* wall seconds before which an unknown kid asks for no new fetch */
};

struct binding_record {
    struct slice config;
    /* The config's, for this app: not part of the record (another audience is one record, however
     * many apps the config binds), but filled in by binding_record_fill. */
    struct slice audiences[AUTH_AUDIENCES_MAX];
    size_t audience_count;
};

int auth_config_record_encode(const struct auth_config_record *config, struct buffer *out);
int auth_config_record_decode(struct slice bytes, struct auth_config_record *out);
int binding_record_encode(const struct binding_record *binding, struct buffer *out);
int binding_record_decode(struct slice bytes, struct binding_record *out);

/* Fills in the audiences for an app. `room` is of binding_record_room bytes and is borrowed from
 * then on, as the config is. */
size_t binding_record_room(const struct auth_config_record *config, struct slice app);
void binding_record_fill(struct binding_record *binding, const struct auth_config_record *config,
                         struct slice app, char *room);

#endif
