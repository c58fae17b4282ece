#include "shared/jws.h"

#include "shared/base64url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char claims[] = "{\"iss\":\"me\",\"exp\":12}";

static void build(struct buffer *out, struct slice header, struct slice payload)
{
    buffer_clear(out);
    assert_int_equal(base64url_encode(header, out), 0);
    assert_int_equal(buffer_append(out, ".", 1), 0);
    assert_int_equal(base64url_encode(payload, out), 0);
    assert_int_equal(buffer_append_text(out, ".c2ln"), 0);
}

static enum jws_error parse(const char *header, const char *payload)
{
    struct buffer token = {0};
    enum jws_error error;
    struct jws jws;

    build(&token, slice_from(header), slice_from(payload));
    error = jws_parse(buffer_slice(&token), &jws);
    jws_free(&jws);
    buffer_free(&token);
    return error;
}

static void test_takes_a_token_apart(void **state)
{
    static const char *const names[] = {"iss"};
    struct buffer token = {0};
    struct json_value issuer;
    struct jws jws;

    (void)state;
    build(&token, slice_from("{\"typ\":\"JWT\",\"alg\":\"ES256\",\"kid\":\"k\\u00311\"}"),
          slice_from(claims));
    assert_int_equal(jws_parse(buffer_slice(&token), &jws), JWS_OK);
    assert_int_equal(jws.algorithm, JOSE_ES256);
    assert_int_equal(jws.kid_size, 3);
    assert_string_equal(jws.kid, "k11");
    assert_ptr_equal(jws.signing_input.data, buffer_data(&token));
    assert_int_equal(jws.signing_input.size, buffer_size(&token) - strlen(".c2ln"));
    assert_int_equal(jws.signature_size, 3);
    assert_memory_equal(jws.signature, "sig", 3);
    assert_true(slice_is(jws.payload.text, claims));
    assert_int_equal(json_members(&jws.payload, names, 1, &issuer), 0);
    assert_true(json_string_is(&issuer, slice_from("me")));
    jws_free(&jws);
    buffer_free(&token);
}

static void test_kid_and_typ_may_be_absent(void **state)
{
    struct buffer token = {0};
    struct jws jws;

    (void)state;
    build(&token, slice_from("{\"alg\":\"EdDSA\"}"), slice_from("{}"));
    assert_int_equal(jws_parse(buffer_slice(&token), &jws), JWS_OK);
    assert_int_equal(jws.kid_size, 0);
    jws_free(&jws);
    buffer_free(&token);
}

static void test_takes_what_providers_send(void **state)
{
    static const char *const headers[] = {
        "{\"alg\":\"RS256\",\"typ\":\"at+jwt\",\"kid\":\"a\"}",
        "{\"alg\":\"RS256\",\"typ\":\"AT+JWT\"}",
        "{\"alg\":\"RS256\",\"typ\":\"application/at+jwt\"}",
        "{\"alg\":\"RS256\",\"typ\":\"Application/JWT\"}",
        "{\"alg\":\"RS256\",\"typ\":\"jwt\",\"x5t\":\"abc\",\"x5t#S256\":\"abc\",\"nonce\":\"x\"}",
        "{\"alg\":\"RS256\",\"jku\":\"https://evil.example\",\"x5u\":\"x\"}",
        "{\"alg\":\"RS256\",\"jwk\":{\"kty\":\"oct\"},\"x5c\":[\"x\"]}",
        " {\"alg\" : \"RS256\"} ",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(headers); i++)
        assert_int_equal(parse(headers[i], claims), JWS_OK);
}

static void test_refuses_algorithms(void **state)
{
    static const char *const headers[] = {
        "{}",
        "{\"alg\":\"none\"}",
        "{\"alg\":\"None\"}",
        "{\"alg\":\"\"}",
        "{\"alg\":\"HS256\"}",
        "{\"alg\":\"HS512\"}",
        "{\"alg\":\"ES256K\"}",
        "{\"alg\":\"RSA-OAEP\"}",
        "{\"alg\":\"RS256-and-something-very-long-after-it\"}",
        "{\"alg\":1}",
        "{\"alg\":null}",
        "{\"alg\":[\"RS256\"]}",
        "{\"Alg\":\"RS256\"}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(headers); i++)
        assert_int_equal(parse(headers[i], claims), JWS_ALGORITHM);
}

static void test_refuses_header_members(void **state)
{
    static const char *const headers[] = {
        "{\"alg\":\"RS256\",\"crit\":[\"exp\"]}",
        "{\"alg\":\"RS256\",\"crit\":[]}",
        "{\"alg\":\"RS256\",\"\\u0063rit\":null}",
        "{\"alg\":\"RS256\",\"b64\":false}",
        "{\"alg\":\"RS256\",\"b64\":true}",
        "{\"alg\":\"RS256\",\"zip\":\"DEF\"}",
        "{\"alg\":\"RS256\",\"typ\":\"JWE\"}",
        "{\"alg\":\"RS256\",\"typ\":\"dpop+jwt\"}",
        "{\"alg\":\"RS256\",\"typ\":\"logout+jwt\"}",
        "{\"alg\":\"RS256\",\"typ\":\"application/\"}",
        "{\"alg\":\"RS256\",\"typ\":\"application/application/jwt\"}",
        "{\"alg\":\"RS256\",\"typ\":\"\"}",
        "{\"alg\":\"RS256\",\"typ\":null}",
        "{\"alg\":\"RS256\",\"typ\":\"JWT\\u0000\"}",
        "{\"alg\":\"RS256\",\"kid\":\"\"}",
        "{\"alg\":\"RS256\",\"kid\":1}",
        "{\"alg\":\"RS256\",\"kid\":null}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(headers); i++)
        assert_int_equal(parse(headers[i], claims), JWS_HEADER);
}

static void test_kid_has_a_limit(void **state)
{
    struct buffer header = {0};

    (void)state;
    buffer_append_format(&header, "{\"alg\":\"RS256\",\"kid\":\"%0255d\"}", 0);
    assert_int_equal(buffer_append(&header, "\0", 1), 0);
    assert_int_equal(parse(buffer_data(&header), claims), JWS_OK);
    buffer_clear(&header);
    buffer_append_format(&header, "{\"alg\":\"RS256\",\"kid\":\"%0256d\"}", 0);
    assert_int_equal(buffer_append(&header, "\0", 1), 0);
    assert_int_equal(parse(buffer_data(&header), claims), JWS_HEADER);
    buffer_free(&header);
}

static void test_refuses_members_that_appear_twice(void **state)
{
    static const char good[] = "{\"alg\":\"RS256\"}";

    (void)state;
    assert_int_equal(parse("{\"alg\":\"RS256\",\"alg\":\"RS256\"}", claims), JWS_MALFORMED);
    assert_int_equal(parse("{\"alg\":\"none\",\"\\u0061lg\":\"RS256\"}", claims), JWS_MALFORMED);
    assert_int_equal(parse("{\"alg\":\"RS256\",\"x\":1,\"x\":2}", claims), JWS_MALFORMED);
    assert_int_equal(parse(good, "{\"iss\":\"a\",\"iss\":\"b\"}"), JWS_MALFORMED);
    assert_int_equal(parse(good, "{\"iss\":\"a\",\"is\\u0073\":\"b\"}"), JWS_MALFORMED);
    assert_int_equal(parse(good, "{\"iss\":\"a\",\"Iss\":\"b\"}"), JWS_OK);
}

static void test_refuses_parts_that_are_no_objects(void **state)
{
    static const char *const wrong[] = {
        "[]", "1", "\"x\"", "null", "{", "{} {}", "\xff", "{\"a\":\"\xff\"}", "\xef\xbb\xbf{}"};

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        assert_int_equal(parse(wrong[i], claims), JWS_MALFORMED);
        assert_int_equal(parse("{\"alg\":\"RS256\"}", wrong[i]), JWS_MALFORMED);
    }
}

#define HEADER "eyJhbGciOiJSUzI1NiJ9" /* {"alg":"RS256"} */
#define PAYLOAD "eyJhIjoxfQ"          /* {"a":1} */

static enum jws_error parse_raw(const char *token)
{
    struct jws jws;
    enum jws_error error = jws_parse(slice_from(token), &jws);

    jws_free(&jws);
    return error;
}

static void test_refuses_other_forms(void **state)
{
    static const char *const wrong[] = {
        "",
        ".",
        "..",
        "...",
        HEADER,
        HEADER "." PAYLOAD,
        HEADER "." PAYLOAD ".",
        HEADER "..c2ln",
        "." PAYLOAD ".c2ln",
        "." HEADER "." PAYLOAD ".c2ln",
        HEADER "." PAYLOAD ".c2ln.",
        HEADER "." PAYLOAD ".c2ln.c2ln",
        HEADER "." PAYLOAD ".c2ln.c2ln.c2ln",
        HEADER "." PAYLOAD ".c2ln=",
        HEADER "." PAYLOAD ".c",
        HEADER "." PAYLOAD ".Zh",
        HEADER "." PAYLOAD ".c2ln\n",
        HEADER "." PAYLOAD ". c2ln",
        " " HEADER "." PAYLOAD ".c2ln",
        HEADER "=." PAYLOAD ".c2ln",
        HEADER "." PAYLOAD "==.c2ln",
        HEADER ".eyJhIjoxfR.c2ln",
        "{\"payload\":\"\",\"signatures\":[]}",
    };

    (void)state;
    assert_int_equal(parse_raw(HEADER "." PAYLOAD ".c2ln"), JWS_OK);
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_int_equal(parse_raw(wrong[i]), JWS_MALFORMED);
}

static void test_every_truncation_is_refused(void **state)
{
    static const char token[] = HEADER "." PAYLOAD ".c2ln";
    size_t accepted = 0;

    (void)state;
    for (size_t size = 0; size < sizeof(token) - 1; size++) {
        struct jws jws;

        accepted += jws_parse(slice_make(token, size), &jws) == JWS_OK;
        jws_free(&jws);
    }
    assert_int_equal(accepted, 0);
}

static void test_sizes_have_limits(void **state)
{
    static char token[JWS_TOKEN_MAX + 1];
    const size_t longest = JWS_SIGNATURE_MAX / 3 * 4 + 2; /* 1024 bytes */
    struct jws jws;

    (void)state;
    memset(token, 'A', sizeof(token));
    memcpy(token, HEADER "." PAYLOAD ".", strlen(HEADER "." PAYLOAD "."));
    assert_int_equal(jws_parse(slice_make(token, sizeof(token)), &jws), JWS_MALFORMED);
    assert_int_equal(jws_parse(slice_make(token, strlen(HEADER "." PAYLOAD ".") + longest), &jws),
                     JWS_OK);
    assert_int_equal(jws.signature_size, JWS_SIGNATURE_MAX);
    jws_free(&jws);
    assert_int_equal(
        jws_parse(slice_make(token, strlen(HEADER "." PAYLOAD ".") + longest + 1), &jws),
        JWS_MALFORMED);
}

static void test_a_token_of_the_largest_size(void **state)
{
    struct buffer token = {0};
    struct buffer payload = {0};
    struct jws jws;

    (void)state;
    buffer_append_text(&payload, "{\"a\":\"");
    while (buffer_size(&payload) < JWS_TOKEN_MAX / 4 * 3 - 64)
        buffer_append_text(&payload, "x");
    buffer_append_text(&payload, "\"}");
    build(&token, slice_from("{\"alg\":\"RS256\"}"), buffer_slice(&payload));
    assert_true(buffer_size(&token) <= JWS_TOKEN_MAX);
    assert_int_equal(jws_parse(buffer_slice(&token), &jws), JWS_OK);
    assert_true(slice_equal(jws.payload.text, buffer_slice(&payload)));
    jws_free(&jws);
    buffer_free(&payload);
    buffer_free(&token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_takes_a_token_apart),
        cmocka_unit_test(test_kid_and_typ_may_be_absent),
        cmocka_unit_test(test_takes_what_providers_send),
        cmocka_unit_test(test_refuses_algorithms),
        cmocka_unit_test(test_refuses_header_members),
        cmocka_unit_test(test_kid_has_a_limit),
        cmocka_unit_test(test_refuses_members_that_appear_twice),
        cmocka_unit_test(test_refuses_parts_that_are_no_objects),
        cmocka_unit_test(test_refuses_other_forms),
        cmocka_unit_test(test_every_truncation_is_refused),
        cmocka_unit_test(test_sizes_have_limits),
        cmocka_unit_test(test_a_token_of_the_largest_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
