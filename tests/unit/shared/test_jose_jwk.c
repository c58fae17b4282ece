#include "shared/jose_jwk.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/shared/jose_fixture.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_refuses_weak_and_wrong_keys(void **state)
{
    static const struct {
        const char *set, *reason;
    } wrong[] = {
        {"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"w___________________________________________________"
         "__________________________________8\",\"e\":\"AQAB\"}]}",
         "less than 2048"},
        {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9u"
         "PHvRVEU\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a4\"}]}",
         "make no public key"},
        {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"alg\":\"ES384\",\"x\":\"f83OJ3D2xF1Bg8vub9"
         "tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}",
         "does not fit"},
        {"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"alg\":\"HS256\",\"x\":\"11qYAYKxCrfVS_7"
         "TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}",
         "not one that is accepted"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct jose_key *key;
        uint32_t algorithms;
        const char *reason = jose_fixture_key(wrong[i].set, &key, &algorithms);

        assert_null(key);
        assert_non_null(strstr(reason, wrong[i].reason));
    }
}

/* e of 1 would make every padded message its own signature; an even one has no inverse. */
static void test_refuses_bad_exponents(void **state)
{
    static const char *const exponents[] = {"\x01", "\x02", "\x01\x00\x00"};
    static const size_t sizes[] = {1, 1, 3};

    (void)state;
    for (size_t i = 0; i < COUNT(exponents); i++) {
        struct arena arena = {0};
        struct buffer der = {0};
        struct jwk_set set;
        uint32_t algorithms;
        const char *reason;

        assert_int_equal(jwk_set_parse(slice_from(jose_fixture_rsa), &arena, &set, &reason), 0);
        set.keys[0].e = slice_make(exponents[i], sizes[i]);
        assert_int_equal(jose_jwk_to_der(&set.keys[0], &der, &algorithms, &reason), -EINVAL);
        assert_non_null(strstr(reason, "exponent"));
        buffer_free(&der);
        arena_free(&arena);
    }
}

static void test_refuses_an_even_modulus(void **state)
{
    struct arena arena = {0};
    struct buffer der = {0};
    struct jwk_set set;
    uint32_t algorithms;
    const char *reason;

    (void)state;
    assert_int_equal(jwk_set_parse(slice_from(jose_fixture_rsa), &arena, &set, &reason), 0);
    ((char *)(uintptr_t)set.keys[0].n.data)[set.keys[0].n.size - 1] = 0;
    assert_int_equal(jose_jwk_to_der(&set.keys[0], &der, &algorithms, &reason), -EINVAL);
    assert_non_null(strstr(reason, "even"));
    buffer_free(&der);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_weak_and_wrong_keys),
        cmocka_unit_test(test_refuses_bad_exponents),
        cmocka_unit_test(test_refuses_an_even_modulus),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
