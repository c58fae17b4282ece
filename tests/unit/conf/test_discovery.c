#include "conf/discovery.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void expect_url(const char *issuer, enum discovery_form form, const char *expected)
{
    struct buffer url = {0};

    assert_int_equal(discovery_url(slice_from(issuer), form, &url), 0);
    assert_true(slice_is(buffer_slice(&url), expected));
    buffer_free(&url);
}

/* The examples of OpenID Connect Discovery 1.0, 4.1 and RFC 8414, 3.1. */
static void test_places(void **state)
{
    (void)state;
    expect_url("https://example.com", DISCOVERY_OPENID,
               "https://example.com/.well-known/openid-configuration");
    expect_url("https://example.com/", DISCOVERY_OPENID,
               "https://example.com/.well-known/openid-configuration");
    expect_url("https://example.com/issuer1", DISCOVERY_OPENID,
               "https://example.com/issuer1/.well-known/openid-configuration");
    expect_url("https://example.com", DISCOVERY_OAUTH,
               "https://example.com/.well-known/oauth-authorization-server");
    expect_url("https://example.com/issuer1", DISCOVERY_OAUTH,
               "https://example.com/.well-known/oauth-authorization-server/issuer1");
    expect_url("https://[2001:db8::1]:8443/a/b/", DISCOVERY_OAUTH,
               "https://[2001:db8::1]:8443/.well-known/oauth-authorization-server/a/b");
}

static void test_who_can_be_asked(void **state)
{
    (void)state;
    assert_null(discovery_refused(slice_from("https://idp.example.com/a"), false));
    assert_null(discovery_refused(slice_from("http://127.0.0.1:80/a"), false));
    assert_null(discovery_refused(slice_from("http://idp.example.com"), true));
    assert_non_null(discovery_refused(slice_from("http://idp.example.com"), false));
    assert_non_null(discovery_refused(slice_from("https://idp.example.com/?a"), false));
    assert_non_null(discovery_refused(slice_from("https://idp.example.com?"), false));
    assert_non_null(discovery_refused(slice_from("cluster-name"), true));
    assert_non_null(discovery_refused(slice_from("ftp://127.0.0.1"), true));
    assert_non_null(discovery_refused(slice_from(""), true));
}

/* NULL when it was read; *found as expected then. */
static const char *reading(const char *issuer, const char *text, const char *expected,
                           bool other_host)
{
    struct discovery found;
    const char *reason = NULL;
    int status = discovery_read(slice_from(text), slice_from(issuer), &found, &reason);

    if (status == 0) {
        assert_true(slice_is(found.jwks_uri, expected));
        assert_int_equal(found.other_host, other_host);
        reason = NULL;
    } else {
        assert_int_equal(status, -EINVAL);
        assert_non_null(reason);
    }
    discovery_free(&found);
    return reason;
}

#define I "https://idp.example.com"
#define METADATA(issuer, jwks_uri) \
    "{\"issuer\":\"" issuer "\",\"a\":[1],\"jwks_uri\":\"" jwks_uri "\"}"

static void test_documents(void **state)
{
    (void)state;
    assert_null(reading(I, METADATA(I, I "/keys"), I "/keys", false));
    assert_null(reading(I, METADATA(I, "https://keys.example.net/k?v=1"),
                        "https://keys.example.net/k?v=1", true));
    assert_null(reading(I, METADATA(I, "https:\\/\\/IDP.example.com\\/keys"),
                        "https://IDP.example.com/keys", false));
    assert_null(reading("http://127.0.0.1:8",
                        METADATA("http://127.0.0.1:8", "http://127.0.0.1:9/k"),
                        "http://127.0.0.1:9/k", false));
}

static void test_refused_documents(void **state)
{
    static const char *const issuer_differs = "its issuer is not the config's, byte for byte";
    static const char *const not_https = "its jwks_uri is not https";

    (void)state;
    assert_string_equal(reading(I, METADATA(I "/", I "/keys"), "", false), issuer_differs);
    assert_string_equal(reading(I, METADATA("HTTPS://idp.example.com", I "/keys"), "", false),
                        issuer_differs);
    assert_string_equal(reading(I, "{\"jwks_uri\":\"" I "/keys\"}", "", false), issuer_differs);
    assert_string_equal(reading(I, METADATA(I, "http://idp.example.com/keys"), "", false),
                        not_https);
    assert_string_equal(reading(I, METADATA(I, "http://127.0.0.1/keys"), "", false), not_https);
    assert_string_equal(reading("http://127.0.0.1:8",
                                METADATA("http://127.0.0.1:8", "http://192.0.2.1/k"), "", false),
                        not_https);
    assert_string_equal(reading(I, METADATA(I, "file:///etc/passwd"), "", false),
                        "its jwks_uri is no URL");
    assert_string_equal(reading(I, "{\"issuer\":\"" I "\",\"jwks_uri\":7}", "", false),
                        "it names no jwks_uri");
    assert_string_equal(reading(I, "{\"issuer\":\"" I "\"}", "", false), "it names no jwks_uri");
    assert_non_null(
        reading(I, "{\"issuer\":\"" I "\",\"issuer\":\"x\",\"jwks_uri\":\"" I "\"}", "", false));
    assert_non_null(reading(I, "[]", "", false));
    assert_non_null(reading(I, "<html>", "", false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_who_can_be_asked),
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_refused_documents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
