#include "shared/jwk.h"

#include "shared/base64url.h"
#include "shared/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define RFC7638_N                                                                                  \
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECP" \
    "ebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY" \
    "368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0f" \
    "M4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
#define EC_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define EC_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define EC_KEY "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\""
#define RSA_KEY "\"kty\":\"RSA\",\"n\":\"" RFC7638_N "\",\"e\":\"AQAB\""
#define ED_X "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define SET(keys) "{\"keys\":[" keys "]}"

struct fixture {
    struct arena arena;
    struct jwk_set set;
    const char *reason;
};

static int parse(struct fixture *fixture, const char *text)
{
    return jwk_set_parse(slice_from(text), &fixture->arena, &fixture->set, &fixture->reason);
}

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct fixture));
    return *state == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    arena_free(&fixture->arena);
    free(fixture);
    return 0;
}

/* Whether a thumbprint in hex is that value in base64url, as RFCs print it. */
static bool thumbprint_is(const struct jwk *key, const char *expected)
{
    struct digest digest;
    char hex[DIGEST_HEX_SIZE + 1];

    assert_int_equal(base64url_decode(slice_from(expected), digest.bytes, DIGEST_SIZE),
                     DIGEST_SIZE);
    digest_hex(&digest, hex);
    return strcmp(hex, key->thumbprint) == 0;
}

static void test_rfc7638_thumbprint(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(parse(fixture, SET("{\"kid\":\"2011-04-29\",\"alg\":\"RS256\"," RSA_KEY "}")),
                     0);
    assert_int_equal(fixture->set.count, 1);
    assert_true(slice_is(fixture->set.keys[0].kid, "2011-04-29"));
    assert_true(slice_is(fixture->set.keys[0].alg, "RS256"));
    assert_true(
        thumbprint_is(&fixture->set.keys[0], "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"));
}

static void test_rfc8037_thumbprint(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(
        parse(fixture, SET("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" ED_X "\"}")), 0);
    assert_true(
        thumbprint_is(&fixture->set.keys[0], "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"));
}

static void test_reads_what_providers_publish(void **state)
{
    static const char set[] =
        "{ \"keys\" : [ {\"use\":\"sig\",\"kid\":\"a\\u002f1\",\"x5t\":\"abc\",\"x5c\":[\"MIIC\"],"
        "\"key_ops\":[\"verify\"],\"ext\":true," EC_KEY "}, {" RSA_KEY "} ], \"other\": 1 }";
    struct fixture *fixture = *state;

    assert_int_equal(parse(fixture, set), 0);
    assert_int_equal(fixture->set.count, 2);
    assert_int_equal(fixture->set.refusal_count, 0);
    assert_int_equal(fixture->set.keys[0].type, JWK_EC);
    assert_true(slice_is(fixture->set.keys[0].kid, "a/1"));
    assert_true(slice_is(fixture->set.keys[0].curve, "P-256"));
    assert_int_equal(fixture->set.keys[0].x.size, 32);
    assert_int_equal(fixture->set.keys[0].y.size, 32);
    assert_int_equal(fixture->set.keys[1].type, JWK_RSA);
    assert_int_equal(fixture->set.keys[1].kid.size, 0);
    assert_int_equal(fixture->set.keys[1].n.size, 256);
    assert_int_equal(fixture->set.keys[1].e.size, 3);
}

static void test_an_empty_set_is_a_set(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(parse(fixture, SET("")), 0);
    assert_int_equal(fixture->set.count, 0);
}

static void test_refuses_what_is_no_set(void **state)
{
    static const char *const wrong[] = {
        "",
        "{}",
        "[]",
        "null",
        "<html>",
        "{\"keys\":{}}",
        "{\"keys\":null}",
        "{\"keys\":[],\"keys\":[]}",
        "{\"keys\":[],\"k\\u0065ys\":[]}",
        SET("{" EC_KEY "},"),
        SET("{" EC_KEY "}") "x",
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT(wrong); i++) {
        fixture->reason = NULL;
        assert_int_equal(parse(fixture, wrong[i]), -EINVAL);
        assert_non_null(fixture->reason);
        assert_int_equal(fixture->set.count, 0);
    }
}

/* Each is one bad key before a good one: the good one must be read. */
static const struct {
    const char *key, *reason;
} refused[] = {
    {"1", "not an object"},
    {"{}", "kty"},
    {"{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}", "symmetric"},
    {"{\"kty\":\"oct\"}", "symmetric"},
    {"{\"kty\":\"rsa\",\"n\":\"" RFC7638_N "\",\"e\":\"AQAB\"}", "kty"},
    {"{\"use\":\"enc\"," EC_KEY "}", "use"},
    {"{\"use\":1," EC_KEY "}", "use"},
    {"{\"key_ops\":[\"encrypt\"]," EC_KEY "}", "key_ops"},
    {"{\"key_ops\":[]," EC_KEY "}", "key_ops"},
    {"{\"key_ops\":\"verify\"," EC_KEY "}", "key_ops"},
    {"{\"d\":\"AQAB\"," EC_KEY "}", "private"},
    {"{\"p\":\"AQAB\"," RSA_KEY "}", "private"},
    {"{\"k\":\"AQAB\"," RSA_KEY "}", "private"},
    {"{\"kid\":1," EC_KEY "}", "kid"},
    {"{\"kid\":\"\"," EC_KEY "}", "kid"},
    {"{\"alg\":7," EC_KEY "}", "alg"},
    {"{\"kty\":\"EC\"," EC_KEY "}", "twice"},
    {"{\"\\u006bty\":\"EC\"," EC_KEY "}", "twice"},
    {"{\"kty\":\"RSA\",\"e\":\"AQAB\"}", "its n"},
    {"{\"kty\":\"RSA\",\"n\":\"\",\"e\":\"AQAB\"}", "its n"},
    {"{\"kty\":\"RSA\",\"n\":\"" RFC7638_N "==\",\"e\":\"AQAB\"}", "its n"},
    {"{\"kty\":\"RSA\",\"n\":\"AP__\",\"e\":\"AQAB\"}", "its n"},
    {"{\"kty\":\"RSA\",\"n\":\"" RFC7638_N "\"}", "its e"},
    {"{\"kty\":\"RSA\",\"n\":\"" RFC7638_N "\",\"e\":\"AAEAAQ\"}", "its e"},
    {"{\"kty\":\"RSA\",\"n\":\"" RFC7638_N "\",\"e\":\"AQAAAAAAAAAB\"}", "its e"},
    {"{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"}", "crv"},
    {"{\"kty\":\"EC\",\"crv\":\"Ed25519\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"}", "crv"},
    {"{\"kty\":\"EC\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"}", "crv"},
    {"{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"}", "size"},
    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AQAB\",\"y\":\"" EC_Y "\"}", "size"},
    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\",\"y\":\"AQAB\"}", "size"},
    {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\"}", "its y"},
    {"{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" ED_X "\"}", "crv"},
    {"{\"kty\":\"OKP\",\"crv\":\"P-256\",\"x\":\"" ED_X "\"}", "crv"},
    {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" ED_X "AA\"}", "its x"},
    {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\"}", "its x"},
};

static void test_a_bad_key_is_skipped_and_named(void **state)
{
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT(refused); i++) {
        struct buffer text = {0};

        buffer_append_format(&text, SET("%s,{\"kid\":\"good\"," EC_KEY "}"), refused[i].key);
        assert_int_equal(
            jwk_set_parse(buffer_slice(&text), &fixture->arena, &fixture->set, &fixture->reason),
            0);
        assert_int_equal(fixture->set.count, 1);
        assert_true(slice_is(fixture->set.keys[0].kid, "good"));
        assert_int_equal(fixture->set.keys[0].index, 1);
        assert_int_equal(fixture->set.refusal_count, 1);
        assert_int_equal(fixture->set.refusals[0].index, 0);
        assert_non_null(strstr(fixture->set.refusals[0].reason, refused[i].reason));
        buffer_free(&text);
    }
}

static void test_a_refusal_bears_its_kid(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(
        parse(fixture, SET("{" EC_KEY "},{\"kid\":\"old\",\"use\":\"enc\"," EC_KEY "}")), 0);
    assert_int_equal(fixture->set.refusal_count, 1);
    assert_int_equal(fixture->set.refusals[0].index, 1);
    assert_true(slice_is(fixture->set.refusals[0].kid, "old"));
}

static void test_counts_and_sizes_have_limits(void **state)
{
    struct fixture *fixture = *state;
    struct buffer text = {0};

    buffer_append_text(&text, "{\"keys\":[");
    for (int i = 0; i < JWK_SET_MAX; i++)
        buffer_append_format(&text, "%s{}", i == 0 ? "" : ",");
    buffer_append_text(&text, "]}");
    assert_int_equal(
        jwk_set_parse(buffer_slice(&text), &fixture->arena, &fixture->set, &fixture->reason), 0);
    assert_int_equal(fixture->set.refusal_count, JWK_SET_MAX);
    text.end -= 2;
    buffer_append_text(&text, ",{}]}");
    assert_int_equal(
        jwk_set_parse(buffer_slice(&text), &fixture->arena, &fixture->set, &fixture->reason),
        -EINVAL);
    buffer_clear(&text);
    buffer_append_text(&text, SET(""));
    while (buffer_size(&text) <= JWK_SET_SIZE_MAX)
        buffer_append_text(&text, "                                                ");
    assert_int_equal(
        jwk_set_parse(buffer_slice(&text), &fixture->arena, &fixture->set, &fixture->reason),
        -EINVAL);
    buffer_free(&text);
}

static void test_what_is_appended_is_read_back(void **state)
{
    struct fixture *fixture = *state;
    struct buffer text = {0};
    struct jwk key;

    assert_int_equal(parse(fixture, SET("{\"kid\":\"a\\\"b\",\"alg\":\"ES256\"," EC_KEY "}")), 0);
    key = fixture->set.keys[0];
    buffer_append_text(&text, "{\"keys\":[");
    assert_int_equal(jwk_append(&key, &text), 0);
    buffer_append_text(&text, "]}");
    assert_int_equal(
        jwk_set_parse(buffer_slice(&text), &fixture->arena, &fixture->set, &fixture->reason), 0);
    assert_int_equal(fixture->set.count, 1);
    assert_true(slice_is(fixture->set.keys[0].kid, "a\"b"));
    assert_true(slice_is(fixture->set.keys[0].alg, "ES256"));
    assert_string_equal(fixture->set.keys[0].thumbprint, key.thumbprint);
    buffer_free(&text);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rfc7638_thumbprint),
        TEST(test_rfc8037_thumbprint),
        TEST(test_reads_what_providers_publish),
        TEST(test_an_empty_set_is_a_set),
        TEST(test_refuses_what_is_no_set),
        TEST(test_a_bad_key_is_skipped_and_named),
        TEST(test_a_refusal_bears_its_kid),
        TEST(test_counts_and_sizes_have_limits),
        TEST(test_what_is_appended_is_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
