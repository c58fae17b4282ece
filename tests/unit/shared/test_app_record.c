#include "shared/app_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/shared/record_cuts.h"

static struct app_record example(void)
{
    return (struct app_record){
        .name = slice_from("weather"),
        .birth = 1795410065582,
        .description = slice_from("Says = what: 3 the weather is"),
        .public_addr = slice_from("weather.example.com"),
        .transport = APP_MCP_HTTP,
        .insecure_skip_verify = true,
        .ca_pem = slice_from("-----BEGIN CERTIFICATE-----\n"),
        .endpoints = {{.host = slice_from("a.example.com"),
                       .port = 443,
                       .tls = true,
                       .path = slice_from("/mcp"),
                       .addresses = {slice_from("192.0.2.1"), slice_from("2001:db8::1")},
                       .address_count = 2},
                      {.host = slice_from("localhost"), .port = 65535, .path = slice_from("/")}},
        .endpoint_count = 2,
        .headers = {{slice_from("X-A"), slice_from("1")}, {slice_from("X-B"), slice_make(NULL, 0)}},
        .header_count = 2,
        .labels = {{slice_from("env"), slice_from("prod")}},
        .label_count = 1,
        .methods = {slice_from("vendor/own"), slice_from("notifications/vendor")},
        .method_count = 2,
    };
}

static void test_round_trip(void **state)
{
    struct app_record app = example(), decoded;
    struct buffer out = {0};

    (void)state;
    app.reinitialize = true;
    assert_int_equal(app_record_encode(&app, &out), 0);
    assert_int_equal(app_record_decode(buffer_slice(&out), &decoded), 0);
    assert_true(slice_is(decoded.name, "weather"));
    assert_int_equal(decoded.birth, app.birth);
    assert_true(slice_equal(decoded.description, app.description));
    assert_true(slice_equal(decoded.public_addr, app.public_addr));
    assert_int_equal(decoded.transport, APP_MCP_HTTP);
    assert_true(decoded.insecure_skip_verify);
    assert_true(slice_equal(decoded.ca_pem, app.ca_pem));
    assert_int_equal(decoded.endpoint_count, 2);
    assert_true(slice_is(decoded.endpoints[0].addresses[1], "2001:db8::1"));
    assert_int_equal(decoded.endpoints[0].address_count, 2);
    assert_true(decoded.endpoints[0].tls);
    assert_true(slice_is(decoded.endpoints[1].host, "localhost"));
    assert_int_equal(decoded.endpoints[1].port, 65535);
    assert_int_equal(decoded.endpoints[1].address_count, 0);
    assert_false(decoded.endpoints[1].tls);
    assert_true(slice_is(decoded.endpoints[1].path, "/"));
    assert_int_equal(decoded.header_count, 2);
    assert_true(slice_is(decoded.headers[0].name, "X-A"));
    assert_int_equal(decoded.headers[1].value.size, 0);
    assert_int_equal(decoded.label_count, 1);
    assert_true(slice_is(decoded.labels[0].value, "prod"));
    assert_int_equal(decoded.method_count, 2);
    assert_true(slice_is(decoded.methods[1], "notifications/vendor"));
    assert_true(decoded.reinitialize);
    buffer_free(&out);
}

static void test_a_stdio_app_has_a_revision(void **state)
{
    struct app_record app = example(), decoded;
    struct buffer out = {0};

    (void)state;
    app.transport = APP_MCP_STDIO;
    app.endpoint_count = 0;
    app.revision = slice_from("0123abcd");
    assert_int_equal(app_record_encode(&app, &out), 0);
    assert_int_equal(app_record_decode(buffer_slice(&out), &decoded), 0);
    assert_int_equal(decoded.transport, APP_MCP_STDIO);
    assert_true(slice_is(decoded.revision, "0123abcd"));
    assert_int_equal(decoded.endpoint_count, 0);
    buffer_free(&out);
}

static void test_full_lists(void **state)
{
    static struct app_record app, decoded;
    struct buffer out = {0};

    (void)state;
    app = (struct app_record){.transport = APP_HTTP,
                              .endpoint_count = APP_ENDPOINTS_MAX,
                              .header_count = APP_HEADERS_MAX,
                              .label_count = LABELS_MAX,
                              .method_count = APP_METHODS_MAX};
    for (size_t i = 0; i < APP_ENDPOINTS_MAX; i++)
        app.endpoints[i].address_count = APP_ADDRESSES_MAX;
    assert_int_equal(app_record_encode(&app, &out), 0);
    assert_int_equal(app_record_decode(buffer_slice(&out), &decoded), 0);
    assert_int_equal(decoded.endpoint_count, APP_ENDPOINTS_MAX);
    assert_int_equal(decoded.endpoints[APP_ENDPOINTS_MAX - 1].address_count, APP_ADDRESSES_MAX);
    assert_int_equal(decoded.header_count, APP_HEADERS_MAX);
    assert_int_equal(decoded.label_count, LABELS_MAX);
    assert_int_equal(decoded.method_count, APP_METHODS_MAX);
    buffer_free(&out);
}

static int decode(struct slice bytes)
{
    static struct app_record app;

    return app_record_decode(bytes, &app);
}

/* A text with `count` repeats of a group of fields in its place. */
static int decode_repeated(const char *before, const char *group, size_t count, const char *after)
{
    struct buffer out = {0};
    int status;

    assert_int_equal(buffer_append_text(&out, before), 0);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(buffer_append_text(&out, group), 0);
    assert_int_equal(buffer_append_text(&out, after), 0);
    status = decode(buffer_slice(&out));
    buffer_free(&out);
    return status;
}

static void test_more_than_fits_is_refused(void **state)
{
    static const char head[] = "1 name=1:a description=0: public_addr=0: transport=1:1 "
                               "insecure_skip_verify=1:0";
    static const char tail[] = " ca_pem=0:";
    static const struct {
        const char *group;
        size_t max;
    } lists[] = {
        {" host=1:h port=1:1 tls=1:0 path=1:/", APP_ENDPOINTS_MAX},
        {" header=1:n value=1:v", APP_HEADERS_MAX},
        {" label=1:n value=1:v", LABELS_MAX},
        {" method=1:m", APP_METHODS_MAX},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        assert_int_equal(decode_repeated(head, lists[i].group, lists[i].max, tail), 0);
        assert_int_equal(decode_repeated(head, lists[i].group, lists[i].max + 1, tail), -EBADMSG);
    }
    assert_int_equal(decode_repeated("1 name=1:a description=0: public_addr=0: transport=1:1 "
                                     "insecure_skip_verify=1:0 host=1:h port=1:1 tls=1:0 path=1:/",
                                     " address=1:1", APP_ADDRESSES_MAX + 1, tail),
                     -EBADMSG);
}

static void test_values_out_of_range(void **state)
{
    static const char *const wrong[] = {
        "1 name=1:a description=0: public_addr=0: transport=1:0 insecure_skip_verify=1:0 ca_pem=0:",
        "1 name=1:a description=0: public_addr=0: transport=1:6 insecure_skip_verify=1:0 ca_pem=0:",
        "1 name=1:a description=0: public_addr=0: transport=1:1 insecure_skip_verify=1:2 ca_pem=0:",
        ("1 name=1:a description=0: public_addr=0: transport=1:1 insecure_skip_verify=1:0 host=1:h "
         "port=5:65536 tls=1:0 path=1:/ ca_pem=0:"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(decode(slice_from(wrong[i])), -EBADMSG);
}

static void test_cuts(void **state)
{
    struct app_record app = example();
    struct buffer out = {0};

    (void)state;
    assert_int_equal(app_record_encode(&app, &out), 0);
    expect_cuts_refused(buffer_slice(&out), decode);
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_a_stdio_app_has_a_revision),
        cmocka_unit_test(test_full_lists),
        cmocka_unit_test(test_more_than_fits_is_refused),
        cmocka_unit_test(test_values_out_of_range),
        cmocka_unit_test(test_cuts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
