/* What a person reads when the gate says no. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/connect_refusal.h"

static void words_are(struct connect_refusal refusal, const char *expected)
{
    struct buffer out = {0};

    assert_int_equal(connect_refusal_words(&out, &refusal), 0);
    assert_int_equal(buffer_append(&out, "", 1), 0);
    assert_string_equal(buffer_data(&out), expected);
    buffer_free(&out);
}

static void test_words(void **state)
{
    (void)state;
    words_are((struct connect_refusal){.status = 401,
                                       .challenge = slice_from("Bearer error=\"invalid_token\", "
                                                               "error_description=\"too old\"")},
              "the server answered 401 Unauthorized: too old; the token is missing, expired or not "
              "for this app");
    words_are((struct connect_refusal){.status = 403,
                                       .gateway = true,
                                       .challenge = slice_from("Bearer error=insufficient_scope, "
                                                               "scope=\"a b\"")},
              "the gate answered 403 Forbidden; the token needs the scope a b");
    words_are((struct connect_refusal){.status = 429, .retry_after = 90},
              "the server answered 429 Too Many Requests; try again in 90 s");
    words_are((struct connect_refusal){.status = 502, .message = slice_from("it is down")},
              "the server answered 502 Bad Gateway: it is down");
}

static void test_challenge(void **state)
{
    struct slice challenge = slice_from("Bearer realm=\"a, scope=x\\\"\", Scope = y, scope=z");

    (void)state;
    assert_true(slice_is(connect_challenge(challenge, "realm"), "a, scope=x\\\""));
    assert_true(slice_is(connect_challenge(challenge, "scope"), "z"));
    assert_int_equal(connect_challenge(challenge, "bearer").size, 0);
    assert_int_equal(connect_challenge(slice_from("Bearer scope=\"open"), "scope").size, 0);
    assert_int_equal(connect_challenge(slice_make(NULL, 0), "scope").size, 0);
    assert_int_equal(connect_challenge(slice_from("x=\"\\"), "x").size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_challenge),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
