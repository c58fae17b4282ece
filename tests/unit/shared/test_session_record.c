#include "shared/session_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/shared/record_cuts.h"
#include "tests/unit/shared/session_example.h"

static void test_ids(void **state)
{
    struct session_id id, other;

    (void)state;
    session_id_make(&id, SESSION_KIND_JWT, slice_from("a"), slice_from("bc"));
    assert_int_equal(strlen(id.text), SESSION_ID_SIZE);
    /* SHA-256 of "a", NUL, "bc". */
    assert_string_equal(id.text,
                        "jwt_"
                        "40bb547d936bbd31318ee37ac8799e7ecbb22eda2651f65e3214bffb8ce97bb4");
    session_id_make(&other, SESSION_KIND_JWT, slice_from("ab"), slice_from("c"));
    assert_string_not_equal(id.text, other.text);
    session_id_make(&other, "web_", slice_from("a"), slice_from("bc"));
    assert_string_equal(id.text + 4, other.text + 4);
    assert_string_not_equal(id.text, other.text);
}

static void expect_list(const struct slice *list, size_t count, const struct slice *expected,
                        size_t expected_count)
{
    assert_int_equal(count, expected_count);
    for (size_t i = 0; i < count; i++)
        assert_true(slice_equal(list[i], expected[i]));
}

static void test_round_trip(void **state)
{
    struct session_record session = session_example(), decoded;
    struct buffer out = {0};

    (void)state;
    assert_int_equal(session_record_encode(&session, &out), 0);
    assert_int_equal(session_record_decode(buffer_slice(&out), &decoded), 0);
    assert_true(slice_equal(decoded.app, session.app));
    assert_true(slice_equal(decoded.config, session.config));
    assert_int_equal(decoded.revision, 7);
    assert_true(slice_equal(decoded.issuer, session.issuer));
    expect_list(decoded.audiences, decoded.audience_count, session.audiences, 2);
    assert_true(slice_equal(decoded.kid, session.kid));
    assert_true(slice_equal(decoded.key_thumbprint, session.key_thumbprint));
    assert_true(slice_is(decoded.algorithm, "RS256"));
    assert_int_equal(decoded.issued_at, session.issued_at);
    assert_int_equal(decoded.not_before, session.not_before);
    assert_int_equal(decoded.expires_at, session.expires_at);
    assert_int_equal(decoded.expires, session.expires);
    assert_int_equal(decoded.created, session.created);
    expect_list(decoded.scopes, decoded.scope_count, session.scopes, 1);
    assert_int_equal(decoded.claim_count, 1);
    assert_true(slice_equal(decoded.claims[0].name, session.claims[0].name));
    assert_true(slice_equal(decoded.claims[0].value, session.claims[0].value));
    assert_true(slice_equal(decoded.user, session.user));
    assert_true(slice_equal(decoded.subject, session.subject));
    expect_list(decoded.roles, decoded.role_count, session.roles, 1);
    assert_true(slice_equal(decoded.jti, session.jti));
    assert_true(slice_equal(decoded.signing_input, session.signing_input));
    assert_true(slice_equal(decoded.client_address, session.client_address));
    buffer_free(&out);
}

/* What was in the struct before does not come through. */
static void test_decoding_sets_every_field(void **state)
{
    struct session_record empty = {.revision = 1}, decoded;
    struct buffer out = {0};

    (void)state;
    memset(&decoded, 0xa5, sizeof(decoded));
    assert_int_equal(session_record_encode(&empty, &out), 0);
    assert_int_equal(session_record_decode(buffer_slice(&out), &decoded), 0);
    assert_int_equal(
        decoded.audience_count + decoded.scope_count + decoded.claim_count + decoded.role_count, 0);
    assert_int_equal(decoded.kid.size + decoded.jti.size + decoded.user.size +
                         decoded.subject.size + decoded.client_address.size + decoded.app.size,
                     0);
    assert_int_equal(decoded.issued_at + decoded.not_before + decoded.expires_at + decoded.expires +
                         decoded.created,
                     0);
    buffer_free(&out);
}

static int decode(struct slice bytes)
{
    struct session_record session;

    return session_record_decode(bytes, &session);
}

static void test_more_than_fits_is_refused(void **state)
{
    struct session_record session = session_example();
    struct buffer out = {0};
    char *at;

    (void)state;
    session.claim_count = SESSION_CLAIMS_MAX;
    session.role_count = SESSION_ROLES_MAX;
    session.scope_count = AUTH_SCOPES_MAX;
    session.audience_count = AUTH_AUDIENCES_MAX;
    assert_int_equal(session_record_encode(&session, &out), 0);
    assert_int_equal(decode(buffer_slice(&out)), 0);
    /* The first role becomes a seventeenth claim's name, and so on: names are what is checked. */
    at = memmem(buffer_data(&out), buffer_size(&out), " role=6:", 8);
    assert_non_null(at);
    at[1] = 'x';
    assert_int_equal(decode(buffer_slice(&out)), -EBADMSG);
    buffer_free(&out);
}

static void test_cuts(void **state)
{
    struct session_record session = session_example();
    struct buffer out = {0};

    (void)state;
    assert_int_equal(session_record_encode(&session, &out), 0);
    expect_cuts_refused(buffer_slice(&out), decode);
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_decoding_sets_every_field),
        cmocka_unit_test(test_more_than_fits_is_refused),
        cmocka_unit_test(test_cuts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
