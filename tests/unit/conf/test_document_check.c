#include "tests/unit/conf/documents.h"

#define APP(name, rest)                                                                \
    "---\nkind: app\nversion: v1\nmetadata: {name: " name ", labels: {l: " name "}}\n" \
    "spec: {uri: 'mcp+http://a'" rest "}\n"
#define CONFIG(name, label, issuer, audience)                                          \
    "---\nkind: app_auth_config\nversion: v1\nmetadata: {name: " name "}\n"            \
    "spec: {app_labels: {l: " label "}, jwt: {issuer: " issuer ", audience: " audience \
    ", jwks_url: 'https://i'}}\n"
#define RESOURCE "'{{app.resource}}'"

static void check_text(const char *text)
{
    read_documents(text);
    assert_int_equal(diagnostics.count, 0);
    documents_check_together(&documents, slice_from("https://gate.example.com"), &diagnostics);
}

static void states(enum document_state first, enum document_state second)
{
    assert_int_equal(documents.documents[0].state, first);
    assert_int_equal(documents.documents[1].state, second);
}

static void test_good(void **state)
{
    (void)state;
    check_text(APP("a", "") APP("b", ", public_addr: b.example.com") CONFIG("a", "a", "i", "x")
                   CONFIG("b", "b", "i", "y") CONFIG("c", "a", "j", "x"));
    finish("");
    documents_check_together(&documents, slice_from("https://gate.example.com"), &diagnostics);
    finish("");
}

static void test_same_name(void **state)
{
    (void)state;
    check_text(APP("a", "") APP("a", "") CONFIG("a", "x", "i", "x"));
    states(DOCUMENT_REFUSED, DOCUMENT_REFUSED);
    assert_int_equal(documents.documents[2].state, DOCUMENT_GOOD);
    finish("/r/f.yaml:7:1: name: \"a\" is taken already at /r/f.yaml:2:1; documents of one app "
           "agree in all but their endpoints\n");
}

static void test_same_name_in_two_files(void **state)
{
    (void)state;
    read_documents(APP("a", ""));
    read_more(APP("b", "") APP("a", ""), "/r/g.yaml");
    documents_check_names(&documents, slice_from("https://gate.example.com"), &diagnostics);
    states(DOCUMENT_REFUSED, DOCUMENT_GOOD);
    assert_int_equal(documents.documents[2].state, DOCUMENT_REFUSED);
    finish("/r/g.yaml:7:1: name: \"a\" is taken already at /r/f.yaml:2:1; documents of one app "
           "agree in all but their endpoints\n");
}

static void test_parts_of_one_app(void **state)
{
    (void)state;
    check_text(APP("a", "") "---\nkind: app\nversion: v1\nmetadata: {name: a, labels: {l: a}}\n"
                            "spec: {endpoints: ['mcp+http://b', 'mcp+http://c']}\n");
    states(DOCUMENT_GOOD, DOCUMENT_MERGED);
    assert_int_equal(documents.documents[0].app.record.endpoint_count, 3);
    assert_int_equal(documents.documents[0].app.record.health.probe, APP_PROBE_TCP);
    finish("");
    check_text(APP("a", "") "---\nkind: app\nversion: v1\nmetadata: {name: a, labels: {l: b}}\n"
                            "spec: {uri: 'mcp+http://b'}\n");
    states(DOCUMENT_REFUSED, DOCUMENT_REFUSED);
    finish_mention("documents of one app agree in all but their endpoints");
}

/* Even when they say the same. */
static void test_stdio_is_no_part(void **state)
{
    (void)state;
    check_text("---\nkind: app\nversion: v1\nmetadata: {name: a}\nspec: {mcp: {command: /x}}\n"
               "---\nkind: app\nversion: v1\nmetadata: {name: a}\nspec: {mcp: {command: /x}}\n");
    states(DOCUMENT_REFUSED, DOCUMENT_REFUSED);
    finish_mention("name: \"a\" is taken already");
}

static void test_same_host(void **state)
{
    (void)state;
    check_text(APP("a", ", public_addr: x.example.com") APP("b", ", public_addr: X.example.com"));
    states(DOCUMENT_REFUSED, DOCUMENT_REFUSED);
    finish("/r/f.yaml:7:1: public_addr: \"x.example.com\" is taken already at /r/f.yaml:2:1; give "
           "each app a host name of its own\n");
    check_text(APP("a", ", public_addr: Gate.example.com") APP("b", ""));
    states(DOCUMENT_REFUSED, DOCUMENT_GOOD);
    finish("/r/f.yaml:2:1: public_addr: is the gate's own host; give the app a host name of its "
           "own\n");
}

static void test_issuer_clash(void **state)
{
    (void)state;
    check_text(APP("a", "") APP("b", "") CONFIG("one", "a", "i", RESOURCE)
                   CONFIG("two", "'*'", "i", RESOURCE) CONFIG("other", "a", "j", RESOURCE));
    for (size_t i = 0; i < documents.count; i++)
        assert_int_equal(documents.documents[i].state, DOCUMENT_GOOD);
    finish(
        "/r/f.yaml:17:1: spec.jwt.issuer: \"two\" and \"one\" at /r/f.yaml:12:1 have one issuer, "
        "i, and both choose the app \"a\"; choose labels that keep them apart, or make them one "
        "config\n");
}

static void test_clash_needs_an_app(void **state)
{
    (void)state;
    check_text(CONFIG("one", "a", "i", RESOURCE) CONFIG("two", "a", "i", RESOURCE));
    finish("");
}

static void test_literal_audience(void **state)
{
    (void)state;
    check_text(APP("a", "") APP("b", "") CONFIG("c", "'*'", "i", "x"));
    assert_int_equal(diagnostics.errors, 0);
    finish("/r/f.yaml:12:1: warning: spec.jwt.audience: a token for \"x\" opens more than one app: "
           "\"a\" and \"b\"; {{app.resource}} makes tokens good for one app\n");
    check_text(APP("a", "") APP("b", "") CONFIG("c", "'*'", "i", RESOURCE));
    finish("");
    /* One audience of one issuer in two configs, each with its own app, is the same. */
    check_text(APP("a", "") APP("b", "") CONFIG("c", "a", "i", "x") CONFIG("d", "b", "i", "x"));
    finish("/r/f.yaml:17:1: warning: spec.jwt.audience: a token for \"x\" opens more than one app: "
           "\"a\" and \"b\"; {{app.resource}} makes tokens good for one app\n");
}

static void test_empty_list(void **state)
{
    (void)state;
    check_text("");
    finish("");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_same_name),
        cmocka_unit_test(test_same_name_in_two_files),
        cmocka_unit_test(test_parts_of_one_app),
        cmocka_unit_test(test_stdio_is_no_part),
        cmocka_unit_test(test_same_host),
        cmocka_unit_test(test_issuer_clash),
        cmocka_unit_test(test_clash_needs_an_app),
        cmocka_unit_test(test_literal_audience),
        cmocka_unit_test(test_empty_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
