#include "worker/judgement.h"

#include "worker/session_roles.h"

#include <errno.h>

/* The registered claims (RFC 7519, 4.1; RFC 9068; OpenID Connect Core, 5.1) that are read, by their
 * place in the look-up; the config's own claims follow. */
enum claim {
    CLAIM_AUD,
    CLAIM_EXP,
    CLAIM_NBF,
    CLAIM_IAT,
    CLAIM_SUB,
    CLAIM_JTI,
    CLAIM_SCOPE,
    CLAIM_SCP,
    CLAIM_EMAIL_VERIFIED,
    CLAIM_USER,
    CLAIM_REQUIRED,
    CLAIMS_MAX = CLAIM_REQUIRED + AUTH_CLAIMS_MAX + ROLE_MAPPING_CLAIMS_MAX,
};

/* What the steps of one judgement share. */
struct bench {
    struct judgement *judgement;
    const struct jws *jws;
    const struct auth_config_record *config;
    const struct catalog_binding *binding;
    const struct session_record *previous;
    int64_t now;
    struct slice role_claims[ROLE_MAPPING_CLAIMS_MAX]; /* those that give roles */
    size_t role_claim_count;
    struct json_value claims[CLAIMS_MAX];
};

long judgement_issuer(const struct json_value *issuer, char *out)
{
    long size;

    if (issuer->kind != JSON_STRING)
        return -EINVAL;
    size = json_string(issuer, out, JUDGEMENT_ISSUER_MAX);
    return size > 0 ? size : -EINVAL;
}

static enum auth_reason refuse(struct bench *bench, enum auth_reason reason,
                               const char *description)
{
    bench->judgement->description = description;
    return reason;
}

/* A string claim, decoded into the judgement's memory. */
static bool bench_string(struct bench *bench, const struct json_value *value, struct slice *out)
{
    struct buffer *memory = &bench->judgement->memory;
    size_t room;
    char *at = buffer_space(memory, &room);
    long size = json_string(value, at, room);

    if (size < 0)
        return false;
    buffer_commit(memory, (size_t)size);
    *out = slice_make(at, (size_t)size);
    return true;
}

/* Each claim is decoded at most twice (as itself and as the username), and never grows by it. */
static bool bench_reserve(struct bench *bench)
{
    return buffer_reserve(&bench->judgement->memory, 2 * bench->jws->payload.text.size) == 0;
}

static enum auth_reason bench_read_claims(struct bench *bench)
{
    static const char *const names[CLAIM_USER] = {
        "aud", "exp", "nbf", "iat", "sub", "jti", "scope", "scp", JUDGEMENT_EMAIL_VERIFIED};
    const struct auth_config_record *config = bench->config;
    const struct json_table *claims = &bench->jws->claims;
    struct json_value *out = bench->claims;

    bench->role_claim_count = role_mappings_claims(config->role_mappings, bench->role_claims);
    if (!bench_reserve(bench))
        return refuse(bench, AUTH_STORE, "the gateway is short of memory");
    for (size_t i = 0; i < CLAIM_USER; i++)
        *out++ = json_table_get(claims, slice_from(names[i]));
    *out++ = json_table_get(claims, config->username_claim);
    for (size_t i = 0; i < config->required_claim_count; i++)
        *out++ = json_table_get(claims, config->required_claims[i].name);
    for (size_t i = 0; i < bench->role_claim_count; i++)
        *out++ = json_table_get(claims, bench->role_claims[i]);
    return AUTH_OK;
}

/* Absent is 0; false when it is there and no NumericDate. */
static bool bench_date(const struct bench *bench, enum claim claim, int64_t *out)
{
    const struct json_value *value = &bench->claims[claim];

    *out = 0;
    return value->kind == JSON_INVALID || json_numeric_date(value, out) == 0;
}

static enum auth_reason bench_read_times(struct bench *bench)
{
    struct session_record *session = &bench->judgement->session;

    if (bench->claims[CLAIM_EXP].kind == JSON_INVALID)
        return refuse(bench, AUTH_CLAIM, "the token has no exp claim");
    if (bench->claims[CLAIM_IAT].kind == JSON_INVALID)
        return refuse(bench, AUTH_CLAIM, "the token has no iat claim");
    if (!bench_date(bench, CLAIM_EXP, &session->expires_at) ||
        !bench_date(bench, CLAIM_IAT, &session->issued_at) ||
        !bench_date(bench, CLAIM_NBF, &session->not_before))
        return refuse(bench, AUTH_CLAIM, "a time claim of the token is not a NumericDate");
    return AUTH_OK;
}

/* The session's end: min(exp + skew, iat + max_session_ttl), and never after a previous one's.
 * NumericDates are below 2^53, so nothing here can overflow. */
static int64_t bench_expiry(const struct bench *bench)
{
    const struct session_record *session = &bench->judgement->session;
    int64_t expires = session->expires_at + bench->config->clock_skew;
    int64_t longest = bench->config->max_session_ttl;

    if (longest > 0 && longest < expires - session->issued_at)
        expires = session->issued_at + longest;
    if (bench->previous != NULL && bench->previous->expires < expires)
        expires = bench->previous->expires;
    return expires;
}

static enum auth_reason bench_judge_times(struct bench *bench)
{
    struct session_record *session = &bench->judgement->session;
    const struct auth_config_record *config = bench->config;
    enum auth_reason reason = bench_read_times(bench);

    if (reason != AUTH_OK)
        return reason;
    /* "on or after which the JWT MUST NOT be accepted" (RFC 7519, 4.1.4) */
    if (bench->now - config->clock_skew >= session->expires_at)
        return refuse(bench, AUTH_EXPIRED, "the token is expired");
    if (session->not_before - config->clock_skew > bench->now)
        return refuse(bench, AUTH_NOT_YET, "the token is not valid yet");
    if (session->issued_at - config->clock_skew > bench->now)
        return refuse(bench, AUTH_NOT_YET, "the token was issued in the future");
    if (bench->previous == NULL && bench->now - session->issued_at > config->max_token_age)
        return refuse(bench, AUTH_AGE, "the token was not issued recently");
    session->expires = bench_expiry(bench);
    if (session->expires <= bench->now)
        return refuse(bench, AUTH_EXPIRED, "the longest session of this token is over");
    return AUTH_OK;
}

bool judgement_audience_fits(const struct session_record *session,
                             const struct binding_record *binding)
{
    for (size_t i = 0; i < session->audience_count; i++) {
        for (size_t j = 0; j < binding->audience_count; j++) {
            if (slice_equal(session->audiences[i], binding->audiences[j]))
                return true;
        }
    }
    return false;
}

static enum auth_reason bench_judge_audience(struct bench *bench)
{
    struct session_record *session = &bench->judgement->session;
    const struct json_value *aud = &bench->claims[CLAIM_AUD];
    struct json_iterator iterator;
    struct json_value value;

    if (aud->kind == JSON_STRING) {
        if (bench_string(bench, aud, &session->audiences[0]))
            session->audience_count = 1;
    } else if (aud->kind == JSON_ARRAY) {
        json_iterate(&iterator, aud);
        while (json_next(&iterator, NULL, NULL, &value) == 1) {
            if (session->audience_count == AUTH_AUDIENCES_MAX)
                return refuse(bench, AUTH_AUDIENCE, "the token names too many audiences");
            if (!bench_string(bench, &value, &session->audiences[session->audience_count]))
                return refuse(bench, AUTH_AUDIENCE, "an audience of the token is not a string");
            session->audience_count++;
        }
    }
    if (!judgement_audience_fits(session, &bench->binding->record))
        return refuse(bench, AUTH_AUDIENCE, "the token is not for this resource");
    return AUTH_OK;
}

/* No control characters, C0 or C1 (RFC 3629: C1 are C2 80 to C2 9F): names go into logs, headers
 * and keys. */
static bool name_is_plain(struct slice name)
{
    for (size_t i = 0; i < name.size; i++) {
        unsigned char byte = (unsigned char)name.data[i];

        if (byte < 0x20 || byte == 0x7f)
            return false;
        if (byte == 0xc2 && i + 1 < name.size && (unsigned char)name.data[i + 1] < 0xa0)
            return false;
    }
    return name.size <= JUDGEMENT_NAME_MAX;
}

/* An optional string claim; false when it is there and is not a plain string. */
static bool bench_optional(struct bench *bench, enum claim claim, struct slice *out)
{
    const struct json_value *value = &bench->claims[claim];

    if (value->kind == JSON_INVALID)
        return true;
    return bench_string(bench, value, out) && name_is_plain(*out);
}

bool judgement_claim_holds(const struct json_value *claim, struct slice wanted)
{
    struct json_iterator iterator;
    struct json_value value;

    if (claim->kind == JSON_STRING)
        return json_string_is(claim, wanted);
    if (claim->kind != JSON_ARRAY)
        return false;
    json_iterate(&iterator, claim);
    while (json_next(&iterator, NULL, NULL, &value) == 1) {
        if (value.kind == JSON_STRING && json_string_is(&value, wanted))
            return true;
    }
    return false;
}

/* Keeps a claim as it stands, once. One that finds no room is not recorded: a later judgement by it
 * then has to see the token again. */
static void session_keep_claim(struct session_record *session, struct slice name,
                               const struct json_value *value)
{
    for (size_t i = 0; i < session->claim_count; i++) {
        if (slice_equal(session->claims[i].name, name))
            return;
    }
    if (session->claim_count < SESSION_CLAIMS_MAX)
        session->claims[session->claim_count++] = (struct auth_claim){name, value->text};
}

bool judgement_email_unverified(const struct json_value *verified)
{
    return verified->kind == JSON_FALSE ||
           (verified->kind == JSON_STRING && json_string_is(verified, slice_from("false")));
}

static enum auth_reason bench_judge_user(struct bench *bench)
{
    struct session_record *session = &bench->judgement->session;

    if (bench->claims[CLAIM_USER].kind != JSON_STRING ||
        !bench_optional(bench, CLAIM_USER, &session->user) || session->user.size == 0)
        return refuse(bench, AUTH_CLAIM, "the token's username claim is missing or not usable");
    if (slice_is(bench->config->username_claim, "email") &&
        !bench->config->allow_unverified_email &&
        judgement_email_unverified(&bench->claims[CLAIM_EMAIL_VERIFIED]))
        return refuse(bench, AUTH_CLAIM, "the token's email is not verified");
    session_keep_claim(session, bench->config->username_claim, &bench->claims[CLAIM_USER]);
    if (bench->claims[CLAIM_EMAIL_VERIFIED].kind != JSON_INVALID)
        session_keep_claim(session, slice_from(JUDGEMENT_EMAIL_VERIFIED),
                           &bench->claims[CLAIM_EMAIL_VERIFIED]);
    if (!bench_optional(bench, CLAIM_SUB, &session->subject))
        return refuse(bench, AUTH_CLAIM, "the token's sub claim is not usable");
    if (!bench_optional(bench, CLAIM_JTI, &session->jti))
        return refuse(bench, AUTH_CLAIM, "the token's jti claim is not usable");
    return AUTH_OK;
}

static enum auth_reason bench_judge_claims(struct bench *bench)
{
    struct session_record *session = &bench->judgement->session;
    const struct auth_config_record *config = bench->config;

    for (size_t i = 0; i < config->required_claim_count; i++) {
        const struct json_value *claim = &bench->claims[CLAIM_REQUIRED + i];

        if (!judgement_claim_holds(claim, config->required_claims[i].value))
            return refuse(bench, AUTH_CLAIM, "the token lacks a required claim");
        session_keep_claim(session, config->required_claims[i].name, claim);
    }
    return AUTH_OK;
}

static bool bench_find_role_claim(const void *context, struct slice name, struct json_value *out)
{
    const struct bench *bench = context;
    size_t first = CLAIM_REQUIRED + bench->config->required_claim_count;

    for (size_t i = 0; i < bench->role_claim_count; i++) {
        if (slice_equal(bench->role_claims[i], name)) {
            *out = bench->claims[first + i];
            return true;
        }
    }
    return false;
}

/* An absent claim is recorded as null: a review must know that it was looked for. */
static enum auth_reason bench_judge_roles(struct bench *bench)
{
    static const struct json_value absent = {.kind = JSON_NULL, .text = {"null", 4}};
    struct session_record *session = &bench->judgement->session;
    const char *wrong = session_roles_judge(bench->config, bench_find_role_claim, bench,
                                            session->roles, &session->role_count);

    if (wrong != NULL)
        return refuse(bench, AUTH_CLAIM, wrong);
    for (size_t i = 0; i < bench->role_claim_count; i++) {
        struct json_value claim = absent;

        bench_find_role_claim(bench, bench->role_claims[i], &claim);
        session_keep_claim(session, bench->role_claims[i],
                           claim.kind == JSON_INVALID ? &absent : &claim);
    }
    return AUTH_OK;
}

/* Adds the scopes of a space-separated list (RFC 6749, 3.3). false: too many. */
static bool scopes_split(struct slice text, struct slice *scopes, size_t *count)
{
    for (size_t start = 0, i = 0; i <= text.size; i++) {
        if (i < text.size && text.data[i] != ' ')
            continue;
        if (i > start) {
            if (*count == SESSION_SCOPES_MAX)
                return false;
            scopes[(*count)++] = slice_make(text.data + start, i - start);
        }
        start = i + 1;
    }
    return true;
}

/* `scope` (RFC 8693, 4.2), else `scp`, which providers write as an array or as a list. */
static bool bench_read_scopes(struct bench *bench, struct slice *scopes, size_t *count)
{
    const struct json_value *claim = &bench->claims[CLAIM_SCOPE];
    struct json_iterator iterator;
    struct json_value value;
    struct slice text;

    if (claim->kind == JSON_INVALID)
        claim = &bench->claims[CLAIM_SCP];
    if (claim->kind == JSON_INVALID)
        return true;
    if (claim->kind == JSON_STRING)
        return bench_string(bench, claim, &text) && scopes_split(text, scopes, count);
    if (claim->kind != JSON_ARRAY)
        return false;
    json_iterate(&iterator, claim);
    while (json_next(&iterator, NULL, NULL, &value) == 1) {
        if (!bench_string(bench, &value, &text) || !scopes_split(text, scopes, count))
            return false;
    }
    return true;
}

static bool scopes_hold(const struct slice *scopes, size_t count, struct slice wanted)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_equal(scopes[i], wanted))
            return true;
    }
    return false;
}

static enum auth_reason bench_judge_scopes(struct bench *bench)
{
    struct session_record *session = &bench->judgement->session;
    const struct auth_config_record *config = bench->config;
    struct slice scopes[SESSION_SCOPES_MAX];
    size_t count = 0;
    size_t required;

    if (!bench_read_scopes(bench, scopes, &count))
        return refuse(bench, AUTH_CLAIM, "the token's scopes are not usable");
    for (size_t i = 0; i < config->required_scope_count; i++) {
        if (scopes_hold(scopes, count, config->required_scopes[i]))
            session->scopes[session->scope_count++] = config->required_scopes[i];
        else
            bench->judgement->lacks_scope = true;
    }
    required = session->scope_count;
    /* The required ones come first, and then, since roles may require any, all others. */
    for (size_t i = 0; i < count && session->scope_count < SESSION_SCOPES_MAX; i++) {
        if (!scopes_hold(session->scopes, required, scopes[i]))
            session->scopes[session->scope_count++] = scopes[i];
    }
    return AUTH_OK;
}

static void bench_fill(struct bench *bench)
{
    struct session_record *session = &bench->judgement->session;

    session->config = bench->config->name;
    session->revision = bench->config->revision;
    session->issuer = bench->config->issuer;
    session->kid = slice_make(bench->jws->kid, bench->jws->kid_size);
    session->algorithm = slice_from(jose_algorithm_name(bench->jws->algorithm));
}

enum auth_reason judgement_make(struct judgement *judgement, const struct jws *jws,
                                const struct catalog_binding *binding,
                                const struct session_record *previous, int64_t now)
{
    static enum auth_reason (*const steps[])(struct bench * bench) = {
        bench_read_claims,  bench_judge_times, bench_judge_audience, bench_judge_user,
        bench_judge_claims, bench_judge_roles, bench_judge_scopes,
    };
    struct bench bench = {.judgement = judgement,
                          .jws = jws,
                          .config = &binding->config,
                          .binding = binding,
                          .previous = previous,
                          .now = now};

    if ((binding->config.algorithms & (1u << jws->algorithm)) == 0)
        return refuse(&bench, AUTH_ALGORITHM, "the token's algorithm is not allowed");
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        enum auth_reason reason = steps[i](&bench);

        if (reason != AUTH_OK)
            return reason;
    }
    bench_fill(&bench);
    return AUTH_OK;
}

void judgement_free(struct judgement *judgement)
{
    buffer_free(&judgement->memory);
}
