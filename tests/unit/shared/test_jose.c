#include "shared/jose.h"

#include "shared/base64url.h"
#include "shared/jws.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char rsa_set[] = /* RFC 7515, A.2.1 */
    "{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_"
    "wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_"
    "YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-"
    "KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_"
    "I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\"}]}";
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

/* Without a key, the reason that the JWK was refused. */
static const char *key_from_set(const char *text, struct jose_key **out, uint32_t *algorithms)
{
    struct arena arena = {0};
    struct buffer der = {0};
    struct jwk_set set;
    const char *reason = NULL;

    *out = NULL;
    assert_int_equal(jwk_set_parse(slice_from(text), &arena, &set, &reason), 0);
    assert_int_equal(set.count, 1);
    if (jose_jwk_to_der(&set.keys[0], &der, algorithms, &reason) == 0) {
        assert_null(reason);
        assert_int_equal(jose_key_from_der(out, buffer_slice(&der), *algorithms), 0);
    } else {
        assert_non_null(reason);
        assert_int_equal(*algorithms, 0);
        assert_int_equal(buffer_size(&der), 0);
    }
    buffer_free(&der);
    arena_free(&arena);
    return reason;
}

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

    assert_null(key_from_set(set, &key, &algorithms));
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
    check_token(rsa_set, rsa_token, JOSE_RS256, (1 << JOSE_ES256) - 1);
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
    assert_null(key_from_set(ed_set, &key, &algorithms));
    assert_int_equal(algorithms, 1 << JOSE_EDDSA);
    assert_int_equal(verify(key, JOSE_EDDSA, slice_from(ed_input), ed_signature), 0);
    assert_int_equal(verify(key, JOSE_EDDSA, slice_from(ed_input), ed_signature), 0);
    assert_int_equal(verify(key, JOSE_EDDSA, slice_skip(slice_from(ed_input), 1), ed_signature),
                     -EACCES);
    jose_key_free(key);
}

static void test_algorithm_names(void **state)
{
    static const char *const foreign[] = {"",       "none", "None",   "HS256", "rs256",
                                          "RS256 ", "RS1",  "ES256K", "RS25",  "EdDSA2",
                                          "Ed448",  "dir",  "RS2561"};

    (void)state;
    for (int i = 0; i < JOSE_ALGORITHMS; i++) {
        const char *name = jose_algorithm_name((enum jose_algorithm)i);

        assert_int_equal(jose_algorithm_from_name(slice_from(name)), i);
    }
    for (size_t i = 0; i < COUNT(foreign); i++)
        assert_int_equal(jose_algorithm_from_name(slice_from(foreign[i])), -1);
    assert_int_equal(jose_algorithm_from_name(slice_make("RS256\0", 6)), -1);
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
    assert_int_equal(jose_key_public_jwk(key, algorithm, &text), 0);
    assert_int_equal(buffer_append(&text, "]}", 3), 0);
    assert_null(key_from_set(buffer_data(&text), &public, &algorithms));
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

static void test_pem_round_trips(void **state)
{
    struct buffer pem = {0}, signature = {0};
    struct jose_key *made, *read;

    (void)state;
    assert_int_equal(jose_key_generate(&made, JOSE_ES256), 0);
    assert_int_equal(jose_key_private_pem(made, &pem), 0);
    assert_int_equal(jose_key_from_pem(&read, buffer_slice(&pem)), 0);
    assert_int_equal(jose_sign(read, JOSE_ES256, slice_from("x"), &signature), 0);
    assert_int_equal(jose_verify(made, JOSE_ES256, slice_from("x"), buffer_slice(&signature)), 0);
    jose_key_free(read);
    pem.end -= 40;
    assert_int_equal(jose_key_from_pem(&read, buffer_slice(&pem)), -EINVAL);
    assert_null(read);
    assert_int_equal(jose_key_from_pem(&read, slice_from("not a key")), -EINVAL);
    assert_int_equal(jose_key_from_pem(&read, slice_from("")), -EINVAL);
    jose_key_free(made);
    buffer_wipe(&pem);
    buffer_free(&signature);
}

/* A real one (AES-128-CBC, password "secret"). */
static void test_encrypted_pem_is_refused_without_asking(void **state)
{
    static const char encrypted[] =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
        "MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgGWTNBUAoO+AICCAAw\n"
        "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEAQIEELPfp7yyFIiTU68F73RrmLAEQIpY\n"
        "mvFOGrgOKupGzCTzga5Qv+ZdwWx7B58FkrhsyXj7vOI5XjyxIePyFoPNqjSfpInY\n"
        "WcBmc4Iq84KAg5OirsM=\n"
        "-----END ENCRYPTED PRIVATE KEY-----\n";
    struct jose_key *key;

    (void)state;
    assert_int_equal(jose_key_from_pem(&key, slice_from(encrypted)), -EINVAL);
}

static void test_der_is_exactly_one_key(void **state)
{
    struct arena arena = {0};
    struct buffer der = {0};
    struct jwk_set set;
    struct jose_key *key;
    uint32_t algorithms;
    const char *reason;

    (void)state;
    assert_int_equal(jwk_set_parse(slice_from(rsa_set), &arena, &set, &reason), 0);
    assert_int_equal(jose_jwk_to_der(&set.keys[0], &der, &algorithms, &reason), 0);
    assert_int_equal(jose_key_from_der(&key, buffer_slice(&der), JOSE_ALL), 0);
    jose_key_free(key);
    assert_int_equal(jose_key_from_der(&key, buffer_slice(&der), 1 << JOSE_ES256), -EINVAL);
    assert_null(key);
    assert_int_equal(jose_key_from_der(&key, buffer_slice(&der), 0), -EINVAL);
    assert_int_equal(buffer_append(&der, "\0", 1), 0);
    assert_int_equal(jose_key_from_der(&key, buffer_slice(&der), JOSE_ALL), -EINVAL);
    for (der.end--; buffer_size(&der) > 0; der.end--)
        assert_int_equal(
            jose_key_from_der(&key, slice_make(buffer_data(&der), buffer_size(&der) - 1), JOSE_ALL),
            -EINVAL);
    buffer_free(&der);
    arena_free(&arena);
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
    assert_int_equal(jwk_set_parse(slice_from(rsa_set), &arena, &set, &reason), 0);
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
        const char *reason = key_from_set(wrong[i].set, &key, &algorithms);

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

        assert_int_equal(jwk_set_parse(slice_from(rsa_set), &arena, &set, &reason), 0);
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
    assert_int_equal(jwk_set_parse(slice_from(rsa_set), &arena, &set, &reason), 0);
    ((char *)(uintptr_t)set.keys[0].n.data)[set.keys[0].n.size - 1] = 0;
    assert_int_equal(jose_jwk_to_der(&set.keys[0], &der, &algorithms, &reason), -EINVAL);
    assert_non_null(strstr(reason, "even"));
    buffer_free(&der);
    arena_free(&arena);
}

/* Points and curves are checked of DER, too: it comes from a store that others write. */
static void test_refuses_a_foreign_der(void **state)
{
    static const uint8_t off_curve[] = {/* P-256, point (1, 1) */
                                        0x30, 0x59, 0x30, 0x13,     0x06,    0x07, 0x2a, 0x86,
                                        0x48, 0xce, 0x3d, 0x02,     0x01,    0x06, 0x08, 0x2a,
                                        0x86, 0x48, 0xce, 0x3d,     0x03,    0x01, 0x07, 0x03,
                                        0x42, 0x00, 0x04, [58] = 1, [90] = 1};
    static const uint8_t x25519[44] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b,
                                       0x65, 0x6e, 0x03, 0x21, 0x00, 0x09};
    static const uint8_t ed448[69] = {0x30, 0x43, 0x30, 0x05, 0x06, 0x03, 0x2b,
                                      0x65, 0x71, 0x03, 0x3a, 0x00, 0x01};
    struct jose_key *key;

    (void)state;
    assert_int_equal(
        jose_key_from_der(&key, slice_make((const char *)off_curve, sizeof(off_curve)), JOSE_ALL),
        -EINVAL);
    assert_int_equal(
        jose_key_from_der(&key, slice_make((const char *)x25519, sizeof(x25519)), JOSE_ALL),
        -EINVAL);
    assert_int_equal(
        jose_key_from_der(&key, slice_make((const char *)ed448, sizeof(ed448)), JOSE_ALL), -EINVAL);
    assert_null(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc7515_rs256),
        cmocka_unit_test(test_rfc7515_es256),
        cmocka_unit_test(test_rfc8037_ed25519),
        cmocka_unit_test(test_algorithm_names),
        cmocka_unit_test(test_every_algorithm_round_trips),
        cmocka_unit_test(test_ecdsa_numbers_keep_their_size),
        cmocka_unit_test(test_zero_signatures_prove_nothing),
        cmocka_unit_test(test_pem_round_trips),
        cmocka_unit_test(test_encrypted_pem_is_refused_without_asking),
        cmocka_unit_test(test_der_is_exactly_one_key),
        cmocka_unit_test(test_algorithms_are_narrowed),
        cmocka_unit_test(test_refuses_weak_and_wrong_keys),
        cmocka_unit_test(test_refuses_bad_exponents),
        cmocka_unit_test(test_refuses_an_even_modulus),
        cmocka_unit_test(test_refuses_a_foreign_der),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
