#include "shared/control_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/shared/record_cuts.h"

#define DIGEST "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static struct control_request request_of(enum revocation_kind kind, const char *value)
{
    struct control_request request = {.why = slice_from("why")};

    request.target.values[kind] = slice_from(value);
    return request;
}

static int decode_request(struct slice bytes)
{
    struct control_request request;

    return control_request_decode(bytes, &request);
}

static int pass(const struct control_request *request)
{
    struct buffer bytes = {0};
    int error;

    assert_int_equal(control_request_encode(request, &bytes), 0);
    error = decode_request(buffer_slice(&bytes));
    buffer_free(&bytes);
    return error;
}

static void test_request_round_trip(void **state)
{
    struct control_request request = request_of(REVOCATION_SESSION, "jwt_1"), read;
    struct buffer bytes = {0};

    (void)state;
    request.target.values[REVOCATION_SIGNING_INPUT] = slice_from(DIGEST);
    request.ends = 1790000000;
    assert_int_equal(control_request_encode(&request, &bytes), 0);
    memset(&read, 0xa5, sizeof(read));
    assert_int_equal(control_request_decode(buffer_slice(&bytes), &read), 0);
    assert_true(slice_is(read.target.values[REVOCATION_SESSION], "jwt_1"));
    assert_true(slice_is(read.target.values[REVOCATION_SIGNING_INPUT], DIGEST));
    assert_int_equal(read.target.values[REVOCATION_USER].size, 0);
    assert_int_equal(read.ends, 1790000000);
    assert_true(slice_is(read.why, "why"));
    expect_cuts_refused(buffer_slice(&bytes), decode_request);
    buffer_free(&bytes);
}

static void test_drain_round_trip(void **state)
{
    struct control_request request = {
        .drain = {.app = slice_from("a"), .endpoint = slice_from("h:1"), .undo = true}};
    struct control_request read;
    struct buffer bytes = {0};

    (void)state;
    assert_int_equal(control_request_encode(&request, &bytes), 0);
    memset(&read, 0xa5, sizeof(read));
    assert_int_equal(control_request_decode(buffer_slice(&bytes), &read), 0);
    assert_true(slice_is(read.drain.app, "a"));
    assert_true(slice_is(read.drain.endpoint, "h:1"));
    assert_true(read.drain.undo);
    expect_cuts_refused(buffer_slice(&bytes), decode_request);
    buffer_free(&bytes);
    request.drain.endpoint = slice_make(NULL, 0);
    assert_int_equal(pass(&request), -EBADMSG);
    request.drain.endpoint = slice_from("h\n");
    assert_int_equal(pass(&request), -EBADMSG);
}

static void test_one_thing_is_named(void **state)
{
    static const enum revocation_kind kinds[] = {
        REVOCATION_SESSION, REVOCATION_JTI, REVOCATION_SUBJECT, REVOCATION_USER, REVOCATION_APP};
    struct control_request request = {0};

    (void)state;
    assert_int_equal(pass(&request), -EBADMSG);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        request = request_of(kinds[i], "x");
        assert_int_equal(pass(&request), 0);
        request.target.issuer = slice_from("https://i");
        assert_int_equal(pass(&request), revocation_kind_has_issuer(kinds[i]) ? 0 : -EBADMSG);
        request.target.issuer.size = 0;
        request.target.values[kinds[(i + 1) % 5]] = slice_from("y");
        assert_int_equal(pass(&request), -EBADMSG);
    }
}

static void test_signing_input_goes_with_a_session(void **state)
{
    struct control_request request = request_of(REVOCATION_SIGNING_INPUT, DIGEST);

    (void)state;
    assert_int_equal(pass(&request), -EBADMSG);
    request.target.values[REVOCATION_USER] = slice_from("x");
    assert_int_equal(pass(&request), -EBADMSG);
    request = request_of(REVOCATION_SESSION, "jwt_1");
    request.target.values[REVOCATION_SIGNING_INPUT] = slice_from("BA78");
    assert_int_equal(pass(&request), -EBADMSG);
}

static void test_sizes_and_bytes(void **state)
{
    char text[CONTROL_ISSUER_MAX + 2];
    struct control_request request;

    (void)state;
    memset(text, 'x', sizeof(text));
    text[CONTROL_VALUE_MAX] = '\0';
    request = request_of(REVOCATION_USER, text);
    assert_int_equal(pass(&request), 0);
    request.why = slice_make(text, CONTROL_WHY_MAX);
    assert_int_equal(pass(&request), 0);
    text[CONTROL_VALUE_MAX] = 'x';
    request.why = slice_make(text, CONTROL_WHY_MAX + 1);
    assert_int_equal(pass(&request), -EBADMSG);
    request = request_of(REVOCATION_USER, "x");
    request.target.values[REVOCATION_USER] = slice_make(text, CONTROL_VALUE_MAX + 1);
    assert_int_equal(pass(&request), -EBADMSG);
    request = request_of(REVOCATION_USER, "x");
    request.target.issuer = slice_make(text, CONTROL_ISSUER_MAX);
    assert_int_equal(pass(&request), 0);
    request.target.issuer.size++;
    assert_int_equal(pass(&request), -EBADMSG);
    request = request_of(REVOCATION_USER, "a\x1b[2J");
    assert_int_equal(pass(&request), -EBADMSG);
    request = request_of(REVOCATION_USER, "a");
    request.why = slice_from("two\nlines");
    assert_int_equal(pass(&request), -EBADMSG);
    request.why = slice_from("d\xc3\xa9j\xc3\xa0");
    assert_int_equal(pass(&request), 0);
}

static int decode_answer(struct slice bytes)
{
    struct control_answer answer;

    return control_answer_decode(bytes, &answer);
}

static void test_answer(void **state)
{
    struct control_answer answer = {
        .status = -ENOSPC, .since = 4, .until = 9, .text = slice_from("full")};
    struct control_answer read;
    struct buffer bytes = {0};

    (void)state;
    assert_int_equal(control_answer_encode(&answer, &bytes), 0);
    assert_int_equal(control_answer_decode(buffer_slice(&bytes), &read), 0);
    assert_int_equal(read.status, -ENOSPC);
    assert_int_equal(read.since, 4);
    assert_int_equal(read.until, 9);
    assert_true(slice_is(read.text, "full"));
    expect_cuts_refused(buffer_slice(&bytes), decode_answer);
    buffer_clear(&bytes);
    answer.text = slice_from("\x1b[2J");
    assert_int_equal(control_answer_encode(&answer, &bytes), 0);
    assert_int_equal(decode_answer(buffer_slice(&bytes)), -EBADMSG);
    buffer_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_round_trip),
        cmocka_unit_test(test_drain_round_trip),
        cmocka_unit_test(test_one_thing_is_named),
        cmocka_unit_test(test_signing_input_goes_with_a_session),
        cmocka_unit_test(test_sizes_and_bytes),
        cmocka_unit_test(test_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
