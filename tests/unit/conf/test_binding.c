#include "publisher_fixture.h"

static void test_only_touched_pairs_are_matched(void **state)
{
    struct fixture *fixture = *state;
    const char *apps = APP("one", "a") APP("two", "a") APP("three", "b");
    struct auth_config_record config;
    uint64_t before;

    assert_int_equal(apply(fixture, apps,
                           CONFIG("x", "a", "https://x", "1", STATIC_A)
                               CONFIG("y", "b", "https://y", "1", STATIC_A)),
                     1);
    assert_int_equal(counted(fixture, COUNT_LABEL_MATCHES), 6);
    before = revision(fixture, "x");
    assert_int_equal(apply(fixture, apps,
                           CONFIG("x", "a", "https://x", "2", STATIC_A)
                               CONFIG("y", "b", "https://y", "1", STATIC_A)),
                     1);
    /* What it binds now, and what it bound before: against three apps each. */
    assert_int_equal(counted(fixture, COUNT_LABEL_MATCHES), 12);
    assert_true(look_config(fixture, "x", &config));
    assert_int_not_equal(config.revision, before);
    assert_true(slice_is(config.audiences[0], "2"));
    assert_string_equal(bound(fixture, "two", "https://x"), "x");
    assert_string_equal(bound(fixture, "three", "https://x"), "");
    assert_string_equal(bound(fixture, "three", "https://y"), "y");
}

/* Many configs are looked up by label; wildcards, several labels and values as label.h has them. */
static void test_many_configs_match_as_one_would(void **state)
{
    static const struct {
        const char *labels;
        const char *bound[3]; /* whether to one (env a, tier x), two (env b), three (env a) */
    } cases[] = {
        {"{env: a}", {"y", "", "y"}},         {"{env: [a, a, b]}", {"y", "y", "y"}},
        {"{env: '*'}", {"y", "y", "y"}},      {"{'*': '*'}", {"y", "y", "y"}},
        {"{env: a, tier: x}", {"y", "", ""}}, {"{env: b, tier: x}", {"", "", ""}},
        {"{tier: '*'}", {"y", "", ""}},       {"{none: a}", {"", "", ""}},
    };
    static const char *const names[] = {"one", "two", "three"};
    enum { CASES = sizeof(cases) / sizeof(cases[0]), ROUNDS = 3 };
    struct fixture *fixture = *state;
    struct buffer configs = {0};

    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < CASES; i++)
            assert_int_equal(
                buffer_append_format(&configs,
                                     "---\nversion: v1\nkind: app_auth_config\nmetadata: {name: "
                                     "c%d-%d}\nspec:\n  app_labels: %s\n  jwt: {issuer: i%d-%d, "
                                     "audience: a, static_jwks: '{\"keys\":[" KEY_A "]}'}\n",
                                     round, i, cases[i].labels, round, i),
                0);
    assert_int_equal(buffer_append(&configs, "", 1), 0);
    apply(fixture,
          "version: v1\nkind: app\nmetadata: {name: one, labels: {env: a, tier: x}}\n"
          "spec: {uri: 'mcp+http://localhost:1'}\n" APP("two", "b") APP("three", "a"),
          buffer_data(&configs));
    for (int i = 0; i < CASES; i++) {
        char issuer[16];

        snprintf(issuer, sizeof(issuer), "i%d-%d", ROUNDS - 1, i);
        for (int app = 0; app < 3; app++)
            assert_int_equal(bound(fixture, names[app], issuer)[0] == 'c',
                             cases[i].bound[app][0] == 'y');
    }
    /* All go: so does every binding. */
    apply(fixture,
          "version: v1\nkind: app\nmetadata: {name: one, labels: {env: a, tier: x}}\n"
          "spec: {uri: 'mcp+http://localhost:1'}\n" APP("two", "b") APP("three", "a"),
          NULL);
    assert_string_equal(bound(fixture, "one", "i0-0"), "");
    assert_string_equal(bound(fixture, "two", "i2-3"), "");
    buffer_free(&configs);
}

static void test_labels_that_go_take_the_binding(void **state)
{
    struct fixture *fixture = *state;
    const char *config = CONFIG("idp", "a", "https://i", "x", STATIC_A);

    apply(fixture, APP("one", "a"), config);
    assert_string_equal(bound(fixture, "one", "https://i"), "idp");
    apply(fixture, APP("one", "b"), config);
    assert_string_equal(bound(fixture, "one", "https://i"), "");
    apply(fixture, APP("one", "b"), CONFIG("idp", "b", "https://j", "x", STATIC_A));
    assert_string_equal(bound(fixture, "one", "https://j"), "idp");
    apply(fixture, APP("one", "b"), NULL);
    assert_string_equal(bound(fixture, "one", "https://j"), "");
    assert_false(look_key(fixture, "idp", "a"));
    assert_string_equal(refusal(fixture, DOCUMENT_AUTH_CONFIG, "idp"), "none");
}

static void test_clash_refuses_the_change(void **state)
{
    struct fixture *fixture = *state;
    const char *apps = APP("one", "a");
    const char *x = CONFIG("x", "a", "https://i", "1", STATIC_A);
    struct auth_config_record config;

    apply(fixture, apps, x);
    apply(fixture, apps,
          CONFIG("x", "a", "https://i", "1", STATIC_A)
              CONFIG("y", "a", "https://i", "2", STATIC_B));
    assert_string_equal(bound(fixture, "one", "https://i"), "x");
    assert_false(look_config(fixture, "y", &config));
    assert_string_equal(refusal(fixture, DOCUMENT_AUTH_CONFIG, "x"), "");
    assert_non_null(strstr(refusal(fixture, DOCUMENT_AUTH_CONFIG, "y"), "\"x\" at /r/2.yaml:2:1"));
    /* Once the other is gone, it is bound without having been touched. */
    apply(fixture, apps, CONFIG("y", "a", "https://i", "2", STATIC_B));
    assert_string_equal(bound(fixture, "one", "https://i"), "y");
}

static void test_clash_without_an_earlier_state_binds_neither(void **state)
{
    struct fixture *fixture = *state;
    struct app_record app;

    apply(fixture, APP("one", "a"),
          CONFIG("x", "a", "https://i", "1", STATIC_A)
              CONFIG("y", "a", "https://i", "2", STATIC_B));
    assert_true(look_app(fixture, "one", &app));
    assert_string_equal(bound(fixture, "one", "https://i"), "");
    assert_non_null(strstr(refusal(fixture, DOCUMENT_AUTH_CONFIG, "x"), "\"y\""));
    assert_non_null(strstr(refusal(fixture, DOCUMENT_AUTH_CONFIG, "y"), "\"x\""));
}

static void test_clash_by_an_app(void **state)
{
    struct fixture *fixture = *state;
    const char *configs =
        CONFIG("x", "a", "https://i", "1", STATIC_A) CONFIG("y", "'*'", "https://i", "2", STATIC_B);
    const char *both =
        CONFIG("x", "a", "https://i", "1", STATIC_A) CONFIG("y", "b", "https://i", "2", STATIC_B);
    struct app_record app;

    apply(fixture, APP("one", "b"), both);
    assert_string_equal(bound(fixture, "one", "https://i"), "y");
    /* y would take every env, which x already has nowhere: allowed. */
    apply(fixture, APP("one", "b"), configs);
    assert_string_equal(bound(fixture, "one", "https://i"), "y");
    apply(fixture, APP("one", "a"), configs);
    assert_non_null(strstr(refusal(fixture, DOCUMENT_APP, "one"), "\"x\""));
    assert_true(look_app(fixture, "one", &app));
    assert_string_equal(bound(fixture, "one", "https://i"), "y");
}

static void test_issuers_may_be_swapped(void **state)
{
    struct fixture *fixture = *state;

    apply(fixture, APP("one", "a"),
          CONFIG("x", "a", "https://i", "1", STATIC_A)
              CONFIG("y", "a", "https://j", "2", STATIC_B));
    apply(fixture, APP("one", "a"),
          CONFIG("x", "a", "https://j", "1", STATIC_A)
              CONFIG("y", "a", "https://i", "2", STATIC_B));
    assert_string_equal(bound(fixture, "one", "https://j"), "x");
    assert_string_equal(bound(fixture, "one", "https://i"), "y");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_only_touched_pairs_are_matched),
        TEST(test_many_configs_match_as_one_would),
        TEST(test_labels_that_go_take_the_binding),
        TEST(test_clash_refuses_the_change),
        TEST(test_clash_without_an_earlier_state_binds_neither),
        TEST(test_clash_by_an_app),
        TEST(test_issuers_may_be_swapped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
