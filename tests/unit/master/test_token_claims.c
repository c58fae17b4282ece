#include "master/token_claims.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void check(const struct token_claims *claims, const char *expected)
{
    struct buffer out = {0};

    assert_int_equal(token_claims_append(claims, &out), 0);
    assert_int_equal(buffer_append(&out, "\0", 1), 0);
    assert_string_equal(buffer_data(&out), expected);
    buffer_free(&out);
}

static void set(struct token_claims *claims, const char *name, const char *value)
{
    assert_int_equal(token_claims_set_text(claims, slice_from(name), slice_from(value)), 0);
}

static void test_values_are_json_or_strings(void **state)
{
    struct token_claims claims = {0};

    (void)state;
    set(&claims, "a", "1.5");
    set(&claims, "b", " true ");
    set(&claims, "c", "[1, {\"x\":null}]");
    set(&claims, "d", "\"1\"");
    set(&claims, "e", "01");
    set(&claims, "f", "say \"hi\"");
    check(&claims, "{\"a\":1.5,\"b\":true,\"c\":[1, {\"x\":null}],\"d\":\"1\",\"e\":\"01\","
                   "\"f\":\"say \\\"hi\\\"\"}");
    token_claims_free(&claims);
}

static void test_setting_again_replaces_in_place(void **state)
{
    static const char *const audiences[] = {"a", "b"};
    struct token_claims claims = {0};

    (void)state;
    assert_int_equal(token_claims_set_integer(&claims, slice_from("iat"), -5), 0);
    assert_int_equal(token_claims_set_strings(&claims, slice_from("aud"), audiences, 2), 0);
    check(&claims, "{\"iat\":-5,\"aud\":[\"a\",\"b\"]}");
    set(&claims, "iat", "soon");
    assert_int_equal(token_claims_set_strings(&claims, slice_from("aud"), audiences, 1), 0);
    check(&claims, "{\"iat\":\"soon\",\"aud\":\"a\"}");
    token_claims_free(&claims);
}

static void test_no_value_leaves_a_claim_out(void **state)
{
    struct token_claims claims = {0};

    (void)state;
    set(&claims, "a", "1");
    set(&claims, "b", "2");
    set(&claims, "a", "");
    check(&claims, "{\"b\":2}");
    set(&claims, "b", "");
    check(&claims, "{}");
    token_claims_free(&claims);
}

static void test_claims_have_a_limit(void **state)
{
    static char room[TOKEN_CLAIMS_MAX + 1][8];
    struct token_claims claims = {0};

    (void)state;
    for (int i = 0; i <= TOKEN_CLAIMS_MAX; i++) {
        struct buffer name = {0};

        buffer_append_format(&name, "c%d", i);
        memcpy(room[i], buffer_data(&name), buffer_size(&name));
        buffer_free(&name);
        assert_int_equal(token_claims_set_integer(&claims, slice_from(room[i]), i),
                         i == TOKEN_CLAIMS_MAX ? -E2BIG : 0);
    }
    assert_int_equal(token_claims_set_integer(&claims, slice_from(room[3]), 7), 0);
    token_claims_free(&claims);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_are_json_or_strings),
        cmocka_unit_test(test_setting_again_replaces_in_place),
        cmocka_unit_test(test_no_value_leaves_a_claim_out),
        cmocka_unit_test(test_claims_have_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
