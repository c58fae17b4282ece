#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/judgement.h"

#include <stdio.h>
#include <stdlib.h>

/* Every judgement here happens at this moment, so that each edge can be hit to the second. */
enum { NOW = 1800000000 };

struct court {
    struct catalog_binding binding;
    struct jws jws;
    struct judgement judgement;
    char payload[8192];
};

static void court_open(struct court *court)
{
    memset(court, 0, sizeof(*court));
    court->jws.algorithm = JOSE_ES256;
    memcpy(court->jws.kid, "k1", 2);
    court->jws.kid_size = 2;
    court->binding.record.config = slice_from("staff");
    court->binding.record.audiences[0] = slice_from("https://gate.test/mcp/apps/a");
    court->binding.record.audiences[1] = slice_from("second");
    court->binding.record.audience_count = 2;
    court->binding.config = (struct auth_config_record){
        .name = slice_from("staff"),
        .revision = 7,
        .issuer = slice_from("https://idp.test"),
        .username_claim = slice_from("email"),
        .algorithms = 1u << JOSE_ES256,
        .clock_skew = 60,
        .max_token_age = 1800,
    };
}

static enum auth_reason
court_judge_after(struct court *court, const struct session_record *previous, const char *payload)
{
    judgement_free(&court->judgement);
    memset(&court->judgement, 0, sizeof(court->judgement));
    snprintf(court->payload, sizeof(court->payload), "%s", payload);
    assert_int_equal(
        0, json_table_read(&court->jws.claims, slice_from(court->payload), &court->jws.payload));
    return judgement_make(&court->judgement, &court->jws, &court->binding, previous, NOW);
}

static enum auth_reason court_judge(struct court *court, const char *payload)
{
    enum auth_reason reason = court_judge_after(court, NULL, payload);

    if (reason != AUTH_OK)
        assert_non_null(court->judgement.description);
    return reason;
}

/* A payload of a good token with these times, relative to NOW, and `more` members. */
static const char *claims(int iat, int exp, const char *more)
{
    static char text[4096];

    snprintf(text, sizeof(text),
             "{\"iss\":\"https://idp.test\",\"aud\":\"second\",\"email\":\"ann@x.test\","
             "\"iat\":%lld,\"exp\":%lld%s%s}",
             (long long)NOW + iat, (long long)NOW + exp, more[0] == '\0' ? "" : ",", more);
    return text;
}

/* The same without the default audience and username. */
static const char *bare(const char *more)
{
    static char text[4096];

    snprintf(text, sizeof(text), "{\"iat\":%d,\"exp\":%d,%s}", NOW, NOW + 600, more);
    return text;
}

static void close_court(struct court *court)
{
    judgement_free(&court->judgement);
}

static void assert_slice(struct slice slice, const char *text)
{
    assert_int_equal(strlen(text), slice.size);
    assert_memory_equal(text, slice.data, slice.size);
}

static void good_token_fills_a_session(void **state)
{
    struct court court;

    (void)state;
    court_open(&court);
    court.binding.config.required_claims[0] =
        (struct auth_claim){slice_from("groups"), slice_from("ops")};
    court.binding.config.required_claim_count = 1;
    court.binding.config.required_scopes[0] = slice_from("mcp:call");
    court.binding.config.required_scope_count = 1;
    assert_int_equal(
        AUTH_OK, court_judge(&court, claims(-5, 600,
                                            "\"sub\":\"s-1\",\"jti\":\"j-1\",\"nbf\":1799999000,"
                                            "\"scope\":\"read  mcp:call\","
                                            "\"email_verified\":true,"
                                            "\"groups\":[\"dev\",\"ops\"]")));
    struct session_record *session = &court.judgement.session;
    assert_slice(session->config, "staff");
    assert_int_equal(7, session->revision);
    assert_slice(session->issuer, "https://idp.test");
    assert_int_equal(1, session->audience_count);
    assert_slice(session->audiences[0], "second");
    assert_slice(session->kid, "k1");
    assert_slice(session->algorithm, "ES256");
    assert_int_equal(NOW - 5, session->issued_at);
    assert_int_equal(1799999000, session->not_before);
    assert_int_equal(NOW + 600, session->expires_at);
    assert_int_equal(NOW + 660, session->expires);
    assert_int_equal(2, session->scope_count);
    assert_slice(session->scopes[0], "mcp:call");
    assert_slice(session->scopes[1], "read");
    assert_int_equal(3, session->claim_count);
    assert_slice(session->claims[0].name, "email");
    assert_slice(session->claims[1].name, "email_verified");
    assert_slice(session->claims[2].name, "groups");
    assert_slice(session->claims[2].value, "[\"dev\",\"ops\"]");
    assert_slice(session->user, "ann@x.test");
    assert_slice(session->subject, "s-1");
    assert_slice(session->jti, "j-1");
    assert_int_equal(1, session->role_count);
    assert_slice(session->roles[0], "access");
    close_court(&court);
}

static void algorithm_must_be_allowed(void **state)
{
    struct court court;

    (void)state;
    court_open(&court);
    court.jws.algorithm = JOSE_RS256;
    assert_int_equal(AUTH_ALGORITHM, court_judge(&court, claims(0, 600, "")));
    close_court(&court);
}

static void times_have_exact_edges(void **state)
{
    static const struct {
        int iat, exp;
        const char *more;
        enum auth_reason reason;
    } cases[] = {
        {0, 1, "", AUTH_OK},
        {-100, -59, "", AUTH_OK}, /* within the skew */
        {-100, -60, "", AUTH_EXPIRED},
        {0, -1000, "", AUTH_EXPIRED},
        {60, 600, "", AUTH_OK}, /* issued in the future, within the skew */
        {61, 600, "", AUTH_NOT_YET},
        {-1800, 600, "", AUTH_OK}, /* exactly as old as allowed */
        {-1801, 600, "", AUTH_AGE},
        {0, 600, "\"nbf\":1800000060", AUTH_OK},
        {0, 600, "\"nbf\":1800000061", AUTH_NOT_YET},
        {0, 600, "\"nbf\":0", AUTH_OK},
        {0, 600, "\"nbf\":\"1800000000\"", AUTH_CLAIM},
        {0, 600, "\"nbf\":null", AUTH_CLAIM},
    };
    struct court court;

    (void)state;
    court_open(&court);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum auth_reason reason =
            court_judge(&court, claims(cases[i].iat, cases[i].exp, cases[i].more));

        if (reason != cases[i].reason)
            fail_msg("case %zu: %d", i, reason);
    }
    close_court(&court);
}

static void times_are_required_and_numeric(void **state)
{
    static const char *const refused[] = {
        "{\"aud\":\"second\",\"email\":\"a\",\"iat\":1800000000}",
        "{\"aud\":\"second\",\"email\":\"a\",\"exp\":1800000600}",
        "{\"aud\":\"second\",\"email\":\"a\",\"iat\":\"1800000000\",\"exp\":1800000600}",
        "{\"aud\":\"second\",\"email\":\"a\",\"iat\":1800000000,\"exp\":null}",
        "{\"aud\":\"second\",\"email\":\"a\",\"iat\":1800000000,\"exp\":-1}",
        "{\"aud\":\"second\",\"email\":\"a\",\"iat\":1800000000,\"exp\":9007199254740992}",
        "{\"aud\":\"second\",\"email\":\"a\",\"iat\":1800000000,\"exp\":[1800000600]}",
    };
    struct court court;

    (void)state;
    court_open(&court);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_int_equal(AUTH_CLAIM, court_judge(&court, refused[i]));
    close_court(&court);
}

static void session_ends_by_the_shorter_limit(void **state)
{
    struct court court;

    (void)state;
    court_open(&court);
    court.binding.config.max_session_ttl = 300;
    assert_int_equal(AUTH_OK, court_judge(&court, claims(-100, 600, "")));
    assert_int_equal(NOW + 200, court.judgement.session.expires);
    assert_int_equal(AUTH_OK, court_judge(&court, claims(-100, 60, "")));
    assert_int_equal(NOW + 120, court.judgement.session.expires);
    assert_int_equal(AUTH_EXPIRED, court_judge(&court, claims(-300, 600, "")));
    court.binding.config.max_session_ttl = INT64_MAX;
    assert_int_equal(AUTH_OK, court_judge(&court, claims(-100, 600, "")));
    assert_int_equal(NOW + 660, court.judgement.session.expires);
    close_court(&court);
}

static void judging_anew_never_lengthens(void **state)
{
    struct session_record previous = {.expires = NOW + 90};
    struct court court;

    (void)state;
    court_open(&court);
    assert_int_equal(AUTH_OK, court_judge_after(&court, &previous, claims(-7200, 600, "")));
    assert_int_equal(NOW + 90, court.judgement.session.expires);
    previous.expires = NOW + 9000;
    assert_int_equal(AUTH_OK, court_judge_after(&court, &previous, claims(-7200, 600, "")));
    assert_int_equal(NOW + 660, court.judgement.session.expires);
    assert_int_equal(AUTH_EXPIRED, court_judge_after(&court, &previous, claims(-7200, -600, "")));
    close_court(&court);
}

static void audience_must_match_exactly(void **state)
{
    static const struct {
        const char *claims;
        enum auth_reason reason;
    } cases[] = {
        {"\"aud\":\"second\"", AUTH_OK},
        {"\"aud\":\"https://gate.test/mcp/apps/a\"", AUTH_OK},
        {"\"aud\":[\"other\",\"sec\\u006fnd\"]", AUTH_OK},
        {"\"aud\":\"https://gate.test/mcp/apps/a/\"", AUTH_AUDIENCE},
        {"\"aud\":\"Second\"", AUTH_AUDIENCE},
        {"\"aud\":\"second\\u0000\"", AUTH_AUDIENCE},
        {"\"aud\":\"\"", AUTH_AUDIENCE},
        {"\"aud\":[]", AUTH_AUDIENCE},
        {"\"aud\":[\"second\",1]", AUTH_AUDIENCE},
        {"\"aud\":[[\"second\"]]", AUTH_AUDIENCE},
        {"\"aud\":{\"second\":true}", AUTH_AUDIENCE},
        {"\"aud\":null", AUTH_AUDIENCE},
        {"\"sub\":\"x\"", AUTH_AUDIENCE},
        {"\"aud\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\",\"12\","
         "\"13\",\"14\",\"15\",\"second\"]",
         AUTH_OK},
        {"\"aud\":[\"second\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\","
         "\"12\",\"13\",\"14\",\"15\",\"16\",\"17\"]",
         AUTH_AUDIENCE},
    };
    struct court court;
    char more[1024];

    (void)state;
    court_open(&court);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(more, sizeof(more), "\"email\":\"a\",%s", cases[i].claims);
        if (court_judge(&court, bare(more)) != cases[i].reason)
            fail_msg("case %zu", i);
    }
    close_court(&court);
}

static void username_must_be_a_plain_string(void **state)
{
    static const struct {
        const char *claims;
        enum auth_reason reason;
    } cases[] = {
        {"\"email\":\"\xc3\xa9lise@x.test\"", AUTH_OK},
        {"\"email\":\"\"", AUTH_CLAIM},
        {"\"email\":1", AUTH_CLAIM},
        {"\"email\":null", AUTH_CLAIM},
        {"\"email\":[\"a\"]", AUTH_CLAIM},
        {"\"mail\":\"a\"", AUTH_CLAIM},
        {"\"email\":\"a\\nb\"", AUTH_CLAIM},
        {"\"email\":\"a\\u0000\"", AUTH_CLAIM},
        {"\"email\":\"a\\u007f\"", AUTH_CLAIM},
        {"\"email\":\"a\\u0085\"", AUTH_CLAIM},
        {"\"email\":\"a\",\"sub\":7", AUTH_CLAIM},
        {"\"email\":\"a\",\"sub\":\"\\u0007\"", AUTH_CLAIM},
        {"\"email\":\"a\",\"jti\":{}", AUTH_CLAIM},
        {"\"email\":\"a\",\"email_verified\":true", AUTH_OK},
        {"\"email\":\"a\",\"email_verified\":false", AUTH_CLAIM},
        {"\"email\":\"a\",\"email_verified\":\"false\"", AUTH_CLAIM},
    };
    struct court court;
    char more[1024];
    char name[JUDGEMENT_NAME_MAX + 2];

    (void)state;
    court_open(&court);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(more, sizeof(more), "\"aud\":\"second\",%s", cases[i].claims);
        if (court_judge(&court, bare(more)) != cases[i].reason)
            fail_msg("case %zu", i);
    }
    memset(name, 'a', sizeof(name));
    for (int size = JUDGEMENT_NAME_MAX; size <= JUDGEMENT_NAME_MAX + 1; size++) {
        snprintf(more, sizeof(more), "\"aud\":\"second\",\"email\":\"%.*s\"", size, name);
        assert_int_equal(size == JUDGEMENT_NAME_MAX ? AUTH_OK : AUTH_CLAIM,
                         court_judge(&court, bare(more)));
    }
    close_court(&court);
}

static void unverified_email_counts_only_for_email(void **state)
{
    struct court court;

    (void)state;
    court_open(&court);
    court.binding.config.allow_unverified_email = true;
    assert_int_equal(AUTH_OK, court_judge(&court, claims(0, 600, "\"email_verified\":false")));
    court.binding.config.allow_unverified_email = false;
    assert_int_equal(AUTH_CLAIM, court_judge(&court, claims(0, 600, "\"email_verified\":false")));
    court.binding.config.username_claim = slice_from("sub");
    assert_int_equal(AUTH_OK,
                     court_judge(&court, claims(0, 600, "\"sub\":\"s\",\"email_verified\":false")));
    assert_slice(court.judgement.session.user, "s");
    assert_slice(court.judgement.session.subject, "s");
    close_court(&court);
}

static void required_claims_equal_or_hold(void **state)
{
    static const struct {
        const char *claims;
        enum auth_reason reason;
    } cases[] = {
        {"\"tenant\":\"blue\"", AUTH_OK},        {"\"tenant\":[\"red\",\"blue\"]", AUTH_OK},
        {"\"tenant\":\"red\"", AUTH_CLAIM},      {"\"tenant\":[\"red\"]", AUTH_CLAIM},
        {"\"tenant\":[[\"blue\"]]", AUTH_CLAIM}, {"\"tenant\":{\"blue\":\"blue\"}", AUTH_CLAIM},
        {"\"tenant\":true", AUTH_CLAIM},         {"\"other\":\"blue\"", AUTH_CLAIM},
    };
    struct court court;

    (void)state;
    court_open(&court);
    court.binding.config.required_claims[0] =
        (struct auth_claim){slice_from("tenant"), slice_from("blue")};
    court.binding.config.required_claims[1] =
        (struct auth_claim){slice_from("aud"), slice_from("second")};
    court.binding.config.required_claim_count = 2;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (court_judge(&court, claims(0, 600, cases[i].claims)) != cases[i].reason)
            fail_msg("case %zu", i);
    }
    close_court(&court);
}

static void required_scopes_in_any_form(void **state)
{
    static const struct {
        const char *claims;
        enum auth_reason reason;
    } cases[] = {
        {"\"scope\":\"a b\"", AUTH_OK},
        {"\"scope\":\" b  a \"", AUTH_OK},
        {"\"scp\":[\"a\",\"b\"]", AUTH_OK},
        {"\"scp\":\"a b\"", AUTH_OK},
        {"\"scope\":\"a\"", AUTH_SCOPE},
        {"\"scope\":\"ab\"", AUTH_SCOPE},
        {"\"scope\":\"a\",\"scp\":\"b\"", AUTH_SCOPE}, /* `scope` alone counts when it is there */
        {"\"scope\":7", AUTH_CLAIM},
        {"\"scp\":[\"a\",\"b\",3]", AUTH_CLAIM},
        {"\"sub\":\"x\"", AUTH_SCOPE},
    };
    struct court court;
    char many[SESSION_SCOPES_MAX * 6 + 64];
    size_t size;

    (void)state;
    court_open(&court);
    court.binding.config.required_scopes[0] = slice_from("a");
    court.binding.config.required_scopes[1] = slice_from("b");
    court.binding.config.required_scope_count = 2;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum auth_reason reason = court_judge(&court, claims(0, 600, cases[i].claims));

        /* Lacking scopes are the caller's to tell, when the token was proven. */
        if (reason == AUTH_OK && court.judgement.lacks_scope)
            reason = AUTH_SCOPE;
        if (reason != cases[i].reason)
            fail_msg("case %zu", i);
    }
    /* All are on record, those that are required first; what would not fit is refused. */
    size = (size_t)snprintf(many, sizeof(many), "\"scope\":\"");
    for (int i = 0; i < SESSION_SCOPES_MAX - 2; i++)
        size += (size_t)snprintf(many + size, sizeof(many) - size, "s%d ", i);
    snprintf(many + size, sizeof(many) - size, "a b\"");
    assert_int_equal(AUTH_OK, court_judge(&court, claims(0, 600, many)));
    assert_int_equal(SESSION_SCOPES_MAX, court.judgement.session.scope_count);
    assert_slice(court.judgement.session.scopes[1], "b");
    assert_slice(court.judgement.session.scopes[2], "s0");
    assert_slice(court.judgement.session.scopes[SESSION_SCOPES_MAX - 1], "s253");
    snprintf(many + size, sizeof(many) - size, "a b c\"");
    assert_int_equal(AUTH_CLAIM, court_judge(&court, claims(0, 600, many)));
    close_court(&court);
}

static void map_role(struct buffer *list, const char *claim, const char *value, const char *role)
{
    struct role_mapping mapping = {.claim = slice_from(claim),
                                   .value = slice_from(value),
                                   .roles = {slice_from(role)},
                                   .role_count = 1};

    assert_int_equal(0, role_mapping_append(list, &mapping));
}

static void claims_give_roles(void **state)
{
    const struct session_record *session;
    struct buffer list = {0};
    struct court court;

    (void)state;
    court_open(&court);
    assert_int_equal(AUTH_OK, court_judge(&court, claims(0, 600, "")));
    assert_int_equal(1, court.judgement.session.role_count);
    assert_true(slice_is(court.judgement.session.roles[0], "access"));

    map_role(&list, "groups", "dev", "developer");
    map_role(&list, "groups", "ops-*", "operator");
    map_role(&list, "groups", "dev", "reader");
    map_role(&list, "team", "*", "developer");
    map_role(&list, "email", "ann@x.test", "ann");
    court.binding.config.role_mappings = buffer_slice(&list);
    session = &court.judgement.session;
    assert_int_equal(AUTH_OK,
                     court_judge(&court, claims(0, 600, "\"groups\":[\"ops-eu\",\"dev\"]")));
    assert_int_equal(4, session->role_count);
    assert_true(slice_is(session->roles[0], "developer"));
    assert_true(slice_is(session->roles[1], "operator"));
    assert_true(slice_is(session->roles[2], "reader"));
    assert_true(slice_is(session->roles[3], "ann"));
    /* What was looked at is recorded, an absent claim too. */
    assert_int_equal(3, session->claim_count);
    assert_true(slice_is(session->claims[1].name, "groups"));
    assert_true(slice_is(session->claims[1].value, "[\"ops-eu\",\"dev\"]"));
    assert_true(slice_is(session->claims[2].name, "team"));
    assert_true(slice_is(session->claims[2].value, "null"));

    assert_int_equal(AUTH_OK, court_judge(&court, claims(0, 600, "\"groups\":\"d\\u0065v\"")));
    assert_int_equal(3, session->role_count);
    assert_int_equal(AUTH_OK,
                     court_judge(&court, claims(0, 600, "\"groups\":{\"dev\":1},\"team\":7")));
    assert_int_equal(1, session->role_count);
    buffer_free(&list);
    close_court(&court);
}

/* One of those that found no room could be the one that forbids. */
static void too_many_roles_refuse_the_token(void **state)
{
    struct buffer list = {0};
    struct court court;
    char role[16];

    (void)state;
    court_open(&court);
    for (int i = 0; i < SESSION_ROLES_MAX; i++) {
        snprintf(role, sizeof(role), "r%d", i);
        map_role(&list, "groups", "a", role);
    }
    map_role(&list, "groups", "a", "r0");
    court.binding.config.role_mappings = buffer_slice(&list);
    assert_int_equal(AUTH_OK, court_judge(&court, claims(0, 600, "\"groups\":\"a\"")));
    assert_int_equal(SESSION_ROLES_MAX, court.judgement.session.role_count);
    map_role(&list, "groups", "b", "more");
    court.binding.config.role_mappings = buffer_slice(&list);
    assert_int_equal(AUTH_OK, court_judge(&court, claims(0, 600, "\"groups\":\"a\"")));
    assert_int_equal(AUTH_CLAIM, court_judge(&court, claims(0, 600, "\"groups\":[\"b\",\"a\"]")));
    buffer_free(&list);
    close_court(&court);
}

static long issuer_of(const char *payload, char *out)
{
    static const char *const names[] = {"iss"};
    struct json_value object, issuer;
    const char *reason;

    assert_int_equal(0, json_parse(slice_from(payload), &object, &reason));
    assert_int_equal(0, json_members(&object, names, 1, &issuer));
    return judgement_issuer(&issuer, out);
}

static void issuer_is_a_string_of_bounded_size(void **state)
{
    static const char *const refused[] = {"{}", "{\"iss\":\"\"}", "{\"iss\":1}",
                                          "{\"iss\":[\"a\"]}"};
    char out[JUDGEMENT_ISSUER_MAX];
    char text[JUDGEMENT_ISSUER_MAX + 32];
    char name[JUDGEMENT_ISSUER_MAX + 1];

    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_true(issuer_of(refused[i], out) < 0);
    assert_int_equal(9, issuer_of("{\"iss\":\"https:\\/\\/i\"}", out));
    assert_memory_equal("https://i", out, 9);
    memset(name, 'x', sizeof(name));
    for (int size = JUDGEMENT_ISSUER_MAX; size <= JUDGEMENT_ISSUER_MAX + 1; size++) {
        snprintf(text, sizeof(text), "{\"iss\":\"%.*s\"}", size, name);
        assert_int_equal(size == JUDGEMENT_ISSUER_MAX, issuer_of(text, out) == size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_token_fills_a_session),
        cmocka_unit_test(algorithm_must_be_allowed),
        cmocka_unit_test(times_have_exact_edges),
        cmocka_unit_test(times_are_required_and_numeric),
        cmocka_unit_test(session_ends_by_the_shorter_limit),
        cmocka_unit_test(judging_anew_never_lengthens),
        cmocka_unit_test(audience_must_match_exactly),
        cmocka_unit_test(username_must_be_a_plain_string),
        cmocka_unit_test(unverified_email_counts_only_for_email),
        cmocka_unit_test(required_claims_equal_or_hold),
        cmocka_unit_test(required_scopes_in_any_form),
        cmocka_unit_test(claims_give_roles),
        cmocka_unit_test(too_many_roles_refuse_the_token),
        cmocka_unit_test(issuer_is_a_string_of_bounded_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
