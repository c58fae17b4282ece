#include "worker/bridge_reference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct bridge_origin base = {.tls = true,
                                          .host = {.data = "a.example", .size = 9},
                                          .port = 443,
                                          .path = {.data = "/x/sse?k=1/2", .size = 12}};

static void resolves(const char *text, const char *expected)
{
    struct buffer out = {0};
    const char *reason = "";

    if (bridge_reference_resolve(&base, slice_from(text), &out, &reason) != 0)
        fail_msg("%s: %s", text, reason);
    if (!slice_is(buffer_slice(&out), expected))
        fail_msg("%s: %.*s", text, (int)buffer_size(&out), buffer_data(&out));
    buffer_free(&out);
}

static void refused(const char *text)
{
    struct buffer out = {0};
    const char *reason = NULL;

    if (bridge_reference_resolve(&base, slice_from(text), &out, &reason) == 0)
        fail_msg("%s was taken", text);
    assert_non_null(reason);
    assert_int_equal(buffer_size(&out), 0);
}

static void test_same_origin(void **state)
{
    (void)state;
    resolves("/message?sessionId=1", "/message?sessionId=1");
    resolves("message?sessionId=1", "/x/message?sessionId=1");
    resolves("?sessionId=1", "/x/sse?sessionId=1");
    resolves("m?u=http://b", "/x/m?u=http://b");
    resolves("https://a.example/m?s=1", "/m?s=1");
    resolves("HTTPS://A.EXAMPLE:443/m", "/m");
    resolves("https://a.example", "/");
}

static void test_others(void **state)
{
    (void)state;
    refused("");
    refused("http://a.example/m");
    refused("https://a.example:8443/m");
    refused("https://b.example/m");
    refused("https://a.example@b.example/m");
    refused("https://a.example.b.example/m");
    refused("//b.example/m");
    refused("/m#f");
    refused("/m\r\nHost: b");
    refused("/a b");
    refused("/\\b.example");
    refused("javascript:x");
    refused("/\xc3\xa4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_origin),
                                       cmocka_unit_test(test_others)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
