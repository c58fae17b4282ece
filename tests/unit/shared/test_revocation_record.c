#include "shared/revocation_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/shared/record_cuts.h"
#include "tests/unit/shared/session_example.h"

static const int64_t now = 1790000100;

static struct revocation_record of(enum revocation_kind kind, const char *value)
{
    struct revocation_record record = {.made = now, .uid = -1};

    record.target.values[kind] = slice_from(value);
    return record;
}

static struct session_id session_id_example(void)
{
    struct session_id id;

    session_id_make(&id, SESSION_KIND_JWT, slice_from("weather"), slice_from("token"));
    return id;
}

static bool names(const struct revocation_record *record)
{
    struct session_record session = session_example();
    struct session_id id = session_id_example();

    return revocation_record_names(record, &id, &session, now);
}

static int decode(struct slice bytes)
{
    struct revocation_record record;

    return revocation_record_decode(bytes, &record);
}

static void test_round_trip(void **state)
{
    struct revocation_record record = of(REVOCATION_USER, "alice@example.com"), read;
    struct buffer bytes = {0};

    (void)state;
    record.target.values[REVOCATION_APP] = slice_from("weather");
    record.target.issuer = slice_from("https://idp.example.com");
    record.since = 5;
    record.until = 6;
    record.uid = 1000;
    record.lock = slice_from("ban");
    record.why = slice_from("lost laptop");
    assert_int_equal(revocation_record_encode(&record, &bytes), 0);
    memset(&read, 0xa5, sizeof(read));
    assert_int_equal(revocation_record_decode(buffer_slice(&bytes), &read), 0);
    for (int kind = 0; kind < REVOCATION_KINDS; kind++)
        assert_true(slice_equal(read.target.values[kind], record.target.values[kind]));
    assert_true(slice_equal(read.target.issuer, record.target.issuer));
    assert_int_equal(read.since, 5);
    assert_int_equal(read.until, 6);
    assert_int_equal(read.made, now);
    assert_int_equal(read.uid, 1000);
    assert_true(slice_is(read.lock, "ban"));
    assert_true(slice_is(read.why, "lost laptop"));
    expect_cuts_refused(buffer_slice(&bytes), decode);
    buffer_free(&bytes);
}

/* It would fit everybody. */
static void test_record_that_names_nothing_is_refused(void **state)
{
    struct revocation_record record = {.target.issuer = slice_from("https://idp.example.com")};
    struct buffer bytes = {0};

    (void)state;
    assert_int_equal(revocation_record_encode(&record, &bytes), 0);
    assert_int_equal(decode(buffer_slice(&bytes)), -EBADMSG);
    buffer_free(&bytes);
}

static void expect_key(const struct revocation_record *record, const char *expected)
{
    struct store_key key;

    revocation_record_key(&key, record);
    assert_string_equal(key.text, expected);
    assert_false(key.impossible);
}

static void test_keys(void **state)
{
    struct revocation_record record = of(REVOCATION_USER, "a/b");
    struct store_key key;

    (void)state;
    expect_key(&record, "user/any/a%2Fb/@command");
    record.lock = slice_from("ban");
    expect_key(&record, "user/any/a%2Fb/ban");
    /* printf i | sha256sum */
    record.target.issuer = slice_from("i");
    expect_key(&record, "user/de7d1b721a1e0632b7cf04edf5032c8ecffa9f9a08492152b926f1a5a7e765d7/"
                        "a%2Fb/ban");
    revocation_record_prefix(&key, REVOCATION_USER, slice_from("i"), slice_from("a/b"));
    assert_string_equal(key.text,
                        "user/de7d1b721a1e0632b7cf04edf5032c8ecffa9f9a08492152b926f1a5a7e765d7/"
                        "a%2Fb/");
    record = of(REVOCATION_APP, "weather");
    expect_key(&record, "app/weather/@command");
    /* Of several the first kind, whose look-up finds it for each session that it may name. */
    record.target.values[REVOCATION_SESSION] = slice_from("jwt_1");
    expect_key(&record, "session/jwt_1/@command");
}

static void test_each_kind_names(void **state)
{
    static const struct {
        enum revocation_kind kind;
        const char *value;
    } cases[] = {
        {REVOCATION_SIGNING_INPUT,
         "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {REVOCATION_JTI, "j-1"},
        {REVOCATION_SUBJECT, "00u1"},
        {REVOCATION_USER, "alice@example.com"},
        {REVOCATION_APP, "weather"},
    };
    struct session_id id = session_id_example();
    struct revocation_record record = of(REVOCATION_SESSION, id.text);

    (void)state;
    assert_true(names(&record));
    record = of(REVOCATION_SESSION, "jwt_other");
    assert_false(names(&record));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        record = of(cases[i].kind, cases[i].value);
        assert_true(names(&record));
        record.target.values[cases[i].kind].size--;
        assert_false(names(&record));
        /* The value of another kind is not it. */
        record = of(cases[i].kind == REVOCATION_USER ? REVOCATION_SUBJECT : REVOCATION_USER,
                    cases[i].value);
        assert_false(names(&record));
    }
}

static void test_all_that_is_named_must_fit(void **state)
{
    struct revocation_record record = of(REVOCATION_USER, "alice@example.com");

    (void)state;
    record.target.values[REVOCATION_APP] = slice_from("weather");
    assert_true(names(&record));
    record.target.values[REVOCATION_APP] = slice_from("other");
    assert_false(names(&record));
    record.target.values[REVOCATION_APP] = slice_from("weather");
    record.target.issuer = slice_from("https://idp.example.com");
    assert_true(names(&record));
    record.target.issuer = slice_from("https://idp.example.com/");
    assert_false(names(&record));
}

static void test_times(void **state)
{
    struct revocation_record record = of(REVOCATION_APP, "weather");

    (void)state;
    record.until = now + 1;
    assert_true(names(&record));
    record.until = now;
    assert_false(names(&record));
    record.until = 0;
    /* The example's iat. */
    record.since = 1790000000;
    assert_true(names(&record));
    record.since--;
    assert_false(names(&record));
}

static int decode_sequence(struct slice bytes)
{
    uint64_t sequence;

    return revocation_sequence_decode(bytes, &sequence);
}

static void test_sequence(void **state)
{
    struct buffer bytes = {0};
    struct store_key key;
    uint64_t sequence = 0;

    (void)state;
    revocation_sequence_key(&key);
    assert_string_equal(key.text, "revocations");
    assert_int_equal(revocation_sequence_encode(77, &bytes), 0);
    assert_int_equal(revocation_sequence_decode(buffer_slice(&bytes), &sequence), 0);
    assert_int_equal(sequence, 77);
    expect_cuts_refused(buffer_slice(&bytes), decode_sequence);
    buffer_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_record_that_names_nothing_is_refused),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_each_kind_names),
        cmocka_unit_test(test_all_that_is_named_must_fit),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_sequence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
