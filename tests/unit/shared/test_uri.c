#include "shared/uri.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct uri parsed(const char *text)
{
    const char *reason;
    struct uri uri;

    if (uri_parse(slice_from(text), &uri, &reason) != 0)
        fail_msg("%s: %s", text, reason);
    assert_null(reason);
    return uri;
}

static void test_parts(void **state)
{
    struct uri uri = parsed("https://idp.example.com:8443/a/b%20c?x=1/2?");

    (void)state;
    assert_true(slice_is(uri.scheme, "https") && slice_is(uri.host, "idp.example.com"));
    assert_true(slice_is(uri.path, "/a/b%20c") && slice_is(uri.query, "x=1/2?"));
    assert_true(uri.tls && uri.port_given && !uri.host_is_ip);
    assert_int_equal(uri.port, 8443);
}

static void test_default_ports(void **state)
{
    (void)state;
    assert_int_equal(parsed("http://a").port, 80);
    assert_int_equal(parsed("https://a").port, 443);
    assert_int_equal(parsed("mcp+http://a").port, 80);
    assert_int_equal(parsed("MCP+HTTPS://a").port, 443);
    assert_true(parsed("mcp+https://a").tls);
    assert_false(parsed("mcp+http://a").tls);
    assert_false(parsed("http://a").port_given);
    assert_int_equal(parsed("http://a?q").path.size, 0);
    assert_true(slice_is(parsed("http://a?q").query, "q"));
}

static void test_hosts(void **state)
{
    struct uri six = parsed("http://[::1]:3001/mcp");

    (void)state;
    assert_true(slice_is(six.host, "::1") && six.host_is_ip);
    assert_int_equal(six.port, 3001);
    assert_true(parsed("http://10.0.0.1/").host_is_ip);
    assert_false(parsed("http://10.0.0.1.example/").host_is_ip);
    assert_false(parsed("http://my_host-2/").host_is_ip);
}

static void test_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "http",
        "http:",
        "http:/a",
        "//a",
        "://a",
        "http://",
        "http:///a",
        "http://:80",
        "ftp://a",
        "httpx://a",
        "+http",
        "1http://a",
        "ht\tp://a",
        "tcp://a:1",
        "http://u@a/",
        "http://u:p@a/",
        "http://a:0",
        "http://a:65536",
        "http://a:",
        "http://a:8x",
        "http://a:-1",
        "http://a:000080",
        "http://a b/",
        "http://a/b c",
        "http://a/%zz",
        "http://a/%2",
        "http://a/#f",
        "http://a\\b",
        "http://a/\\",
        "http://a/\"",
        "http://a/<",
        "http://[::1",
        "http://[::1]x",
        "http://[1.2.3.4]",
        "http://[fe80::1%25eth0]",
        "http://[]",
        "http://::1/",
        "http://a..b",
        "http://.a",
        "http://a.",
        "http://-a",
        "http://a-",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://1.2.3.4.5/",
        "http://a.0x1/",
        "http://256.1.1.1/",
        "http://\xc3\xa9/",
        "http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const char *reason = NULL;
        struct uri uri;

        if (uri_parse(slice_from(wrong[i]), &uri, &reason) == 0)
            fail_msg("accepted: %s", wrong[i]);
        assert_non_null(reason);
    }
}

static void test_nul_and_length(void **state)
{
    static char text[URI_MAX + 2];
    const char *reason;
    struct uri uri;

    (void)state;
    assert_int_not_equal(uri_parse(slice_make("http://a\0b/", 11), &uri, &reason), 0);
    assert_int_not_equal(uri_parse(slice_make("h\0ttp://a/", 10), &uri, &reason), 0);
    assert_int_not_equal(uri_parse(slice_make("http://a/\0", 10), &uri, &reason), 0);
    memset(text, 'a', sizeof(text));
    memcpy(text, "http://a/", 9);
    assert_int_equal(uri_parse(slice_make(text, URI_MAX), &uri, &reason), 0);
    assert_int_not_equal(uri_parse(slice_make(text, URI_MAX + 1), &uri, &reason), 0);
}

static bool loopback(const char *text)
{
    struct uri uri = parsed(text);

    return uri_is_loopback(&uri);
}

static void test_loopback(void **state)
{
    (void)state;
    assert_true(loopback("http://localhost"));
    assert_true(loopback("http://LocalHost:80/"));
    assert_true(loopback("http://127.0.0.1"));
    assert_true(loopback("http://127.255.255.254"));
    assert_true(loopback("http://[::1]"));
    assert_true(loopback("http://[0:0:0:0:0:0:0:1]"));
    assert_false(loopback("http://128.0.0.1"));
    assert_false(loopback("http://[::2]"));
    assert_false(loopback("http://localhost.example.com"));
    assert_false(loopback("http://127.0.0.1.example.com"));
}

static void test_names(void **state)
{
    (void)state;
    assert_true(uri_is_dns_label(slice_from("mcp-everything")));
    assert_true(uri_is_dns_label(slice_from("3")));
    assert_false(uri_is_dns_label(slice_from("Mcp")));
    assert_false(uri_is_dns_label(slice_from("a_b")));
    assert_false(uri_is_dns_label(slice_from("a.b")));
    assert_false(uri_is_dns_label(slice_from("a/b")));
    assert_false(uri_is_dns_label(slice_from("-a")));
    assert_false(uri_is_dns_label(slice_from("")));
    assert_false(uri_is_dns_label(slice_make("a\0b", 3)));
    assert_true(uri_is_dns_name(slice_from("A.example.com")));
    assert_false(uri_is_dns_name(slice_from("127.0.0.1")));
    assert_false(uri_is_dns_name(slice_from("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),          cmocka_unit_test(test_default_ports),
        cmocka_unit_test(test_hosts),          cmocka_unit_test(test_refused),
        cmocka_unit_test(test_nul_and_length), cmocka_unit_test(test_loopback),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
