#include "tests/unit/conf/documents.h"

#include "shared/jose_algorithm.h"

#define HEAD                                                                                   \
    "version: v1\nkind: app_auth_config\nmetadata: {name: c}\nspec:\n  app_labels: {a: b}\n  " \
    "jwt:\n"
#define URL "    jwks_url: https://i/jwks\n"
#define MINIMAL HEAD "    issuer: i\n    audience: a\n" URL

/* RFC 7515, appendix A.3.1. */
#define EC_KEY                                               \
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"good\","    \
    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"," \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"

static const struct auth_config_document *config(void)
{
    return &documents.documents[0].auth_config;
}

/* As it stands in the proposal, word for word. */
static void test_proposal(void **state)
{
    (void)state;
    read_documents("version: v1\n"
                   "kind: app_auth_config\n"
                   "metadata:\n"
                   "  name: example\n"
                   "spec:\n"
                   "  app_labels:\n"
                   "  - name: teleport.internal/app-sub-kind\n"
                   "    values: [mcp]\n"
                   "  jwt:\n"
                   "    issuer: cluster-name\n"
                   "    audience: 127.0.0.1:64703\n"
                   "    jwks_url: https://issuer/.well-known/jwks.json\n");
    assert_int_equal(documents.count, 1);
    assert_int_equal(documents.documents[0].state, DOCUMENT_GOOD);
    assert_int_equal(documents.documents[0].kind, DOCUMENT_AUTH_CONFIG);
    expect_slice(documents.documents[0].name, "example");
    expect_slice(config()->record.issuer, "cluster-name");
    assert_int_equal(config()->audience_count, 1);
    expect_slice(config()->audiences[0], "127.0.0.1:64703");
    expect_slice(config()->jwks_url, "https://issuer/.well-known/jwks.json");
    expect_slice(config()->selectors[0].name, "teleport.internal/app-sub-kind");
    finish("");
}

static void test_defaults(void **state)
{
    const struct auth_config_record *record;

    (void)state;
    read_documents(MINIMAL);
    record = &config()->record;
    expect_slice(record->name, "c");
    expect_slice(record->username_claim, "email");
    assert_int_equal(record->algorithms, JOSE_ALL);
    assert_int_equal(record->clock_skew, 60);
    assert_int_equal(record->max_token_age, 1800);
    assert_int_equal(record->max_session_ttl, 0);
    assert_false(record->allow_unverified_email);
    assert_false(record->keys_static);
    assert_int_equal(record->required_claim_count, 0);
    assert_int_equal(record->required_scope_count, 0);
    finish("");
}

static void test_everything(void **state)
{
    const struct auth_config_record *record;

    (void)state;
    read_documents(HEAD "    issuer: https://idp.example.com/\n"
                        "    audience: ['{{app.resource}}', 'x-{{app.resource}}', y]\n"
                        "    username_claim: sub\n    allow_unverified_email: true\n"
                        "    algorithms: [ES256, EdDSA]\n    clock_skew: 0\n"
                        "    max_token_age: 1h\n    max_session_ttl: 8h\n"
                        "    required_claims: {hd: example.com, n: 5}\n"
                        "    required_scopes: [mcp, tools:call]\n"
                        "    jwks_url: http://idp.example.com/jwks\n    insecure: true\n");
    record = &config()->record;
    assert_int_equal(config()->audience_count, 3);
    expect_slice(config()->audiences[1], "x-{{app.resource}}");
    expect_slice(record->username_claim, "sub");
    assert_true(record->allow_unverified_email && config()->jwks_insecure);
    assert_int_equal(record->algorithms, (1 << JOSE_ES256) | (1 << JOSE_EDDSA));
    assert_int_equal(record->clock_skew, 0);
    assert_int_equal(record->max_token_age, 3600);
    assert_int_equal(record->max_session_ttl, 28800);
    assert_int_equal(record->required_claim_count, 2);
    expect_slice(record->required_claims[0].name, "hd");
    expect_slice(record->required_claims[1].value, "5");
    assert_int_equal(record->required_scope_count, 2);
    expect_slice(record->required_scopes[1], "tools:call");
    finish("");
}

static void refused(const char *jwt, const char *text)
{
    char all[2048];

    snprintf(all, sizeof(all), HEAD "%s", jwt);
    read_documents(all);
    assert_int_equal(documents.documents[0].state, DOCUMENT_REFUSED);
    expect_slice(documents.documents[0].name, "c");
    finish_mention(text);
}

static void test_required(void **state)
{
    (void)state;
    read_documents("version: v1\nkind: app_auth_config\nmetadata: {}\nspec: {}\n");
    finish("/r/f.yaml:3:11: metadata.name: is required\n"
           "/r/f.yaml:4:7: spec.app_labels: is required; without a label the config is not "
           "effective\n"
           "/r/f.yaml:4:7: spec.jwt: is required\n");
    refused("    audience: a\n" URL, "spec.jwt.issuer: is required");
    refused("    issuer: ''\n    audience: a\n" URL, "spec.jwt.issuer: must not be empty");
    refused("    issuer: i\n" URL, "spec.jwt.audience: is required");
    refused("    issuer: i\n    audience: []\n" URL, "spec.jwt.audience: must have 1 to 16");
    refused("    issuer: i\n    audience: ['']\n" URL, "spec.jwt.audience[0]: must not be empty");
    refused("    issuer: i\n    audience: a\n",
            "spec.jwt: spec.jwt.jwks_url or spec.jwt.static_jwks must be provided");
}

/* Who publishes metadata needs no URL of keys. */
static void test_an_issuer_that_can_be_asked(void **state)
{
    static const char must[] =
        "spec.jwt: spec.jwt.jwks_url or spec.jwt.static_jwks must be provided";

    (void)state;
    read_documents(HEAD "    issuer: https://idp.example.com/tenant\n    audience: a\n");
    assert_int_equal(config()->jwks_url.size, 0);
    finish("");
    read_documents(HEAD "    issuer: http://127.0.0.1:9/\n    audience: a\n");
    finish("");
    read_documents(HEAD "    issuer: http://idp.test\n    audience: a\n    insecure: true\n");
    finish("");
    refused("    issuer: http://idp.test\n    audience: a\n", must);
    refused("    issuer: https://idp.test/?tenant=1\n    audience: a\n", must);
    refused("    issuer: mcp+https://idp.test\n    audience: a\n", must);
}

#define WITH(line) "    issuer: i\n    audience: a\n" URL "    " line "\n"

static void test_refused_values(void **state)
{
    (void)state;
    refused(WITH("isuer: i"), "f.yaml:10:5: spec.jwt.isuer: unknown key; did you mean \"issuer\"?");
    refused(WITH("algorithms: [HS256]"),
            "spec.jwt.algorithms[0]: this algorithm is not supported; one of RS256");
    refused(WITH("algorithms: none"), "spec.jwt.algorithms: this algorithm is not supported");
    refused(WITH("clock_skew: 6m"), "spec.jwt.clock_skew: must be from 0 to 5m, found 6m");
    refused(WITH("clock_skew: 1500ms"), "spec.jwt.clock_skew: must be whole seconds");
    refused(WITH("max_token_age: 0"), "spec.jwt.max_token_age: must be from 1s");
    refused(WITH("required_scopes: ['a b']"), "spec.jwt.required_scopes[0]: a scope has no spaces");
    refused(WITH("required_claims: {a: [b]}"), "spec.jwt.required_claims.a: must be a text");
    refused(WITH("authorization_header: X"),
            "spec.jwt.authorization_header: is not supported by this release; the token is read");
    refused("    issuer: i i\n    audience: a\n" URL, "spec.jwt.issuer: must not hold spaces");
    refused("    issuer: i\n    audience: 'a b'\n" URL, "spec.jwt.audience: must not hold spaces");
    refused("    issuer: i\n    audience: '{{app.name}}'\n" URL,
            "spec.jwt.audience: the only template is {{app.resource}}");
    refused("    issuer: i\n    audience: '{{app.resource}}{{app.resource}}'\n" URL,
            "spec.jwt.audience: {{app.resource}} may stand once only");
}

static void test_document_keys(void **state)
{
    (void)state;
    read_documents(
        "version: v2\nkind: app_auth_config\nsub_kind: jwt\n"
        "metadata: {name: 'a/b', expires: 2027-01-01T00:00:00Z}\n"
        "spec: {app_labels: {a: b}, jwt: {issuer: i, audience: a, jwks_url: 'https://i'}}"
        "\n");
    finish("/r/f.yaml:1:10: version: must be v1, found the text \"v2\"; app auth config only "
           "supports version \"v1\"\n"
           "/r/f.yaml:4:18: metadata.name: must be letters, digits, '.', '_' and '-', at most "
           "128\n"
           "/r/f.yaml:4:34: metadata.expires: is not supported by this release; delete the "
           "document when its time has come\n");
}

static void test_jwks_url(void **state)
{
    (void)state;
#define AT(url) "    issuer: i\n    audience: a\n    jwks_url: " url "\n"
    read_documents(HEAD AT("http://127.0.0.1:9/jwks"));
    finish("");
    read_documents(HEAD AT("http://localhost/jwks"));
    finish("");
    refused(AT("http://idp.example.com/jwks"),
            "spec.jwt.jwks_url: plain http is only for a loopback host; spec.jwt.insecure: true");
    refused(AT("mcp+https://idp.example.com/jwks"), "spec.jwt.jwks_url: the scheme must be https");
    refused(AT("file:///etc/passwd"), "spec.jwt.jwks_url: the scheme must be");
    refused(AT("https://u:p@idp/jwks"), "spec.jwt.jwks_url: a user name or password");
    refused(AT("https://idp/jwks\n    static_jwks: '{}'"),
            "spec.jwt.static_jwks: stands beside spec.jwt.jwks_url; keep one of the two");
}

static void test_static_keys(void **state)
{
#define STATIC(keys) \
    "    issuer: i\n    audience: a\n    static_jwks: |\n      {\"keys\":[" keys "]}\n"
    (void)state;
    read_documents(HEAD STATIC(EC_KEY));
    assert_true(config()->record.keys_static);
    assert_int_equal(config()->jwks_url.size, 0);
    finish("");
    read_documents(HEAD STATIC("{\"kty\":\"oct\",\"kid\":\"bad\",\"k\":\"AAAA\"}," EC_KEY));
    assert_int_equal(documents.documents[0].state, DOCUMENT_GOOD);
    expect_mention(&diagnostics,
                   "f.yaml:9:18: warning: spec.jwt.static_jwks: key 1 (kid \"bad\") is skipped: ");
    diagnostics_free(&diagnostics);
    document_list_free(&documents);
    /* Found by another step, and yet counted as it stands in the set. */
    read_documents(HEAD STATIC("{\"kty\":\"oct\",\"k\":\"AAAA\"}," EC_KEY
                               ",{\"kty\":\"RSA\",\"kid\":\"small\",\"n\":\"gQ\",\"e\":\"AQAB\"}"));
    expect_mention(&diagnostics, "key 3 (kid \"small\") is skipped: ");
    diagnostics_free(&diagnostics);
    document_list_free(&documents);
    refused(STATIC(""), "spec.jwt.static_jwks: holds no usable key");
    refused(STATIC("{\"kty\":\"oct\",\"k\":\"AAAA\"}"),
            "spec.jwt.static_jwks: holds no usable key");
    refused("    issuer: i\n    audience: a\n    static_jwks: 'no json'\n",
            "a JSON Web Key Set is {\"keys\": [...]}");
    refused("    issuer: i\n    audience: a\n    static_jwks: {keys: []}\n",
            "spec.jwt.static_jwks: must be a text, found a mapping");
}

static void test_claims_to_roles(void **state)
{
    (void)state;
    read_documents(MINIMAL "    claims_to_roles: [{claim: groups, value: dev, roles: [access]}]\n");
    assert_int_equal(documents.documents[0].state, DOCUMENT_GOOD);
    assert_true(slice_is(documents.documents[0].auth_config.record.role_mappings,
                         "1 claim=6:groups value=3:dev role=6:access"));
    finish("");
    refused(WITH("claims_to_roles: []"),
            "spec.jwt.claims_to_roles: is empty: it would give nobody a role");
    refused(WITH("claims_to_roles: [{claim: groups, value: ^dev$, roles: [a]}]"),
            "a regular expression is not supported here");
    refused(WITH("claims_to_roles: [{claim: groups, value: dev, roles: [\"a b\"]}]"),
            "spec.jwt.claims_to_roles[0].roles");
    refused(WITH("claims_to_roles: [{claim: groups, roles: []}]"),
            "spec.jwt.claims_to_roles[0].value: is required");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_proposal),       cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_everything),     cmocka_unit_test(test_required),
        cmocka_unit_test(test_refused_values), cmocka_unit_test(test_document_keys),
        cmocka_unit_test(test_jwks_url),       cmocka_unit_test(test_an_issuer_that_can_be_asked),
        cmocka_unit_test(test_static_keys),    cmocka_unit_test(test_claims_to_roles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
