/* Which sessions stand: for a request that brings their token, and for a stream that is open. */
#include "tests/unit/worker/auth_fixture.h"

#include "shared/session_store.h"
#include "tests/unit/shared/session_example.h"
#include "worker/standing.h"

/* A session of "red", under a config of revision 1. */
struct stage {
    struct fixture fixture;
    struct standings standings;
    struct session_id id;
    struct session_record session;
};

static void stage_put(struct stage *stage)
{
    assert_int_equal(0, store_write_begin(stage->fixture.sessions));
    assert_int_equal(0, session_store_put(stage->fixture.sessions, &stage->id, &stage->session));
    assert_int_equal(0, store_commit(stage->fixture.sessions));
    fixture_turn(&stage->fixture);
}

static int stage_open(void **state)
{
    static struct stage stage;

    memset(&stage, 0, sizeof(stage));
    fixture_open(&stage.fixture);
    publish_red_and_blue(&stage.fixture);
    stage.standings = (struct standings){.sessions = stage.fixture.sessions,
                                         .catalog = stage.fixture.catalog,
                                         .audit = &stage.fixture.audit};
    session_id_make(&stage.id, SESSION_KIND_JWT, slice_from("red"), slice_from("token"));
    stage.session = session_example();
    stage.session.app = stage.session.config = slice_from("red");
    stage.session.revision = 1;
    stage.session.issuer = slice_from("https://red.test");
    stage.session.audiences[0] = slice_from("gate");
    stage.session.expires = clock_wall_seconds() + 600;
    stage_put(&stage);
    *state = &stage;
    return 0;
}

static int stage_close(void **state)
{
    struct stage *stage = *state;

    known_sessions_free(&stage->standings.known);
    fixture_close(&stage->fixture);
    return 0;
}

static enum standing stage_find(struct stage *stage, const char *app)
{
    const struct session_record *session = NULL;
    int error = 0;
    enum standing standing =
        standing_find(&stage->standings, &stage->id, slice_from(app), &session, &error);

    if (standing == STANDING_CURRENT || standing == STANDING_OLD)
        assert_true(slice_is(session->user, "alice@example.com"));
    if (standing == STANDING_UNKNOWN)
        assert_true(error < 0);
    return standing;
}

static enum auth_reason stage_review(struct stage *stage, const char *app, const char *says)
{
    const char *description = NULL;
    struct session_record session;
    enum auth_reason reason =
        standing_review(&stage->standings, &stage->id, slice_from(app), &session, &description);

    if (says != NULL)
        assert_string_equal(description, says);
    else
        assert_null(description);
    return reason;
}

static void current(void **state)
{
    struct stage *stage = *state;

    assert_int_equal(STANDING_CURRENT, stage_find(stage, "red"));
    assert_int_equal(STANDING_CURRENT, stage_find(stage, "red"));
    assert_int_equal(AUTH_OK, stage_review(stage, "red", NULL));
}

static void another_app_or_time(void **state)
{
    struct stage *stage = *state;

    assert_int_equal(STANDING_NONE, stage_find(stage, "blue"));
    assert_int_equal(AUTH_EXPIRED, stage_review(stage, "blue", "the session is over"));
    assert_int_equal(STANDING_CURRENT, stage_find(stage, "red"));
    stage->session.expires = clock_wall_seconds();
    stage_put(stage);
    assert_int_equal(STANDING_NONE, stage_find(stage, "red"));
}

static void deleted(void **state)
{
    struct stage *stage = *state;

    assert_int_equal(STANDING_CURRENT, stage_find(stage, "red"));
    assert_int_equal(0, store_write_begin(stage->fixture.sessions));
    assert_int_equal(0, session_store_delete(stage->fixture.sessions, &stage->id));
    assert_int_equal(0, store_commit(stage->fixture.sessions));
    fixture_turn(&stage->fixture);
    assert_int_equal(STANDING_NONE, stage_find(stage, "red"));
    assert_int_equal(AUTH_EXPIRED, stage_review(stage, "red", "the session is over"));
}

static enum standing stage_publish_audience(struct stage *stage, const char *audience)
{
    publish_begin(&stage->fixture);
    publish_audience(&stage->fixture, "red", audience);
    publish_end(&stage->fixture);
    fixture_turn(&stage->fixture);
    return stage_find(stage, "red");
}

static void another_revision_audience_or_binding(void **state)
{
    struct auth_config_record config = config_of("red", "https://red.test");
    struct stage *stage = *state;
    struct fixture *fixture = &stage->fixture;

    assert_int_equal(STANDING_CURRENT, stage_find(stage, "red"));
    assert_int_equal(STANDING_OLD, stage_publish_audience(stage, "other-gate"));
    assert_int_equal(STANDING_CURRENT, stage_publish_audience(stage, "gate"));
    config.revision = 2;
    publish_begin(fixture);
    publish_config(fixture, &config);
    publish_end(fixture);
    fixture_turn(fixture);
    assert_int_equal(STANDING_OLD, stage_find(stage, "red"));
    publish_begin(fixture);
    publish_unbinding(fixture, "red", "https://red.test");
    publish_end(fixture);
    fixture_turn(fixture);
    assert_int_equal(STANDING_OLD, stage_find(stage, "red"));
}

static void shut_out(void **state)
{
    struct revocation_record revocation = {.made = 1, .uid = -1, .lock = slice_from("ban")};
    struct stage *stage = *state;
    struct fixture *fixture = &stage->fixture;

    assert_int_equal(STANDING_CURRENT, stage_find(stage, "red"));
    revocation.target.values[REVOCATION_APP] = slice_from("red");
    publish_revocation(fixture, &revocation);
    fixture_turn(fixture);
    assert_int_equal(STANDING_LOCKED, stage_find(stage, "red"));
    assert_int_equal(AUTH_REVOKED, stage_review(stage, "red", "access is locked"));
    revocation = (struct revocation_record){.made = 1};
    revocation.target.values[REVOCATION_SESSION] = slice_from(stage->id.text);
    publish_revocation(fixture, &revocation);
    fixture_turn(fixture);
    assert_int_equal(STANDING_REVOKED, stage_find(stage, "red"));
    assert_int_equal(AUTH_REVOKED, stage_review(stage, "red", "the token was revoked"));
}

/* Not a refusal: nobody knows. */
static void a_store_that_was_turned_back(void **state)
{
    struct stage *stage = *state;
    int error = 0;

    stage->fixture.public.generation += 10;
    store_turn_end(stage->fixture.config);
    store_turn_begin(stage->fixture.config);
    catalog_turn(stage->fixture.catalog, &error);
    assert_int_equal(STANDING_UNKNOWN, stage_find(stage, "red"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, stage_open, stage_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(current),  TEST(another_app_or_time),
        TEST(deleted),  TEST(another_revision_audience_or_binding),
        TEST(shut_out), TEST(a_store_that_was_turned_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
