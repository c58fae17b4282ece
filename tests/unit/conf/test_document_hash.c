#include "conf/document_hash.h"

#include "tests/unit/conf/documents.h"

#define APP_HEAD "kind: app\nversion: v1\nmetadata: {name: a}\n"
#define CONFIG_HEAD                                                                             \
    "kind: app_auth_config\nversion: v1\nmetadata: {name: a}\nspec:\n  app_labels: [{name: l, " \
    "values: [a, b]}]\n  jwt:\n    issuer: i\n"

/* Whether two texts mean the same. */
static bool alike(const char *first, const char *second)
{
    bool same;

    read_documents(first);
    read_more(second, "/r/f.yaml");
    assert_int_equal(documents.count, 2);
    assert_int_equal(documents.documents[0].hash.size, 64);
    assert_int_equal(documents.documents[1].hash.size, 64);
    same = slice_equal(documents.documents[0].hash, documents.documents[1].hash);
    finish("");
    return same;
}

static void test_same_meaning(void **state)
{
    (void)state;
    assert_true(
        alike(APP_HEAD "spec: {uri: 'mcp+http://a/'}\n",
              "# moved\nmetadata:\n  name: 'a'\nversion: v3\nspec:\n  uri: mcp+http://a:80\n"
              "kind: app\n"));
    assert_true(alike(CONFIG_HEAD "    audience: x\n    jwks_url: https://i\n",
                      CONFIG_HEAD "    audience: [x]\n    jwks_url: https://i\n"
                                  "    clock_skew: 1m\n    username_claim: email\n"));
}

static void test_apps_that_differ(void **state)
{
    static const char *const specs[] = {
        "{uri: 'mcp+https://a'}",
        "{uri: 'mcp+http://a:81'}",
        "{uri: 'mcp+http://a/b'}",
        "{uri: 'mcp+http://a', public_addr: a.example}",
        "{uri: 'mcp+http://a', ca: x.pem}",
        "{uri: 'mcp+http://a', insecure_skip_verify: true}",
        "{uri: 'mcp+http://a', rewrite: {headers: ['A: b']}}",
        "{uri: 'mcp+http://a', mcp: {allowed_methods: [vendor/own]}}",
    };
    char text[512];

    (void)state;
    for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
        snprintf(text, sizeof(text), APP_HEAD "spec: %s\n", specs[i]);
        if (alike(APP_HEAD "spec: {uri: 'mcp+http://a'}\n", text))
            fail_msg("means the same: %s", specs[i]);
    }
}

static void test_configs_that_differ(void **state)
{
    static const char *const rest[] = {
        "    audience: y\n    jwks_url: https://i\n",
        "    audience: [x, y]\n    jwks_url: https://i\n",
        "    audience: x\n    jwks_url: https://j\n",
        "    audience: x\n    jwks_url: https://i\n    insecure: true\n",
        "    audience: x\n    jwks_url: https://i\n    algorithms: RS256\n",
        "    audience: x\n    jwks_url: https://i\n    required_scopes: a\n",
        "    audience: x\n    jwks_url: https://i\n    max_session_ttl: 1h\n",
        "    audience: x\n    jwks_url: https://i\n  app_labels: {l: a}\n",
    };
    char text[512];

    (void)state;
    for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++) {
        bool labels = strstr(rest[i], "app_labels") != NULL;

        snprintf(text, sizeof(text), "%s%s",
                 labels ? "kind: app_auth_config\nversion: v1\nmetadata: {name: a}\nspec:\n  jwt:\n"
                          "    issuer: i\n"
                        : CONFIG_HEAD,
                 rest[i]);
        if (alike(CONFIG_HEAD "    audience: x\n    jwks_url: https://i\n", text))
            fail_msg("means the same: %s", rest[i]);
    }
}

/* Bounds between the parts of a list count. */
static void test_no_two_encode_alike(void **state)
{
    struct slice one[] = {{"a", 1}, {"b", 1}};
    struct slice two[] = {{"a", 1}};
    struct label_selector selectors[] = {{{"n", 1}, one, 2}, {{"m", 1}, two, 1}};
    struct document first = {.kind = DOCUMENT_AUTH_CONFIG,
                             .auth_config = {.selectors = selectors, .selector_count = 2}};
    struct document second = first;
    struct arena arena = {0};

    (void)state;
    document_hash(&first, &arena);
    selectors[0].value_count = 1;
    document_hash(&second, &arena);
    assert_false(slice_equal(first.hash, second.hash));
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_meaning),
        cmocka_unit_test(test_apps_that_differ),
        cmocka_unit_test(test_configs_that_differ),
        cmocka_unit_test(test_no_two_encode_alike),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
