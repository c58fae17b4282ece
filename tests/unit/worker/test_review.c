#include "tests/unit/worker/auth_fixture.h"

#include "worker/review.h"

/* One app, one config that is published anew for each case, and a session of revision 1. */
struct court {
    struct fixture fixture;
    struct auth_config_record config;
    struct session_record session;
    char thumbprint[DIGEST_HEX_SIZE + 1];
};

static void court_publish(struct court *court, uint64_t revision, const char *audience)
{
    struct fixture *fixture = &court->fixture;

    court->config.revision = revision;
    publish_begin(fixture);
    publish_config(fixture, &court->config);
    publish_binding(fixture, "red", "https://red.test", "red", audience);
    publish_end(fixture);
    fixture_turn(fixture);
}

static enum auth_reason court_review(struct court *court)
{
    const char *description = NULL;
    enum auth_reason reason =
        review_session(court->fixture.catalog, &court->session, clock_wall_seconds(), &description);

    assert_true(reason == AUTH_OK || reason == AUTH_STORE || description != NULL);
    return reason;
}

static int court_open(void **state)
{
    static struct court court;
    struct jose_key *keys[1];
    struct slice thumbprint;

    fixture_open(&court.fixture);
    publish_red_and_blue(&court.fixture);
    assert_int_equal(1, catalog_keys(court.fixture.catalog, slice_from("red"), slice_from("k1"),
                                     keys, &thumbprint, 1));
    memcpy(court.thumbprint, thumbprint.data, thumbprint.size);
    court.config = config_of("red", "https://red.test");
    court.session = (struct session_record){
        .app = slice_from("red"),
        .config = slice_from("red"),
        .revision = 1,
        .issuer = slice_from("https://red.test"),
        .audiences = {slice_from("gate")},
        .audience_count = 1,
        .kid = slice_from("k1"),
        .key_thumbprint = slice_make(court.thumbprint, DIGEST_HEX_SIZE),
        .algorithm = slice_from("ES256"),
        .issued_at = clock_wall_seconds() - 100,
        .user = slice_from("ann@x.test"),
        .scopes = {slice_from("read")},
        .scope_count = 1,
        .roles = {slice_from("access")},
        .role_count = 1,
        .claims = {{slice_from("email"), slice_from("\"ann@x.test\"")},
                   {slice_from("email_verified"), slice_from("false")},
                   {slice_from("groups"), slice_from("[\"dev\",\"ops\"]")}},
        .claim_count = 3,
    };
    court.config.allow_unverified_email = true;
    *state = &court;
    return 0;
}

static int court_close(void **state)
{
    fixture_close(&((struct court *)*state)->fixture);
    return 0;
}

static void same_revision_stands(void **state)
{
    assert_int_equal(AUTH_OK, court_review(*state));
}

static void what_was_recorded_is_judged_again(void **state)
{
    struct court *court = *state;

    court->config.required_claims[0] = (struct auth_claim){slice_from("groups"), slice_from("ops")};
    court->config.required_claim_count = 1;
    court->config.required_scopes[0] = slice_from("read");
    court->config.required_scope_count = 1;
    court->config.max_session_ttl = 3600;
    court->config.max_token_age = 1; /* not asked twice */
    court_publish(court, 2, "gate");
    assert_int_equal(AUTH_OK, court_review(court));
}

static void what_is_no_longer_satisfied_ends_it(void **state)
{
    struct court *court = *state;
    const struct auth_config_record good = court->config;
    uint64_t revision = 2;

    court->config.required_claims[0] = (struct auth_claim){slice_from("groups"), slice_from("hr")};
    court->config.required_claim_count = 1;
    court_publish(court, revision++, "gate");
    assert_int_equal(AUTH_CLAIM, court_review(court));

    court->config.required_claims[0] = (struct auth_claim){slice_from("team"), slice_from("x")};
    court_publish(court, revision++, "gate");
    assert_int_equal(AUTH_CLAIM, court_review(court)); /* not recorded */

    court->config = good;
    court->config.required_scopes[0] = slice_from("write");
    court->config.required_scope_count = 1;
    court_publish(court, revision++, "gate");
    assert_int_equal(AUTH_CLAIM, court_review(court));

    court->config = good;
    court->config.username_claim = slice_from("sub");
    court_publish(court, revision++, "gate");
    assert_int_equal(AUTH_CLAIM, court_review(court));

    court->config = good;
    court->config.allow_unverified_email = false;
    court_publish(court, revision++, "gate");
    assert_int_equal(AUTH_CLAIM, court_review(court));

    court->config = good;
    court->config.algorithms = 1u << JOSE_RS256;
    court_publish(court, revision++, "gate");
    assert_int_equal(AUTH_ALGORITHM, court_review(court));

    court->config = good;
    court->config.max_session_ttl = 50;
    court_publish(court, revision++, "gate");
    assert_int_equal(AUTH_EXPIRED, court_review(court));

    court->config = good;
    court_publish(court, 1, "elsewhere");
    assert_int_equal(AUTH_AUDIENCE, court_review(court));

    court_publish(court, revision, "gate");
    assert_int_equal(AUTH_OK, court_review(court));
}

static void withdrawn_key_or_binding_ends_it(void **state)
{
    struct court *court = *state;
    struct fixture *fixture = &court->fixture;

    court_publish(court, 2, "gate");
    publish_begin(fixture);
    publish_key(fixture, "red", "k1", fixture->other_key, JOSE_ES256, 0);
    publish_end(fixture);
    fixture_turn(fixture);
    assert_int_equal(AUTH_KID, court_review(court));

    publish_begin(fixture);
    publish_unbinding(fixture, "red", "https://red.test");
    publish_end(fixture);
    fixture_turn(fixture);
    assert_int_equal(AUTH_ISSUER, court_review(court));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(same_revision_stands, court_open, court_close),
        cmocka_unit_test_setup_teardown(what_was_recorded_is_judged_again, court_open, court_close),
        cmocka_unit_test_setup_teardown(what_is_no_longer_satisfied_ends_it, court_open,
                                        court_close),
        cmocka_unit_test_setup_teardown(withdrawn_key_or_binding_ends_it, court_open, court_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
