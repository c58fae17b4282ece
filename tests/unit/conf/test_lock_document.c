#include "tests/unit/conf/documents.h"

#define LOCK(spec) "kind: lock\nversion: v2\nmetadata: {name: ban}\nspec:\n  " spec "\n"

static const struct lock_document *lock_read(const char *text)
{
    read_documents(text);
    assert_int_equal(documents.count, 1);
    assert_int_equal(documents.documents[0].kind, DOCUMENT_LOCK);
    return &documents.documents[0].lock;
}

static void test_whole(void **state)
{
    const struct lock_document *lock =
        lock_read("kind: lock\nversion: v1\nmetadata:\n  name: ban-1\n  description: d\n"
                  "  labels: {team: sec}\nspec:\n  target:\n    user: a@x.test\n"
                  "    subject: \"1\"\n    session: jwt_12\n    jti: j\n    app: red\n"
                  "    issuer: https://i\n  expires: 2027-01-31T18:00:00Z\n  message: why\n");

    (void)state;
    assert_int_equal(documents.documents[0].state, DOCUMENT_GOOD);
    expect_slice(documents.documents[0].name, "ban-1");
    expect_slice(lock->target.values[REVOCATION_USER], "a@x.test");
    expect_slice(lock->target.values[REVOCATION_SUBJECT], "1");
    expect_slice(lock->target.values[REVOCATION_SESSION], "jwt_12");
    expect_slice(lock->target.values[REVOCATION_JTI], "j");
    expect_slice(lock->target.values[REVOCATION_APP], "red");
    expect_slice(lock->target.values[REVOCATION_SIGNING_INPUT], "");
    expect_slice(lock->target.issuer, "https://i");
    assert_int_equal(lock->expires, 1801418400);
    expect_slice(lock->message, "why");
    finish("");
}

static void test_least(void **state)
{
    const struct lock_document *lock = lock_read(LOCK("target: {app: red}"));

    (void)state;
    assert_int_equal(documents.documents[0].state, DOCUMENT_GOOD);
    assert_int_equal(lock->expires, 0);
    expect_slice(lock->message, "");
    finish("");
}

static void test_mistakes(void **state)
{
    static const struct {
        const char *text, *diagnostic;
    } cases[] = {
        {LOCK("target: {}"), "5:11: spec.target: must name a user, subject, session, jti or app"},
        {LOCK("target: {issuer: https://i}"), "spec.target: must name a user"},
        {LOCK("target: {app: a, issuer: https://i}"),
         "spec.target.issuer: narrows a user, subject or jti"},
        {LOCK("target: {usr: a}"), "did you mean \"user\"?"},
        {LOCK("target: {role: admin, user: a}"), "spec.target.role"},
        {LOCK("target: {user: \"\"}"), "spec.target.user"},
        {LOCK("target: {session: abc}"), "spec.target.session: a session id begins with"},
        {LOCK("target: [a]"), "spec.target"},
        {LOCK("message: x"), "spec.target"},
        {LOCK("target: {user: a}\n  expires: tomorrow"), "6:12: spec.expires: must be a date"},
        {LOCK("target: {user: a}\n  expires: 2027-01-31"), "spec.expires: must be a date"},
        {"kind: lock\nversion: v3\nmetadata: {name: a}\nspec: {target: {user: a}}\n", "version"},
        {"kind: lock\nversion: v2\nmetadata: {name: a@b}\nspec: {target: {user: a}}\n",
         "metadata.name"},
        {"kind: lock\nversion: v2\nmetadata: {name: a, expires: x}\nspec: {target: {user: a}}\n",
         "spec.expires says when a lock ends"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        lock_read(cases[i].text);
        assert_int_equal(documents.documents[0].state, DOCUMENT_REFUSED);
        finish_mention(cases[i].diagnostic);
    }
}

/* A change of what is locked must not look like none. */
static void test_hash_is_of_the_meaning(void **state)
{
    static const char *const texts[] = {
        LOCK("target: {user: a}"),
        LOCK("target: {user: b}"),
        LOCK("target: {subject: a}"),
        LOCK("target: {user: a, app: a}"),
        LOCK("target: {user: a, issuer: a}"),
        LOCK("target: {user: a}\n  message: m"),
        LOCK("target: {user: a}\n  expires: 2027-01-31T18:00:00Z"),
        LOCK("target: {user: a}\n  expires: 2027-01-31T18:00:01Z"),
    };
    enum { TEXTS = sizeof(texts) / sizeof(texts[0]) };
    char hashes[TEXTS][DIGEST_HEX_SIZE];

    (void)state;
    for (size_t i = 0; i < TEXTS; i++) {
        lock_read(texts[i]);
        assert_int_equal(documents.documents[0].hash.size, DIGEST_HEX_SIZE);
        memcpy(hashes[i], documents.documents[0].hash.data, DIGEST_HEX_SIZE);
        finish("");
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(hashes[i], hashes[j], DIGEST_HEX_SIZE);
    }
    lock_read(LOCK("message: m\n  target:\n    user: 'a'"));
    assert_memory_equal(documents.documents[0].hash.data, hashes[5], DIGEST_HEX_SIZE);
    finish("");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_least),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_hash_is_of_the_meaning),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
