#include "tests/unit/conf/documents.h"

static void read_headers(const char *headers)
{
    char text[1024];

    snprintf(text, sizeof(text),
             "kind: app\nversion: v1\nmetadata: {name: a}\n"
             "spec: {uri: 'mcp+http://a', rewrite: {headers: [%s]}}\n",
             headers);
    read_documents(text);
}

static void test_both_shapes(void **state)
{
    const struct app_record *app;

    (void)state;
    read_headers("'Authorization: Bearer x', 'X-Empty-Start:\tv ', {name: Host, value: 'a:80'}");
    app = &documents.documents[0].app.record;
    assert_int_equal(app->header_count, 3);
    expect_slice(app->headers[0].name, "Authorization");
    expect_slice(app->headers[0].value, "Bearer x");
    expect_slice(app->headers[1].value, "v");
    expect_slice(app->headers[2].value, "a:80");
    finish("");
}

static void refused(const char *header, const char *text)
{
    read_headers(header);
    assert_int_equal(documents.documents[0].state, DOCUMENT_REFUSED);
    assert_int_equal(documents.documents[0].app.record.header_count, 0);
    finish_mention(text);
}

static void test_refused(void **state)
{
    (void)state;
    refused("'no colon'", "spec.rewrite.headers[0]: must be \"Name: value\"");
    refused("'A B: c'", "spec.rewrite.headers[0]: \"A B\" is not a header's name");
    refused("': c'", "\"\" is not a header's name");
    refused("'A : c'", "\"A \" is not a header's name");
    refused("\"A: b\\nC: d\"", "a header's value is one line");
    refused("\"A: b\\rC: d\"", "a control character is not allowed");
    refused("'A: '", "a header's value has 1 to 4096 characters");
    refused("'A: {{internal.jwt}}'", "templates ({{...}}) are not supported");
    refused("{name: A}", "spec.rewrite.headers[0].value: is required");
    refused("{name: A, valeu: b, value: c}", "did you mean \"value\"?");
    refused("[a]", "spec.rewrite.headers[0]: must be a mapping, found a list");
}

static void test_reserved(void **state)
{
    static const char *const names[] = {
        "Connection",      "content-length", "Transfer-Encoding",       "TE",
        "Upgrade",         "Expect",         "X-Forwarded-For",         "x-forwarded-proto",
        "Proxy-Authorize", "Forwarded",      "Gatehouse-Jwt-Assertion", "Mcp-Session-Id"};
    char header[64];

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(header, sizeof(header), "'%s: x'", names[i]);
        refused(header, "is set by Gatehouse alone");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_shapes),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_reserved),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
