#include "tests/unit/conf/documents.h"

static void read_app(const char *labels)
{
    char text[1024];

    snprintf(text, sizeof(text),
             "kind: app\nversion: v1\nmetadata: {name: a, labels: %s}\n"
             "spec: {uri: http://a, public_addr: a.example}\n",
             labels);
    read_documents(text);
}

static void read_config(const char *labels)
{
    char text[1024];

    snprintf(text, sizeof(text),
             "kind: app_auth_config\nversion: v1\nmetadata: {name: a}\nspec:\n"
             "  jwt: {issuer: i, audience: a, jwks_url: 'https://i'}\n  app_labels: %s\n",
             labels);
    read_documents(text);
}

static void test_labels(void **state)
{
    const struct app_record *app;

    (void)state;
    read_app("{env: prod, a.b/c_d:e-f: 'any text, even *'}");
    app = &documents.documents[0].app.record;
    assert_int_equal(app->label_count, 2);
    expect_slice(app->labels[0].name, "env");
    expect_slice(app->labels[0].value, "prod");
    expect_slice(app->labels[1].value, "any text, even *");
    finish("");
}

static void test_refused_labels(void **state)
{
    (void)state;
    read_app("{teleport.internal/app-sub-kind: mcp}");
    finish("/r/f.yaml:3:62: metadata.labels.teleport.internal/app-sub-kind: labels that begin "
           "teleport.internal/ or gatehouse/ are set by Gatehouse; use a name of your own\n");
    read_app("{gatehouse/x: y}");
    finish_mention("metadata.labels.gatehouse/x: labels that begin");
    read_app("{'a b': c}");
    finish_mention("metadata.labels.a b: a label's name has letters");
    read_app("{'*': '*'}");
    finish_mention("a label's name has letters");
    read_app("{a: true}");
    finish_mention("metadata.labels.a: must be a text, found the boolean true; put quotes");
}

static const struct auth_config_document *config(void)
{
    return &documents.documents[0].auth_config;
}

static void test_selector_list(void **state)
{
    (void)state;
    read_config("[{name: env, values: [prod, staging]}, {name: team, values: a}]");
    assert_int_equal(config()->selector_count, 2);
    expect_slice(config()->selectors[0].name, "env");
    assert_int_equal(config()->selectors[0].value_count, 2);
    expect_slice(config()->selectors[0].values[1], "staging");
    expect_slice(config()->selectors[1].values[0], "a");
    finish("");
}

static void test_selector_map(void **state)
{
    (void)state;
    read_config("{env: [prod, staging], team: a, size: '*'}");
    assert_int_equal(config()->selector_count, 3);
    assert_int_equal(config()->selectors[0].value_count, 2);
    expect_slice(config()->selectors[0].values[0], "prod");
    expect_slice(config()->selectors[1].name, "team");
    expect_slice(config()->selectors[1].values[0], "a");
    expect_slice(config()->selectors[2].values[0], "*");
    finish("");
}

static void test_any_app(void **state)
{
    (void)state;
    read_config("{'*': '*'}");
    assert_true(label_matches(config()->selectors, config()->selector_count, NULL, 0));
    finish("");
    read_config("[{name: '*', values: ['*']}]");
    assert_true(label_matches(config()->selectors, config()->selector_count, NULL, 0));
    finish("");
}

static void refused(const char *labels, const char *text)
{
    read_config(labels);
    assert_int_equal(documents.documents[0].state, DOCUMENT_REFUSED);
    finish_mention(text);
}

static void test_refused_selectors(void **state)
{
    (void)state;
    refused("[]", "f.yaml:6:15: spec.app_labels: must hold at least one label, otherwise no app");
    refused("{}", "spec.app_labels: must hold at least one label");
    refused("env", "spec.app_labels: must be a list of {name, values}, or a mapping");
    refused("[{name: '*', values: [mcp]}]", "the name \"*\" goes with the value \"*\" only");
    refused("[{name: '*', values: ['*', a]}]", "the name \"*\" goes with the value \"*\" only");
    refused("{'*': a}", "spec.app_labels.*: the name \"*\" goes with the value \"*\" only");
    refused("[{values: [a]}]", "spec.app_labels[0].name: is required");
    refused("[{name: a}]", "spec.app_labels[0].values: is required");
    refused("[{name: a, values: []}]", "spec.app_labels[0].values: must have 1 to 64 entries");
    refused("[{name: a, value: [b]}]", "spec.app_labels[0].value: unknown key; did you mean "
                                       "\"values\"?");
    refused("[{name: a, values: [prod-*]}]",
            "spec.app_labels[0].values[0]: only \"*\" alone is a wildcard");
    refused("{a: '^x.*$'}", "spec.app_labels.a.values: only \"*\" alone is a wildcard");
    refused("{a: '^x$'}", "expressions are not supported in labels");
    refused("{a: ['']}", "spec.app_labels.a.values[0]: must not be empty");
    refused("{a: {b: c}}", "spec.app_labels.a.values: must be a text or a list of texts");
    refused("[a]", "spec.app_labels[0]: must be a mapping, found the text \"a\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels),        cmocka_unit_test(test_refused_labels),
        cmocka_unit_test(test_selector_list), cmocka_unit_test(test_selector_map),
        cmocka_unit_test(test_any_app),       cmocka_unit_test(test_refused_selectors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
