#include "shared/auth_config_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/shared/record_cuts.h"

static struct auth_config_record example(void)
{
    return (struct auth_config_record){
        .name = slice_from("corp"),
        .revision = UINT64_MAX,
        .issuer = slice_from("https://idp.example.com"),
        .audiences = {slice_from("gate"), slice_from("https://gate.example.com/mcp/apps/{{app}}")},
        .audience_count = 2,
        .username_claim = slice_from("email"),
        .algorithms = UINT32_MAX,
        .clock_skew = 300,
        .max_token_age = 1800,
        .max_session_ttl = 3600,
        .allow_unverified_email = true,
        .required_claims = {{slice_from("groups"), slice_from("dev")}},
        .required_claim_count = 1,
        .required_scopes = {slice_from("mcp"), slice_from("mcp:tools")},
        .required_scope_count = 2,
        .keys_usable = true,
        .last_fetch_ok = true,
        .keys_fetched = 1790000000,
        .next_refresh = 1790000060,
    };
}

static void test_round_trip(void **state)
{
    struct auth_config_record config = example(), decoded;
    struct buffer out = {0};

    (void)state;
    assert_int_equal(auth_config_record_encode(&config, &out), 0);
    assert_int_equal(auth_config_record_decode(buffer_slice(&out), &decoded), 0);
    assert_true(slice_is(decoded.name, "corp"));
    assert_true(decoded.revision == UINT64_MAX);
    assert_true(slice_equal(decoded.issuer, config.issuer));
    assert_int_equal(decoded.audience_count, 2);
    assert_true(slice_is(decoded.audiences[1], "https://gate.example.com/mcp/apps/{{app}}"));
    assert_true(slice_is(decoded.username_claim, "email"));
    assert_true(decoded.algorithms == UINT32_MAX);
    assert_int_equal(decoded.clock_skew, 300);
    assert_int_equal(decoded.max_token_age, 1800);
    assert_int_equal(decoded.max_session_ttl, 3600);
    assert_true(decoded.allow_unverified_email);
    assert_int_equal(decoded.required_claim_count, 1);
    assert_true(slice_is(decoded.required_claims[0].name, "groups"));
    assert_true(slice_is(decoded.required_claims[0].value, "dev"));
    assert_int_equal(decoded.required_scope_count, 2);
    assert_true(slice_is(decoded.required_scopes[1], "mcp:tools"));
    assert_false(decoded.keys_static);
    assert_true(decoded.keys_usable);
    assert_true(decoded.last_fetch_ok);
    assert_int_equal(decoded.keys_fetched, 1790000000);
    assert_int_equal(decoded.next_refresh, 1790000060);
    buffer_free(&out);
}

static int decode_config(struct slice bytes)
{
    struct auth_config_record config;

    return auth_config_record_decode(bytes, &config);
}

static int decode_binding(struct slice bytes)
{
    struct binding_record binding;

    return binding_record_decode(bytes, &binding);
}

static void expect_refused(struct auth_config_record config)
{
    struct buffer out = {0};

    assert_int_equal(auth_config_record_encode(&config, &out), 0);
    assert_int_equal(decode_config(buffer_slice(&out)), -EBADMSG);
    buffer_free(&out);
}

static void test_values_out_of_range(void **state)
{
    struct auth_config_record config = example();

    (void)state;
    config.revision = 0;
    expect_refused(config);
    config = example();
    config.audience_count = 0;
    expect_refused(config);
    config = example();
    config.clock_skew = 301;
    expect_refused(config);
    config.clock_skew = -1;
    expect_refused(config);
    config = example();
    config.max_token_age = -1;
    expect_refused(config);
    config = example();
    config.max_session_ttl = -1;
    expect_refused(config);
}

static void test_binding_round_trip(void **state)
{
    struct binding_record binding = {.config = slice_from("corp")};
    struct binding_record decoded;
    struct buffer out = {0};

    (void)state;
    assert_int_equal(binding_record_encode(&binding, &out), 0);
    assert_int_equal(binding_record_decode(buffer_slice(&out), &decoded), 0);
    assert_true(slice_is(decoded.config, "corp"));
    assert_int_equal(decoded.audience_count, 0);
    assert_int_equal(buffer_append_text(&out, " audience=1:a"), 0);
    assert_int_equal(decode_binding(buffer_slice(&out)), -EBADMSG);
    buffer_free(&out);
}

static void test_cuts(void **state)
{
    struct auth_config_record config = example();
    struct buffer out = {0};

    (void)state;
    assert_int_equal(auth_config_record_encode(&config, &out), 0);
    expect_cuts_refused(buffer_slice(&out), decode_config);
    buffer_free(&out);
    expect_cuts_refused(slice_from("1 config=4:corp"), decode_binding);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_values_out_of_range),
        cmocka_unit_test(test_binding_round_trip),
        cmocka_unit_test(test_cuts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
