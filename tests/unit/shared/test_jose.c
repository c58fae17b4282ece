#include "shared/jose.h"

#include "shared/base64url.h"
#include "shared/jws.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/shared/jose_fixture.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char rsa_token[] =
    "eyJhbGciOiJSUzI1NiJ9."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl"
    "fQ."
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_"
    "lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_"
    "nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--"
    "xi12jzDwusC-"
    "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywl"
    "VmtVrBp0igcN_IoypGlUPQGe77Rw";
static const char ec_set[] = /* RFC 7515, A.3.1 */
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","
    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}";
static const char ec_token[] =
    "eyJhbGciOiJFUzI1NiJ9."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl"
    "fQ."
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
static const char ed_set[] = /* RFC 8037, A.2 */
    "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";
static const char ed_input[] = /* RFC 8037, A.4 */
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
static const char ed_signature[] = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5"
                                   "BhVsPt9g7sVvpAr_MuM0KAg";

static int verify(struct jose_key *key, enum jose_algorithm algorithm, struct slice input,
                  const char *encoded)
{
    char signature[JWS_SIGNATURE_MAX];
    long size = base64url_decode(slice_from(encoded), signature, sizeof(signature));

    assert_true(size > 0);
    return jose_verify(key, algorithm, input, slice_make(signature, (size_t)size));
}

static void check_token(const char *set, const char *token, enum jose_algorithm algorithm,
                        uint32_t fitting)
{
    const char *dot = strrchr(token, '.');
    struct jose_key *key;
    uint32_t algorithms;

    assert_null(jose_fixture_key(set, &key, &algorithms));
    assert_int_equal(algorithms, fitting);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(verify(key, algorithm, slice_make(token, (size_t)(dot - token)), dot + 1),
                         0);
        assert_int_equal(
            verify(key, algorithm, slice_make(token, (size_t)(dot - token) - 1), dot + 1), -EACCES);
    }
    jose_key_free(key);
}

static void test_rfc7515_rs256(void **state)
{
    (void)state;
    check_token(jose_fixture_rsa, rsa_token, JOSE_RS256, (1 << JOSE_ES256) - 1);
}

static void test_rfc7515_es256(void **state)
{
    (void)state;
    check_token(ec_set, ec_token, JOSE_ES256, 1 << JOSE_ES256);
}

static void test_rfc8037_ed25519(void **state)
{
    struct jose_key *key;
    uint32_t algorithms;

    (void)state;
    assert_null(jose_fixture_key(ed_set, &key, &algorithms));
    assert_int_equal(algorithms, 1 << JOSE_EDDSA);
    assert_int_equal(verify(key, JOSE_EDDSA, slice_from(ed_input), ed_signature), 0);
    assert_int_equal(verify(key, JOSE_EDDSA, slice_from(ed_input), ed_signature), 0);
    assert_int_equal(verify(key, JOSE_EDDSA, slice_skip(slice_from(ed_input), 1), ed_signature),
                     -EACCES);
    jose_key_free(key);
}

/* Every flipped bit of the signature and every changed byte of the input is noticed. */
static void check_flips(struct jose_key *key, enum jose_algorithm algorithm, struct slice input,
                        struct slice signature)
{
    char copy[JWS_SIGNATURE_MAX];

    memcpy(copy, signature.data, signature.size);
    for (size_t bit = 0; bit < signature.size * 8; bit += 7) {
        copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
        assert_int_equal(jose_verify(key, algorithm, input, slice_make(copy, signature.size)),
                         -EACCES);
        copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
    }
    assert_int_equal(jose_verify(key, algorithm, input, slice_make(copy, signature.size - 1)),
                     -EACCES);
    assert_int_equal(jose_verify(key, algorithm, input, slice_make(copy, signature.size + 1)),
                     -EACCES);
    assert_int_equal(jose_verify(key, algorithm, input, slice_make(copy, 0)), -EACCES);
    assert_int_equal(jose_verify(key, algorithm, slice_skip(input, 1), signature), -EACCES);
    assert_int_equal(jose_verify(key, algorithm, input, signature), 0);
}

/* What only the public half can do, made from the key's own JWK. */
static struct jose_key *public_half(const struct jose_key *key, enum jose_algorithm algorithm)
{
    struct buffer text = {0};
    struct jose_key *public;
    uint32_t algorithms;

    buffer_append_text(&text, "{\"keys\":[");
    assert_int_equal(jose_jwk_append(key, algorithm, &text), 0);
    assert_int_equal(buffer_append(&text, "]}", 3), 0);
    assert_null(jose_fixture_key(buffer_data(&text), &public, &algorithms));
    assert_int_equal(algorithms, 1 << algorithm);
    buffer_free(&text);
    return public;
}

/* Whatever the algorithm hashes with. */
static void check_digest(struct jose_key *key, enum jose_algorithm algorithm, struct slice input,
                         struct slice signature)
{
    struct digest digest = {{0}}, expected;

    assert_int_equal(jose_verify_digest(key, algorithm, slice_skip(input, 1), signature, &digest),
                     -EACCES);
    digest_of(input, &expected);
    assert_int_equal(jose_verify_digest(key, algorithm, input, signature, &digest), 0);
    assert_memory_equal(digest.bytes, expected.bytes, DIGEST_SIZE);
}

static void check_round_trip(struct jose_key *private, enum jose_algorithm algorithm)
{
    struct slice input = slice_from("header.payload");
    struct jose_key *public = public_half(private, algorithm);
    struct buffer signature = {0};

    assert_int_equal(jose_sign(private, algorithm, input, &signature), 0);
    assert_int_equal(jose_verify(private, algorithm, input, buffer_slice(&signature)), 0);
    check_digest(public, algorithm, input, buffer_slice(&signature));
    check_flips(public, algorithm, input, buffer_slice(&signature));
    for (int other = 0; other < JOSE_ALGORITHMS; other++) {
        if (other != (int)algorithm)
            assert_int_equal(
                jose_verify(public, (enum jose_algorithm)other, input, buffer_slice(&signature)),
                -EINVAL);
    }
    buffer_clear(&signature);
    assert_int_equal(jose_sign(public, algorithm, input, &signature), -EINVAL);
    assert_int_equal(buffer_size(&signature), 0);
    buffer_free(&signature);
    jose_key_free(public);
}

static void test_every_algorithm_round_trips(void **state)
{
    static const enum jose_algorithm kinds[] = {JOSE_RS256, JOSE_ES256, JOSE_ES384, JOSE_ES512,
                                                JOSE_EDDSA};
    unsigned checked = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct jose_key *key;

        assert_int_equal(jose_key_generate(&key, kinds[i]), 0);
        for (int k = 0; k < JOSE_ALGORITHMS; k++) {
            if ((jose_key_algorithms(key) & 1u << k) == 0)
                continue;
            check_round_trip(key, (enum jose_algorithm)k);
            checked++;
        }
        jose_key_free(key);
    }
    assert_int_equal(checked, JOSE_ALGORITHMS);
}

/* r and s with leading zeros keep their places: enough signatures meet a few. */
static void test_ecdsa_numbers_keep_their_size(void **state)
{
    struct jose_key *key;

    (void)state;
    assert_int_equal(jose_key_generate(&key, JOSE_ES512), 0);
    for (int i = 0; i < 100; i++) {
        struct buffer signature = {0};
        struct slice input = slice_make((char *)&i, sizeof(i));

        assert_int_equal(jose_sign(key, JOSE_ES512, input, &signature), 0);
        assert_int_equal(buffer_size(&signature), 132);
        assert_int_equal(jose_verify(key, JOSE_ES512, input, buffer_slice(&signature)), 0);
        buffer_free(&signature);
    }
    jose_key_free(key);
}

static void test_zero_signatures_prove_nothing(void **state)
{
    static const enum jose_algorithm kinds[] = {JOSE_RS256, JOSE_PS256, JOSE_ES256,
                                                JOSE_ES384, JOSE_ES512, JOSE_EDDSA};
    static const size_t sizes[] = {256, 256, 64, 96, 132, 64};
    char zeros[256] = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct jose_key *key;

        assert_int_equal(jose_key_generate(&key, kinds[i]), 0);
        assert_int_equal(jose_verify(key, kinds[i], slice_from("a.b"), slice_make(zeros, sizes[i])),
                         -EACCES);
        jose_key_free(key);
    }
}

static void test_algorithms_are_narrowed(void **state)
{
    const char *dot = strrchr(rsa_token, '.');
    struct slice input = slice_make(rsa_token, (size_t)(dot - rsa_token));
    struct arena arena = {0};
    struct buffer der = {0};
    struct jwk_set set;
    struct jose_key *key;
    uint32_t algorithms;
    const char *reason;

    (void)state;
    assert_int_equal(jwk_set_parse(slice_from(jose_fixture_rsa), &arena, &set, &reason), 0);
    set.keys[0].alg = slice_from("PS256");
    assert_int_equal(jose_jwk_to_der(&set.keys[0], &der, &algorithms, &reason), 0);
    assert_int_equal(algorithms, 1 << JOSE_PS256);
    assert_int_equal(jose_key_from_der(&key, buffer_slice(&der), algorithms), 0);
    assert_int_equal(verify(key, JOSE_RS256, input, dot + 1), -EINVAL);
    assert_int_equal(verify(key, JOSE_PS256, input, dot + 1), -EACCES);
    jose_key_free(key);
    buffer_free(&der);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc7515_rs256),
        cmocka_unit_test(test_rfc7515_es256),
        cmocka_unit_test(test_rfc8037_ed25519),
        cmocka_unit_test(test_every_algorithm_round_trips),
        cmocka_unit_test(test_ecdsa_numbers_keep_their_size),
        cmocka_unit_test(test_zero_signatures_prove_nothing),
        cmocka_unit_test(test_algorithms_are_narrowed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
