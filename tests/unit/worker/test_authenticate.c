#include "tests/unit/worker/auth_fixture.h"

#include "shared/session_store.h"

#include <sys/wait.h>

/* A request: its attempt, its connection's memo, its token's bytes. */
struct request {
    struct auth_attempt attempt;
    struct auth_memo memo;
    struct buffer token;
    bool done;
    char user[64]; /* of the accepted session, copied while it was borrowed */
};

static void request_done(struct auth_attempt *attempt)
{
    struct request *request = attempt->context;

    request->done = true;
    if (attempt->verdict == AUTH_ACCEPTED && attempt->session->user.size < sizeof(request->user))
        memcpy(request->user, attempt->session->user.data, attempt->session->user.size);
}

static void request_prepare(struct request *request, const char *app, struct slice token)
{
    request->done = false;
    request->attempt = (struct auth_attempt){
        .app = slice_from(app),
        .token = token,
        .client_address = slice_from("192.0.2.7"),
        .memo = &request->memo,
        .done = request_done,
        .context = request,
    };
}

/* The verdict after the turn's commit. */
static enum auth_verdict request_run(struct fixture *fixture, struct request *request,
                                     const char *app, struct slice token)
{
    request_prepare(request, app, token);
    if (authenticate(fixture->authenticator, &request->attempt) == AUTH_PENDING) {
        assert_int_equal(0, authenticator_commit(fixture->authenticator));
        if (!request->done)
            return AUTH_PENDING;
    }
    assert_int_equal(0, authenticator_commit(fixture->authenticator));
    fixture_turn(fixture);
    return request->attempt.verdict;
}

static void request_free(struct request *request)
{
    auth_memo_free(&request->memo);
    buffer_free(&request->token);
}

static struct slice good_token(struct fixture *fixture, struct request *request, const char *app)
{
    char issuer[64];

    snprintf(issuer, sizeof(issuer), "https://%s.test", app);
    return token_make(&request->token, fixture->key, header_of("k1"),
                      claims_of(issuer, -5, 600, ""));
}

static void new_token_makes_a_session_and_the_next_finds_it(void **state)
{
    struct request request = {0};
    struct session_record session;
    struct fixture fixture;
    struct slice token;

    (void)state;
    fixture_open(&fixture);
    publish_red_and_blue(&fixture);
    token = good_token(&fixture, &request, "red");
    request_prepare(&request, "red", token);
    assert_int_equal(AUTH_PENDING, authenticate(fixture.authenticator, &request.attempt));
    assert_int_equal(-ENOENT, session_store_find(fixture.sessions, &request.attempt.id, &session));
    assert_int_equal(0, authenticator_commit(fixture.authenticator));
    assert_true(request.done);
    assert_int_equal(AUTH_ACCEPTED, request.attempt.verdict);
    assert_string_equal("ann@x.test", request.user);
    fixture_turn(&fixture);
    assert_int_equal(0, session_store_find(fixture.sessions, &request.attempt.id, &session));
    assert_true(slice_is(session.app, "red"));
    assert_true(slice_is(session.config, "red"));
    assert_true(slice_is(session.client_address, "192.0.2.7"));
    assert_int_equal(64, session.key_thumbprint.size);
    assert_int_equal(64, session.signing_input.size);
    assert_int_equal(request.attempt.expires, session.expires);
    assert_int_equal(1, fixture_count(&fixture, COUNT_SESSIONS_CREATED));
    assert_int_equal(1, fixture_count(&fixture, COUNT_SIGNATURE_CHECKS));
    request_prepare(&request, "red", token);
    assert_int_equal(AUTH_ACCEPTED, authenticate(fixture.authenticator, &request.attempt));
    assert_true(slice_is(request.attempt.session->user, "ann@x.test"));
    assert_int_equal(1, fixture_count(&fixture, COUNT_SESSIONS_FOUND));
    assert_int_equal(1, fixture_count(&fixture, COUNT_SESSIONS_CREATED));
    assert_int_equal(1, fixture_count(&fixture, COUNT_SIGNATURE_CHECKS));
    request_free(&request);
    fixture_close(&fixture);
}

static void two_requests_of_one_turn_verify_once(void **state)
{
    struct request first = {0}, second = {0}, gone = {0};
    struct fixture fixture;
    struct slice token;

    (void)state;
    fixture_open(&fixture);
    publish_red_and_blue(&fixture);
    token = good_token(&fixture, &first, "red");
    request_prepare(&first, "red", token);
    request_prepare(&second, "red", token);
    request_prepare(&gone, "red", token);
    assert_int_equal(AUTH_PENDING, authenticate(fixture.authenticator, &first.attempt));
    assert_int_equal(AUTH_PENDING, authenticate(fixture.authenticator, &second.attempt));
    assert_int_equal(AUTH_PENDING, authenticate(fixture.authenticator, &gone.attempt));
    authenticate_cancel(fixture.authenticator, &gone.attempt);
    authenticate_cancel(fixture.authenticator, &gone.attempt);
    assert_int_equal(0, authenticator_commit(fixture.authenticator));
    assert_true(first.done && second.done);
    assert_false(gone.done);
    assert_int_equal(AUTH_ACCEPTED, first.attempt.verdict);
    assert_int_equal(AUTH_ACCEPTED, second.attempt.verdict);
    assert_int_equal(1, fixture_count(&fixture, COUNT_SIGNATURE_CHECKS));
    assert_int_equal(1, fixture_count(&fixture, COUNT_SESSIONS_CREATED));
    assert_int_equal(1, fixture_count(&fixture, COUNT_SESSIONS_FOUND));
    request_free(&first);
    request_free(&second);
    request_free(&gone);
    fixture_close(&fixture);
}

static void token_of_one_app_opens_no_other(void **state)
{
    struct request request = {0};
    struct fixture fixture;
    struct slice token;

    (void)state;
    fixture_open(&fixture);
    publish_red_and_blue(&fixture);
    token = good_token(&fixture, &request, "red");
    /* One connection, one token, both apps in turn. */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(AUTH_ACCEPTED, request_run(&fixture, &request, "red", token));
        assert_int_equal(AUTH_REFUSED, request_run(&fixture, &request, "blue", token));
        assert_int_equal(AUTH_ISSUER, request.attempt.reason);
    }
    assert_int_equal(1, fixture_count(&fixture, COUNT_SIGNATURE_CHECKS));
    assert_int_equal(3, fixture_count(&fixture, COUNT_TOKEN_REFUSED_ISSUER));
    request_free(&request);
    fixture_close(&fixture);
}

static void unknown_app_is_refused_like_an_unbound_issuer(void **state)
{
    struct request request = {0};
    struct fixture fixture;
    const char *description;
    struct slice token;

    (void)state;
    fixture_open(&fixture);
    publish_red_and_blue(&fixture);
    token = good_token(&fixture, &request, "red");
    assert_int_equal(AUTH_REFUSED, request_run(&fixture, &request, "blue", token));
    description = request.attempt.description;
    assert_int_equal(AUTH_REFUSED, request_run(&fixture, &request, "unknown", token));
    assert_int_equal(AUTH_ISSUER, request.attempt.reason);
    assert_string_equal(description, request.attempt.description);
    request_free(&request);
    fixture_close(&fixture);
}

static void memo_follows_app_and_token(void **state)
{
    struct request request = {0}, other = {0};
    struct session_id expected;
    struct fixture fixture;
    struct slice tokens[2];

    (void)state;
    fixture_open(&fixture);
    publish_red_and_blue(&fixture);
    tokens[0] = good_token(&fixture, &request, "red");
    tokens[1] = good_token(&fixture, &other, "blue");
    for (int i = 0; i < 8; i++) {
        const char *app = (i & 1) != 0 ? "blue" : "red";
        struct slice token = tokens[i >> 1 & 1];

        request_run(&fixture, &request, app, token);
        session_id_make(&expected, SESSION_KIND_JWT, slice_from(app), token);
        assert_string_equal(expected.text, request.attempt.id.text);
        assert_int_equal((i & 1) == (i >> 1 & 1) ? AUTH_ACCEPTED : AUTH_REFUSED,
                         request.attempt.verdict);
    }
    /* Without a memo it is the same. */
    request_prepare(&request, "red", tokens[0]);
    request.attempt.memo = NULL;
    assert_int_equal(AUTH_ACCEPTED, authenticate(fixture.authenticator, &request.attempt));
    request_free(&request);
    request_free(&other);
    fixture_close(&fixture);
}

/* The same bytes, split elsewhere, are another credential. */
static void memo_compares_parts_not_runs(void **state)
{
    struct auth_memo memo = {0};
    struct session_id first, second;

    (void)state;
    auth_memo_id(&memo, slice_from("red"), slice_from("token"), &first);
    auth_memo_id(&memo, slice_from("red"), slice_from("token"), &second);
    assert_string_equal(first.text, second.text);
    auth_memo_id(&memo, slice_from("rad"), slice_from("token"), &second);
    assert_string_not_equal(first.text, second.text);
    auth_memo_id(&memo, slice_from("red"), slice_from("token"), &second);
    assert_string_equal(first.text, second.text);
    auth_memo_id(&memo, slice_from("redt"), slice_from("oken"), &second);
    assert_string_not_equal(first.text, second.text);
    auth_memo_id(&memo, slice_from("red"), slice_from("tokem"), &second);
    assert_string_not_equal(first.text, second.text);
    auth_memo_free(&memo);
    assert_null(memo.token);
}

static enum auth_reason refused(struct fixture *fixture, struct jose_key *key, const char *header,
                                const char *payload)
{
    struct request request = {0};
    enum auth_verdict verdict =
        request_run(fixture, &request, "red", token_make(&request.token, key, header, payload));
    enum auth_reason reason = request.attempt.reason;

    assert_int_equal(AUTH_REFUSED, verdict);
    assert_non_null(request.attempt.description);
    assert_int_equal(0, request.attempt.expires);
    request_free(&request);
    return reason;
}

static void every_refusal_has_its_reason_and_counter(void **state)
{
    const struct {
        const char *header, *payload;
        enum auth_reason reason;
        enum scoreboard_counter counter;
    } cases[] = {
        {"{\"alg\":\"none\"}", "{}", AUTH_ALGORITHM, COUNT_TOKEN_REFUSED_ALG},
        {"{\"alg\":\"HS256\"}", "{}", AUTH_ALGORITHM, COUNT_TOKEN_REFUSED_ALG},
        {"{\"alg\":\"ES384\"}", "\"iss\"", AUTH_MALFORMED, COUNT_TOKEN_REFUSED_MALFORMED},
        {"{\"alg\":\"ES256\",\"crit\":[\"exp\"]}", "{}", AUTH_MALFORMED,
         COUNT_TOKEN_REFUSED_MALFORMED},
        {NULL, "{}", AUTH_ISSUER, COUNT_TOKEN_REFUSED_ISSUER},
        {NULL, "{\"iss\":\"https://blue.test\"}", AUTH_ISSUER, COUNT_TOKEN_REFUSED_ISSUER},
        {NULL, "expired", AUTH_EXPIRED, COUNT_TOKEN_REFUSED_EXPIRED},
        {NULL, "early", AUTH_NOT_YET, COUNT_TOKEN_REFUSED_CLAIM},
        {NULL, "old", AUTH_AGE, COUNT_TOKEN_REFUSED_AGE},
        {NULL, "{\"iss\":\"https://red.test\"}", AUTH_CLAIM, COUNT_TOKEN_REFUSED_CLAIM},
        {NULL, "audience", AUTH_AUDIENCE, COUNT_TOKEN_REFUSED_AUDIENCE},
        {"{\"alg\":\"ES256\",\"kid\":\"k9\"}", "good", AUTH_KID, COUNT_TOKEN_REFUSED_KID},
        {"{\"alg\":\"RS256\",\"kid\":\"k1\"}", "good", AUTH_ALGORITHM, COUNT_TOKEN_REFUSED_ALG},
    };
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture);
    publish_red_and_blue(&fixture);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *header = cases[i].header != NULL ? cases[i].header : header_of("k1");
        const char *payload = cases[i].payload;
        uint64_t before = fixture_count(&fixture, cases[i].counter);

        if (strcmp(payload, "good") == 0)
            payload = claims_of("https://red.test", -5, 600, "");
        else if (strcmp(payload, "expired") == 0)
            payload = claims_of("https://red.test", -500, -100, "");
        else if (strcmp(payload, "early") == 0)
            payload = claims_of("https://red.test", 100, 600, "");
        else if (strcmp(payload, "old") == 0)
            payload = claims_of("https://red.test", -1900, 600, "");
        else if (strcmp(payload, "audience") == 0)
            payload =
                "{\"iss\":\"https://red.test\",\"aud\":\"door\",\"iat\":1,\"exp\":9000000000}";
        if (cases[i].reason == AUTH_AUDIENCE) {
            static char text[256];

            snprintf(text, sizeof(text),
                     "{\"iss\":\"https://red.test\",\"aud\":\"door\",\"iat\":%lld,\"exp\":%lld}",
                     (long long)clock_wall_seconds(), (long long)clock_wall_seconds() + 60);
            payload = text;
        }
        if (refused(&fixture, fixture.key, header, payload) != cases[i].reason)
            fail_msg("case %zu", i);
        assert_int_equal(before + 1, fixture_count(&fixture, cases[i].counter));
    }
    assert_int_equal(0, fixture_count(&fixture, COUNT_SIGNATURE_CHECKS));
    assert_int_equal(AUTH_SIGNATURE, refused(&fixture, fixture.other_key, header_of("k1"),
                                             claims_of("https://red.test", -5, 600, "")));
    assert_int_equal(1, fixture_count(&fixture, COUNT_SIGNATURE_CHECKS));
    assert_int_equal(1, fixture_count(&fixture, COUNT_TOKEN_REFUSED_SIGNATURE));
    fixture_close(&fixture);
}

static void tokens_that_are_no_tokens_are_malformed(void **state)
{
    static const char *const tokens[] = {"", "a", "a.b.c", "....", "ey.ey.ey", "\x01\x02"};
    struct request request = {0};
    struct fixture fixture;
    char *huge = calloc(1, JWS_TOKEN_MAX + 2);

    (void)state;
    fixture_open(&fixture);
    publish_red_and_blue(&fixture);
    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        assert_int_equal(AUTH_REFUSED,
                         request_run(&fixture, &request, "red", slice_from(tokens[i])));
        assert_int_equal(AUTH_MALFORMED, request.attempt.reason);
    }
    assert_non_null(huge);
    memset(huge, 'a', JWS_TOKEN_MAX + 1);
    assert_int_equal(AUTH_REFUSED, request_run(&fixture, &request, "red", slice_from(huge)));
    assert_int_equal(AUTH_MALFORMED, request.attempt.reason);
    free(huge);
    request_free(&request);
    fixture_close(&fixture);
}

static void token_without_kid_tries_the_keys(void **state)
{
    struct request request = {0};
    struct fixture fixture;
    struct jose_key *rsa;

    (void)state;
    fixture_open(&fixture);
    publish_red_and_blue(&fixture);
    assert_int_equal(0, jose_key_generate(&rsa, JOSE_RS256));
    publish_begin(&fixture);
    publish_key(&fixture, "red", "a", rsa, JOSE_RS256, 0);
    publish_key(&fixture, "red", "b", fixture.other_key, JOSE_ES256, 0);
    publish_end(&fixture);
    fixture_turn(&fixture);
    assert_int_equal(AUTH_ACCEPTED,
                     request_run(&fixture, &request, "red",
                                 token_make(&request.token, fixture.key, header_of(NULL),
                                            claims_of("https://red.test", -5, 600, ""))));
    /* The RSA key is not tried for ES256: "b", then "k1". */
    assert_int_equal(2, fixture_count(&fixture, COUNT_SIGNATURE_CHECKS));
    jose_key_free(rsa);
    request_free(&request);
    fixture_close(&fixture);
}

static void changed_config_judges_anew(void **state)
{
    struct request request = {0};
    struct auth_config_record config = config_of("red", "https://red.test");
    struct fixture fixture;
    struct session_record session;
    int64_t created, expires;
    struct slice token;

    (void)state;
    fixture_open(&fixture);
    publish_red_and_blue(&fixture);
    token = good_token(&fixture, &request, "red");
    assert_int_equal(AUTH_ACCEPTED, request_run(&fixture, &request, "red", token));
    expires = request.attempt.expires;
    assert_int_equal(0, session_store_find(fixture.sessions, &request.attempt.id, &session));
    created = session.created;
    /* A wider skew and a shorter age: the session goes on, no longer than before. */
    publish_begin(&fixture);
    config.revision = 2;
    config.clock_skew = 300;
    config.max_token_age = 1;
    publish_config(&fixture, &config);
    publish_end(&fixture);
    fixture_turn(&fixture);
    assert_int_equal(AUTH_ACCEPTED, request_run(&fixture, &request, "red", token));
    assert_int_equal(expires, request.attempt.expires);
    assert_int_equal(2, fixture_count(&fixture, COUNT_SIGNATURE_CHECKS));
    assert_int_equal(1, fixture_count(&fixture, COUNT_SESSIONS_CREATED));
    assert_int_equal(0, session_store_find(fixture.sessions, &request.attempt.id, &session));
    assert_int_equal(2, session.revision);
    assert_int_equal(created, session.created);
    /* Another audience: the same token is refused, though its session is there. */
    publish_begin(&fixture);
    config.revision = 3;
    publish_config(&fixture, &config);
    publish_binding(&fixture, "red", "https://red.test", "red", "elsewhere");
    publish_end(&fixture);
    fixture_turn(&fixture);
    assert_int_equal(AUTH_REFUSED, request_run(&fixture, &request, "red", token));
    assert_int_equal(AUTH_AUDIENCE, request.attempt.reason);
    /* And when nothing binds the issuer any more. */
    publish_begin(&fixture);
    publish_unbinding(&fixture, "red", "https://red.test");
    publish_end(&fixture);
    fixture_turn(&fixture);
    assert_int_equal(AUTH_REFUSED, request_run(&fixture, &request, "red", token));
    assert_int_equal(AUTH_ISSUER, request.attempt.reason);
    request_free(&request);
    fixture_close(&fixture);
}

/* Writes over the session of a request, as another worker or another time would have left it. */
static void session_rewrite(struct fixture *fixture, const struct session_id *id,
                            void (*change)(struct session_record *session))
{
    struct session_record session;
    struct buffer bytes = {0};

    assert_int_equal(0, session_store_find(fixture->sessions, id, &session));
    change(&session);
    assert_int_equal(0, session_record_encode(&session, &bytes));
    assert_int_equal(0, session_record_decode(buffer_slice(&bytes), &session));
    assert_int_equal(0, store_write_begin(fixture->sessions));
    assert_int_equal(0, session_store_put(fixture->sessions, id, &session));
    assert_int_equal(0, store_commit(fixture->sessions));
    buffer_free(&bytes);
    fixture_turn(fixture);
}

static void session_end_now(struct session_record *session)
{
    session->expires = clock_wall_seconds();
}

static void session_move(struct session_record *session)
{
    session->app = slice_from("blue");
}

static void session_of_another_time_or_app_is_not_used(void **state)
{
    struct request request = {0};
    struct fixture fixture;
    struct slice token;

    (void)state;
    fixture_open(&fixture);
    publish_red_and_blue(&fixture);
    token = good_token(&fixture, &request, "red");
    assert_int_equal(AUTH_ACCEPTED, request_run(&fixture, &request, "red", token));
    session_rewrite(&fixture, &request.attempt.id, session_end_now);
    assert_int_equal(AUTH_ACCEPTED, request_run(&fixture, &request, "red", token));
    assert_int_equal(2, fixture_count(&fixture, COUNT_SIGNATURE_CHECKS));
    session_rewrite(&fixture, &request.attempt.id, session_move);
    assert_int_equal(AUTH_ACCEPTED, request_run(&fixture, &request, "red", token));
    assert_int_equal(3, fixture_count(&fixture, COUNT_SIGNATURE_CHECKS));
    request_free(&request);
    fixture_close(&fixture);
}

/* The number of KEY_WANTED messages that came, all for `config`. */
static int keys_wanted(struct fixture *fixture, const char *config)
{
    struct message message;
    int count = 0;

    while (channel_receive(fixture->watcher, &message) == 1) {
        assert_int_equal(MESSAGE_KEY_WANTED, message.type);
        assert_true(slice_is(message.payload, config));
        message_close(&message);
        count++;
    }
    return count;
}

/* The config of "red" with a fetch that is over, and a new one due. */
static struct auth_config_record stale_config(void)
{
    struct auth_config_record config = config_of("red", "https://red.test");

    config.keys_fetched = clock_wall_seconds() - 100;
    config.next_refresh = clock_wall_seconds() - 50;
    return config;
}

static void publish_stale(struct fixture *fixture, const struct auth_config_record *config)
{
    publish_red_and_blue(fixture);
    publish_begin(fixture);
    publish_config(fixture, config);
    publish_end(fixture);
    fixture_turn(fixture);
}

static struct slice unknown_key_token(struct fixture *fixture, struct request *request)
{
    return token_make(&request->token, fixture->other_key, header_of("k2"),
                      claims_of("https://red.test", -5, 600, ""));
}

static void unknown_kid_waits_for_the_rotated_key(void **state)
{
    struct request requests[3] = {0};
    struct auth_config_record config = stale_config();
    struct fixture fixture;
    struct slice token;

    (void)state;
    fixture_open(&fixture);
    publish_stale(&fixture, &config);
    token = unknown_key_token(&fixture, &requests[0]);
    for (int i = 0; i < 3; i++)
        assert_int_equal(AUTH_PENDING, request_run(&fixture, &requests[i], "red", token));
    authenticate_cancel(fixture.authenticator, &requests[2].attempt);
    assert_true(authenticator_waiting(fixture.authenticator));
    assert_int_equal(1, keys_wanted(&fixture, "red"));
    authenticator_retry(fixture.authenticator);
    assert_true(authenticator_waiting(fixture.authenticator));
    assert_int_equal(0, keys_wanted(&fixture, "red"));
    publish_begin(&fixture);
    publish_key(&fixture, "red", "k2", fixture.other_key, JOSE_ES256, 0);
    publish_end(&fixture);
    fixture_turn(&fixture);
    assert_false(authenticator_waiting(fixture.authenticator));
    assert_false(requests[0].done);
    assert_int_equal(0, authenticator_commit(fixture.authenticator));
    assert_true(requests[0].done && requests[1].done);
    assert_false(requests[2].done);
    assert_int_equal(AUTH_ACCEPTED, requests[0].attempt.verdict);
    assert_int_equal(AUTH_ACCEPTED, requests[1].attempt.verdict);
    assert_int_equal(1, fixture_count(&fixture, COUNT_SIGNATURE_CHECKS));
    for (int i = 0; i < 3; i++)
        request_free(&requests[i]);
    fixture_close(&fixture);
}

static void unknown_kid_is_refused_after_a_successful_fetch(void **state)
{
    struct request request = {0};
    struct auth_config_record config = stale_config();
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture);
    publish_stale(&fixture, &config);
    assert_int_equal(AUTH_PENDING,
                     request_run(&fixture, &request, "red", unknown_key_token(&fixture, &request)));
    publish_begin(&fixture);
    config.keys_fetched = clock_wall_seconds();
    publish_config(&fixture, &config);
    publish_end(&fixture);
    fixture_turn(&fixture);
    assert_int_equal(0, authenticator_commit(fixture.authenticator));
    assert_true(request.done);
    assert_int_equal(AUTH_REFUSED, request.attempt.verdict);
    assert_int_equal(AUTH_KID, request.attempt.reason);
    request_free(&request);
    fixture_close(&fixture);
}

static void unknown_kid_is_refused_at_once_inside_the_window(void **state)
{
    struct fixture fixture;
    struct auth_config_record config;

    (void)state;
    fixture_open(&fixture);
    publish_red_and_blue(&fixture);
    assert_int_equal(AUTH_KID, refused(&fixture, fixture.other_key, header_of("k2"),
                                       claims_of("https://red.test", -5, 600, "")));
    assert_int_equal(0, keys_wanted(&fixture, "red"));
    publish_begin(&fixture);
    config = stale_config();
    config.keys_static = true;
    config.last_fetch_ok = false;
    publish_config(&fixture, &config);
    publish_end(&fixture);
    fixture_turn(&fixture);
    assert_int_equal(AUTH_KID, refused(&fixture, fixture.other_key, header_of("k2"),
                                       claims_of("https://red.test", -5, 600, "")));
    assert_int_equal(0, keys_wanted(&fixture, "red"));
    assert_int_equal(2, fixture_count(&fixture, COUNT_TOKEN_REFUSED_KID));
    fixture_close(&fixture);
}

/* Key sets that are not usable, or whose last fetch failed: 503 after key_wait, never 401. */
static void unusable_keys_are_unavailable(void **state)
{
    struct auth_config_record configs[3] = {stale_config(), stale_config(), stale_config()};

    (void)state;
    configs[0].keys_usable = false;
    configs[1].last_fetch_ok = false;
    configs[1].next_refresh = clock_wall_seconds() + 1000;
    /* The third was fetched long ago, and is not fetched anew within key_wait. */
    for (int i = 0; i < 3; i++) {
        struct request request = {0};
        struct fixture fixture;

        fixture_open(&fixture);
        fixture.child.settings.limits.key_wait = 1;
        publish_stale(&fixture, &configs[i]);
        assert_int_equal(AUTH_PENDING, request_run(&fixture, &request, "red",
                                                   unknown_key_token(&fixture, &request)));
        assert_int_equal(1, keys_wanted(&fixture, "red"));
        while (!request.done) {
            authenticator_retry(fixture.authenticator);
            assert_int_equal(0, authenticator_commit(fixture.authenticator));
            fixture_turn(&fixture);
        }
        assert_int_equal(AUTH_UNAVAILABLE, request.attempt.verdict);
        assert_int_equal(AUTH_NO_KEYS, request.attempt.reason);
        assert_int_equal(1, fixture_count(&fixture, COUNT_TOKEN_UNAVAILABLE));
        assert_false(authenticator_waiting(fixture.authenticator));
        request_free(&request);
        fixture_close(&fixture);
    }
}

static void key_that_left_the_set_ends_no_wait(void **state)
{
    struct request request = {0};
    struct auth_config_record config = stale_config();
    struct fixture fixture;
    struct store_key key;
    struct slice token;

    (void)state;
    fixture_open(&fixture);
    publish_red_and_blue(&fixture);
    token = good_token(&fixture, &request, "red");
    assert_int_equal(AUTH_ACCEPTED, request_run(&fixture, &request, "red", token));
    publish_begin(&fixture);
    config.revision = 2;
    config.next_refresh = clock_wall_seconds() + 1000;
    publish_config(&fixture, &config);
    store_key_of(&key, slice_from("red"));
    store_key_part(&key, slice_from("k1"));
    store_key_plain(&key, "0");
    assert_int_equal(0, store_delete(fixture.config, STORE_KEYS, &key));
    publish_end(&fixture);
    fixture_turn(&fixture);
    assert_int_equal(AUTH_REFUSED, request_run(&fixture, &request, "red", token));
    assert_int_equal(AUTH_KID, request.attempt.reason);
    request_free(&request);
    fixture_close(&fixture);
}

static void at_most_so_many_attempts_wait(void **state)
{
    enum { MANY = 1025 };
    struct request *requests = calloc(MANY, sizeof(*requests));
    struct auth_config_record config = stale_config();
    struct fixture fixture;
    struct slice token;

    (void)state;
    assert_non_null(requests);
    fixture_open(&fixture);
    publish_stale(&fixture, &config);
    token = unknown_key_token(&fixture, &requests[0]);
    for (int i = 0; i < MANY; i++) {
        request_prepare(&requests[i], "red", token);
        authenticate(fixture.authenticator, &requests[i].attempt);
    }
    assert_int_equal(0, authenticator_commit(fixture.authenticator));
    assert_false(requests[MANY - 2].done);
    assert_true(requests[MANY - 1].done);
    assert_int_equal(AUTH_UNAVAILABLE, requests[MANY - 1].attempt.verdict);
    for (int i = 0; i < MANY; i++) {
        authenticate_cancel(fixture.authenticator, &requests[i].attempt);
        request_free(&requests[i]);
    }
    assert_false(authenticator_waiting(fixture.authenticator));
    free(requests);
    fixture_close(&fixture);
}

/* Puts a session in from another process, which opens the store for itself. */
static void other_worker_puts(struct fixture *fixture, const struct session_id *id,
                              const struct session_record *session)
{
    char path[128];
    struct store_options options = {path, STORE_SESSIONS, true, 16 << 20};
    struct store *store;
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        snprintf(path, sizeof(path), "%s/sessions", fixture->directory);
        if (store_open(&store, &options) != 0 || store_write_begin(store) != 0 ||
            session_store_put(store, id, session) != 0 || store_commit(store) != 0)
            _exit(1);
        _exit(0);
    }
    assert_true(pid > 0);
    assert_int_equal(pid, waitpid(pid, &status, 0));
    assert_int_equal(0, status);
}

/* Another worker made the session after this turn's snapshot was taken, of a token that is now too
 * old to make one. */
static void session_of_this_moment_is_seen_by_the_second_look(void **state)
{
    struct session_record session = {
        .app = slice_from("red"),
        .config = slice_from("red"),
        .revision = 1,
        .issuer = slice_from("https://red.test"),
        .audiences = {slice_from("gate")},
        .audience_count = 1,
        .algorithm = slice_from("ES256"),
        .expires = clock_wall_seconds() + 100,
        .user = slice_from("ann@x.test"),
    };
    struct request request = {0};
    struct session_id id;
    struct fixture fixture;
    struct slice token;

    (void)state;
    fixture_open(&fixture);
    publish_red_and_blue(&fixture);
    token = token_make(&request.token, fixture.key, header_of("k1"),
                       claims_of("https://red.test", -1900, 600, ""));
    session_id_make(&id, SESSION_KIND_JWT, slice_from("red"), token);
    request_prepare(&request, "red", token);
    assert_int_equal(AUTH_PENDING, authenticate(fixture.authenticator, &request.attempt));
    other_worker_puts(&fixture, &id, &session);
    assert_int_equal(0, authenticator_commit(fixture.authenticator));
    assert_true(request.done);
    assert_int_equal(AUTH_ACCEPTED, request.attempt.verdict);
    assert_int_equal(0, fixture_count(&fixture, COUNT_TOKEN_REFUSED_AGE));
    request_free(&request);
    fixture_close(&fixture);
}

static void cancelled_second_look_is_not_answered(void **state)
{
    struct request request = {0};
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture);
    publish_red_and_blue(&fixture);
    request_prepare(&request, "red",
                    token_make(&request.token, fixture.key, header_of("k1"),
                               claims_of("https://red.test", -1900, 600, "")));
    assert_int_equal(AUTH_PENDING, authenticate(fixture.authenticator, &request.attempt));
    authenticate_cancel(fixture.authenticator, &request.attempt);
    assert_int_equal(0, authenticator_commit(fixture.authenticator));
    assert_false(request.done);
    request_free(&request);
    fixture_close(&fixture);
}

/* A pipelined request that follows the first one's answer, inside its `done`. */
struct pipeline {
    struct fixture *fixture;
    struct request first, second;
};

static void pipeline_next(struct auth_attempt *attempt)
{
    struct pipeline *pipeline = attempt->context;

    pipeline->first.done = true;
    pipeline->second.attempt.verdict =
        authenticate(pipeline->fixture->authenticator, &pipeline->second.attempt);
}

static void pipelined_requests_are_answered_in_one_turn(void **state)
{
    struct pipeline pipeline = {0};
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture);
    publish_red_and_blue(&fixture);
    pipeline.fixture = &fixture;
    request_prepare(&pipeline.first, "red", good_token(&fixture, &pipeline.first, "red"));
    request_prepare(&pipeline.second, "blue", good_token(&fixture, &pipeline.second, "blue"));
    pipeline.first.attempt.done = pipeline_next;
    pipeline.first.attempt.context = &pipeline;
    assert_int_equal(AUTH_PENDING, authenticate(fixture.authenticator, &pipeline.first.attempt));
    assert_int_equal(0, authenticator_commit(fixture.authenticator));
    assert_true(pipeline.first.done && pipeline.second.done);
    assert_int_equal(AUTH_ACCEPTED, pipeline.second.attempt.verdict);
    /* The same token again: what was committed in this turn is found. */
    request_prepare(&pipeline.second, "red", pipeline.first.attempt.token);
    assert_int_equal(AUTH_ACCEPTED, authenticate(fixture.authenticator, &pipeline.second.attempt));
    assert_int_equal(2, fixture_count(&fixture, COUNT_SIGNATURE_CHECKS));
    request_free(&pipeline.first);
    request_free(&pipeline.second);
    fixture_close(&fixture);
}

static void revoked_tokens_open_nothing(void **state)
{
    struct revocation_record revocation = {.since = clock_wall_seconds() - 2, .made = 1};
    struct request request = {0};
    struct fixture fixture;
    struct slice token;

    (void)state;
    fixture_open(&fixture);
    publish_red_and_blue(&fixture);
    token = token_make(&request.token, fixture.key, header_of("k1"),
                       claims_of("https://red.test", -4, 600, ""));
    assert_int_equal(AUTH_ACCEPTED, request_run(&fixture, &request, "red", token));
    revocation.target.values[REVOCATION_USER] = slice_from("ann@x.test");
    revocation.target.issuer = slice_from("https://red.test");
    publish_revocation(&fixture, &revocation);
    fixture_turn(&fixture);
    assert_int_equal(AUTH_REFUSED, request_run(&fixture, &request, "red", token));
    assert_int_equal(AUTH_REVOKED, request.attempt.reason);
    assert_string_equal("the token was revoked", request.attempt.description);
    /* Nor does a token of that user that was never seen, and was issued before. */
    token = token_make(&request.token, fixture.key, header_of("k1"),
                       claims_of("https://red.test", -3, 600, ""));
    assert_int_equal(AUTH_REFUSED, request_run(&fixture, &request, "red", token));
    assert_int_equal(AUTH_REVOKED, request.attempt.reason);
    assert_int_equal(2, fixture_count(&fixture, COUNT_TOKEN_REFUSED_REVOKED));
    /* One that was issued later does. */
    token = token_make(&request.token, fixture.key, header_of("k1"),
                       claims_of("https://red.test", 0, 600, ""));
    assert_int_equal(AUTH_ACCEPTED, request_run(&fixture, &request, "red", token));
    /* A lock leaves nothing out. */
    revocation = (struct revocation_record){.made = 1, .uid = -1, .lock = slice_from("ban")};
    revocation.target.values[REVOCATION_APP] = slice_from("red");
    publish_revocation(&fixture, &revocation);
    fixture_turn(&fixture);
    assert_int_equal(AUTH_REFUSED, request_run(&fixture, &request, "red", token));
    assert_int_equal(AUTH_REVOKED, request.attempt.reason);
    assert_string_equal("access is locked", request.attempt.description);
    request_free(&request);
    fixture_close(&fixture);
}

static void users_have_so_many_sessions(void **state)
{
    struct request request = {0}, fresh[2] = {0};
    struct fixture fixture;
    struct slice token;

    (void)state;
    fixture_open(&fixture);
    publish_red_and_blue(&fixture);
    fixture.child.settings.limits.sessions_per_user = 2;
    token = good_token(&fixture, &request, "red");
    assert_int_equal(AUTH_ACCEPTED, request_run(&fixture, &request, "red", token));
    /* Two more in one turn: one of them finds no room. */
    for (int i = 0; i < 2; i++) {
        request_prepare(&fresh[i], "red",
                        token_make(&fresh[i].token, fixture.key, header_of("k1"),
                                   claims_of("https://red.test", -10 - i, 600, "")));
        authenticate(fixture.authenticator, &fresh[i].attempt);
    }
    assert_int_equal(0, authenticator_commit(fixture.authenticator));
    assert_int_equal(AUTH_ACCEPTED, fresh[0].attempt.verdict);
    assert_int_equal(AUTH_UNAVAILABLE, fresh[1].attempt.verdict);
    assert_int_equal(AUTH_STORE, fresh[1].attempt.reason);
    fixture_turn(&fixture);
    /* The old ones go on, and others are not concerned. */
    assert_int_equal(AUTH_ACCEPTED, request_run(&fixture, &request, "red", token));
    assert_int_equal(AUTH_ACCEPTED, request_run(&fixture, &request, "blue",
                                                good_token(&fixture, &request, "blue")));
    request_free(&request);
    request_free(&fresh[0]);
    request_free(&fresh[1]);
    fixture_close(&fixture);
}

/* gate.session_cache: false. */
static void without_the_cache_each_signature_is_checked(void **state)
{
    struct request request = {0};
    struct fixture fixture;
    struct slice token;

    (void)state;
    fixture_open(&fixture);
    publish_red_and_blue(&fixture);
    fixture.child.settings.session_cache = false;
    token = good_token(&fixture, &request, "red");
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(AUTH_ACCEPTED, request_run(&fixture, &request, "red", token));
        assert_int_equal(i, fixture_count(&fixture, COUNT_SIGNATURE_CHECKS));
        fixture_turn(&fixture);
    }
    assert_int_equal(1, fixture_count(&fixture, COUNT_SESSIONS_CREATED));
    assert_int_equal(2, fixture_count(&fixture, COUNT_SESSIONS_FOUND));
    request_free(&request);
    fixture_close(&fixture);
}

static void full_store_refuses_the_new_and_serves_the_old(void **state)
{
    struct request request = {0}, fresh = {0};
    struct fixture fixture;
    struct store_key key;
    struct slice token;
    int error = 0;

    (void)state;
    fixture_open_sized(&fixture, 1 << 20);
    publish_red_and_blue(&fixture);
    token = good_token(&fixture, &request, "red");
    assert_int_equal(AUTH_ACCEPTED, request_run(&fixture, &request, "red", token));
    for (uint64_t i = 0; error == 0; i++) {
        assert_int_equal(0, store_write_begin(fixture.sessions));
        store_key_begin(&key);
        store_key_number(&key, i);
        store_key_plain(&key, "fill");
        error = store_put(fixture.sessions, STORE_MCP_SESSIONS, &key,
                          slice_make(fixture.directory, sizeof(fixture.directory)));
        if (error == 0)
            error = store_commit(fixture.sessions);
        else
            store_abort(fixture.sessions);
    }
    assert_int_equal(-ENOSPC, error);
    fixture_turn(&fixture);
    assert_int_equal(AUTH_UNAVAILABLE,
                     request_run(&fixture, &fresh, "blue", good_token(&fixture, &fresh, "blue")));
    assert_int_equal(AUTH_STORE, fresh.attempt.reason);
    assert_int_equal(1, fixture_count(&fixture, COUNT_STORE_FULL));
    assert_int_equal(1, fixture_count(&fixture, COUNT_SESSIONS_CREATED));
    assert_int_equal(AUTH_ACCEPTED, request_run(&fixture, &request, "red", token));
    request_free(&request);
    request_free(&fresh);
    fixture_close(&fixture);
}

static void stale_config_store_is_unavailable_not_a_refusal(void **state)
{
    struct request request = {0};
    struct fixture fixture;
    struct slice token;
    int error;

    (void)state;
    fixture_open(&fixture);
    publish_red_and_blue(&fixture);
    token = good_token(&fixture, &request, "red");
    assert_int_equal(AUTH_ACCEPTED, request_run(&fixture, &request, "red", token));
    fixture.public.generation += 1;
    store_turn_end(fixture.config);
    store_turn_begin(fixture.config);
    catalog_turn(fixture.catalog, &error);
    assert_int_equal(-ESTALE, error);
    request_prepare(&request, "red", token);
    assert_int_equal(AUTH_UNAVAILABLE, authenticate(fixture.authenticator, &request.attempt));
    assert_int_equal(AUTH_STORE, request.attempt.reason);
    request_prepare(&request, "blue", token);
    assert_int_equal(AUTH_UNAVAILABLE, authenticate(fixture.authenticator, &request.attempt));
    request_free(&request);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_token_makes_a_session_and_the_next_finds_it),
        cmocka_unit_test(two_requests_of_one_turn_verify_once),
        cmocka_unit_test(token_of_one_app_opens_no_other),
        cmocka_unit_test(unknown_app_is_refused_like_an_unbound_issuer),
        cmocka_unit_test(memo_follows_app_and_token),
        cmocka_unit_test(memo_compares_parts_not_runs),
        cmocka_unit_test(every_refusal_has_its_reason_and_counter),
        cmocka_unit_test(tokens_that_are_no_tokens_are_malformed),
        cmocka_unit_test(token_without_kid_tries_the_keys),
        cmocka_unit_test(changed_config_judges_anew),
        cmocka_unit_test(session_of_another_time_or_app_is_not_used),
        cmocka_unit_test(unknown_kid_waits_for_the_rotated_key),
        cmocka_unit_test(unknown_kid_is_refused_after_a_successful_fetch),
        cmocka_unit_test(unknown_kid_is_refused_at_once_inside_the_window),
        cmocka_unit_test(unusable_keys_are_unavailable),
        cmocka_unit_test(key_that_left_the_set_ends_no_wait),
        cmocka_unit_test(at_most_so_many_attempts_wait),
        cmocka_unit_test(session_of_this_moment_is_seen_by_the_second_look),
        cmocka_unit_test(cancelled_second_look_is_not_answered),
        cmocka_unit_test(pipelined_requests_are_answered_in_one_turn),
        cmocka_unit_test(revoked_tokens_open_nothing),
        cmocka_unit_test(users_have_so_many_sessions),
        cmocka_unit_test(without_the_cache_each_signature_is_checked),
        cmocka_unit_test(full_store_refuses_the_new_and_serves_the_old),
        cmocka_unit_test(stale_config_store_is_unavailable_not_a_refusal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
