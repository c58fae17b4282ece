#include "conf/document.h"

#include "tests/unit/conf/expect.h"

static struct settings settings;
static struct document_list apps;
static struct diagnostics diagnostics;
static bool good;

/* `rest` begins with the value of gate.listen. */
static void read_listen(const char *rest)
{
    static char text[8192];

    snprintf(
        text, sizeof(text),
        "version: v1\nkind: gatehouse\ngate:\n  public_addr: https://g.example\n  listen: %s\n",
        rest);
    apps = (struct document_list){0};
    diagnostics = (struct diagnostics){0};
    good = settings_document_read(slice_from(text), slice_from("/g"), false, &settings, &apps,
                                  &diagnostics);
}

static void finish(const char *text)
{
    assert_int_equal(good, text[0] == '\0');
    expect_diagnostics(&diagnostics, text);
    document_list_free(&apps);
}

static void test_listeners(void **state)
{
    (void)state;
    read_listen("\n  - {address: '[::]:443', tls: {certificates: [{certificate: a, key: b},"
                " {certificate: c, key: d}]}}\n  - {address: 127.0.0.2:80}\n"
                "  - {address: 0.0.0.0:8080, insecure: true}\n"
                "  - {address: 0.0.0.0:444, tls: {certificates: [{certificate: e, key: f}]}}\n"
                "  - {address: localhost:81}\n  admin_listen: '[::1]:9090'");
    assert_int_equal(settings.listener_count, 6);
    assert_int_equal(settings.certificate_count, 3);
    assert_true(settings.listeners[0].tls);
    assert_int_equal(settings.listeners[0].certificate_count, 2);
    assert_false(settings.listeners[1].tls);
    assert_int_equal(settings.listeners[3].first_certificate, 2);
    assert_int_equal(settings.listeners[3].certificate_count, 1);
    expect_slice(settings.certificates[2].key, "/f");
    expect_slice(settings.listeners[4].address, "127.0.0.1:81");
    assert_true(settings.listeners[5].admin && !settings.listeners[4].admin);
    finish("");
}

static void test_plain_http_needs_loopback(void **state)
{
    (void)state;
    read_listen("[{address: 0.0.0.0:80}]");
    finish("/g:5:22: gate.listen[0].address: plain HTTP is only for a loopback address; add tls, "
           "or insecure: true when something before it ends TLS\n");
    read_listen("[{address: '[::]:80', insecure: false}]");
    finish("/g:5:22: gate.listen[0].address: plain HTTP is only for a loopback address; add tls, "
           "or insecure: true when something before it ends TLS\n");
}

static void test_addresses(void **state)
{
    (void)state;
    read_listen("[{address: gate:80}, {address: 127.0.0.1:0}, {address: 80}]");
    finish("/g:5:22: gate.listen[0].address: must be an IP address and a port from 1 to 65535, "
           "found \"gate:80\"; names are not resolved here; such as 0.0.0.0:443 or [::]:443\n"
           "/g:5:42: gate.listen[1].address: must be an IP address and a port from 1 to 65535, "
           "found \"127.0.0.1:0\"; names are not resolved here; such as 0.0.0.0:443 or [::]:443\n"
           "/g:5:66: gate.listen[2].address: must be an IP address and a port from 1 to 65535, "
           "found \"80\"; names are not resolved here; such as 0.0.0.0:443 or [::]:443\n");
}

static void test_twice(void **state)
{
    (void)state;
    read_listen("[{address: 127.0.0.1:80}, {address: localhost:80}]\n  admin_listen: 127.0.0.1:80");
    finish("/g:5:47: gate.listen[1].address: 127.0.0.1:80 is listened on twice; give each listener "
           "an address of its own\n"
           "/g:6:17: gate.admin_listen: 127.0.0.1:80 is listened on twice; give each listener an "
           "address of its own\n");
}

static void test_certificates(void **state)
{
    (void)state;
    read_listen(
        "[{address: 127.0.0.1:1, tls: {certificates: [{certificate: a}]}}, "
        "{address: 127.0.0.1:2, tls: {certificates: []}}, {address: 127.0.0.1:3, tls: {}}]");
    finish("/g:5:56: gate.listen[0].tls.certificates[0].key: is required\n"
           "/g:5:120: gate.listen[1].tls.certificates: must have 1 to 32 entries, has 0; such as "
           "certificates: [{certificate: gate.crt, key: gate.key}]\n"
           "/g:5:154: gate.listen[2].tls.certificates: is required; such as certificates: "
           "[{certificate: gate.crt, key: gate.key}]\n");
}

static void test_too_many(void **state)
{
    char text[4096];
    size_t size = (size_t)sprintf(text, "[{address: 127.0.0.1:1, tls: {certificates: [");

    (void)state;
    for (int i = 0; i < 20; i++)
        size += (size_t)sprintf(text + size, "{certificate: a, key: b},");
    size += (size_t)sprintf(text + size, "]}}, {address: 127.0.0.1:2, tls: {certificates: [");
    for (int i = 0; i < 13; i++)
        size += (size_t)sprintf(text + size, "{certificate: a, key: b},");
    sprintf(text + size, "]}}]");
    read_listen(text);
    expect_mention(&diagnostics, "gate.listen[1].tls.certificates[12]: there are more than 32");
    diagnostics_free(&diagnostics);
    document_list_free(&apps);
    size = (size_t)sprintf(text, "[");
    for (int i = 1; i <= 16; i++)
        size += (size_t)sprintf(text + size, "{address: 127.0.0.1:%d},", i);
    sprintf(text + size, "]");
    read_listen(text);
    expect_mention(&diagnostics, "gate.listen: must have 1 to 15 entries, has 16");
    diagnostics_free(&diagnostics);
    document_list_free(&apps);
}

static void test_admin_in_public_is_a_warning(void **state)
{
    (void)state;
    read_listen("[{address: 127.0.0.1:1}]\n  admin_listen: 0.0.0.0:9090");
    assert_true(good);
    expect_diagnostics(&diagnostics,
                       "/g:6:17: warning: gate.admin_listen: metrics and health are shown to "
                       "whoever reaches this address; keep strangers away from it\n");
    document_list_free(&apps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listeners),
        cmocka_unit_test(test_plain_http_needs_loopback),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_twice),
        cmocka_unit_test(test_certificates),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_admin_in_public_is_a_warning),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
