/* Which URLs of a web app's answers are its own, and what its clients are told instead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/location.h"

#include <stdio.h>

static struct app_endpoint endpoint(const char *host, uint16_t port, bool tls)
{
    return (struct app_endpoint){.host = slice_from(host), .port = port, .tls = tls};
}

static void rebases(const struct app_endpoint *own, const char *value, const char *expected)
{
    struct location location;
    char text[256];

    if (!location_rebase(slice_from(value), own, &location)) {
        assert_null(expected);
        return;
    }
    snprintf(text, sizeof(text), "%s%.*s", location.first, (int)location.rest.size,
             location.rest.data);
    assert_non_null(expected);
    assert_string_equal(text, expected);
}

static void test_own_origin(void **state)
{
    struct app_endpoint plain = endpoint("wiki.internal", 8080, false);

    (void)state;
    rebases(&plain, "http://wiki.internal:8080/a/b?c=d#e", "/a/b?c=d#e");
    rebases(&plain, "HTTP://WIKI.internal:8080/", "/");
    rebases(&plain, "http://wiki.internal:8080", "/");
    rebases(&plain, "http://wiki.internal:8080?q=http://other/", "/?q=http://other/");
    rebases(&plain, "http://wiki.internal:8080#top", "/#top");
    rebases(&plain, "http://wiki.internal:008080/a", "/a");
}

static void test_other_origins(void **state)
{
    static const char *const values[] = {
        "",
        "/",
        "/a",
        "a",
        "?q",
        "//wiki.internal:8080/a",
        "http:",
        "http://",
        "http://wiki",
        "https://wiki.internal:8080/a", /* another scheme is another origin */
        "http://wiki.internal/a",       /* so is another port */
        "http://wiki.internal:80/a",
        "http://wiki.internal:/a",
        "http://wiki.internal:80800/a",
        "http://wiki.internal:8080.example/a", /* the host goes on */
        "http://wiki.internal:8080@example/a", /* or was none */
        "http://wiki.internal.example:8080/a",
        "http://me@wiki.internal:8080/a",
        "http://wiki.internal:8080\\@example/", /* no URL */
        "http://wiki.internal:18446744073709559696/",
    };
    struct app_endpoint plain = endpoint("wiki.internal", 8080, false);
    struct app_endpoint nameless = endpoint("", 80, false);

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        rebases(&plain, values[i], NULL);
    rebases(&nameless, "http:///a", NULL);
}

static void test_usual_ports(void **state)
{
    struct app_endpoint plain = endpoint("wiki", 80, false);
    struct app_endpoint tls = endpoint("wiki", 443, true);
    struct app_endpoint ipv6 = endpoint("fd00::1", 443, true);

    (void)state;
    rebases(&plain, "http://wiki/a", "/a");
    rebases(&plain, "http://wiki:80/a", "/a");
    rebases(&plain, "http://wiki:/a", "/a");
    rebases(&plain, "https://wiki/a", NULL);
    rebases(&tls, "https://wiki/a", "/a");
    rebases(&tls, "https://wiki:443/a", "/a");
    rebases(&tls, "https://wiki:444/a", NULL);
    rebases(&ipv6, "https://[FD00::1]/a", "/a");
    rebases(&ipv6, "https://[fd00::1]:443", "/");
    rebases(&ipv6, "https://fd00::1/a", NULL);
    rebases(&ipv6, "https://[fd00::1/a", NULL);
}

/* Made relative, "http://wiki//example.com" would send the client to example.com. */
static void test_no_path_becomes_a_host(void **state)
{
    struct app_endpoint plain = endpoint("wiki", 80, false);

    (void)state;
    rebases(&plain, "http://wiki//example.com/a", "/.//example.com/a");
    rebases(&plain, "http://wiki/\\example.com/a", "/./\\example.com/a");
    rebases(&plain, "http://wiki/\t/example.com/a", NULL);
    rebases(&plain, "http://wiki/\x7f/example.com/a", NULL);
    rebases(&plain, "http://wiki/ /example.com/a", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_origin),
        cmocka_unit_test(test_other_origins),
        cmocka_unit_test(test_usual_ports),
        cmocka_unit_test(test_no_path_becomes_a_host),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
