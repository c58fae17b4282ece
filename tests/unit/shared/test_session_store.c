#include "shared/session_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "tests/unit/shared/session_example.h"
#include "tests/unit/shared/store_fixture.h"

static struct session_id id_of(const char *token)
{
    struct session_id id;

    session_id_make(&id, SESSION_KIND_JWT, slice_from("weather"), slice_from(token));
    return id;
}

static void put(struct store *store, const struct session_id *id,
                const struct session_record *session)
{
    assert_int_equal(store_write_begin(store), 0);
    assert_int_equal(session_store_put(store, id, session), 0);
    assert_int_equal(store_commit(store), 0);
}

static void expect_entries(struct store *store, uint64_t sessions, uint64_t by_user,
                           uint64_t by_expiry)
{
    struct store_usage usage;

    assert_int_equal(store_usage(store, &usage), 0);
    assert_int_equal(usage.entries[STORE_SESSION], sessions);
    assert_int_equal(usage.entries[STORE_SESSIONS_BY_USER], by_user);
    assert_int_equal(usage.entries[STORE_SESSIONS_BY_EXPIRY], by_expiry);
    store_turn_end(store);
}

static void expect_entry(struct store *store, enum store_database database, const char *name,
                         const char *expected)
{
    struct slice value;

    assert_int_equal(store_fixture_get(store, database, name, &value), 0);
    assert_true(slice_is(value, expected));
}

static size_t count_user(struct store *store, struct slice issuer, const char *user, size_t limit)
{
    struct store_key key;
    size_t count = 99;

    session_store_user_key(&key, issuer, slice_from(user));
    assert_int_equal(session_store_count_user(store, &key, limit, &count), 0);
    return count;
}

static void test_put_find_delete(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct session_record session = session_example(), found;
    struct session_id id = id_of("token"), other = id_of("other");

    assert_int_equal(session_store_find(store, &id, &found), -ENOENT);
    put(store, &id, &session);
    assert_int_equal(session_store_find(store, &id, &found), 0);
    assert_true(slice_is(found.user, "alice@example.com"));
    assert_int_equal(found.expires, session.expires);
    assert_int_equal(session_store_find(store, &other, &found), -ENOENT);
    expect_entries(store, 1, 1, 1);
    assert_int_equal(store_write_begin(store), 0);
    assert_int_equal(session_store_delete(store, &other), -ENOENT);
    assert_int_equal(session_store_delete(store, &id), 0);
    assert_int_equal(store_commit(store), 0);
    expect_entries(store, 0, 0, 0);
}

/* The keys are what operators read, and other commands look for. */
static void test_key_shapes(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct session_record session = session_example();
    struct session_id id = id_of("token");
    struct digest issuer;
    char key[512], hex[DIGEST_HEX_SIZE + 1], turn[17];

    session.user = slice_from("a b/c");
    put(store, &id, &session);
    snprintf(turn, sizeof(turn), "%016llx", (unsigned long long)store_last_write(store));
    digest_of(session.issuer, &issuer);
    digest_hex(&issuer, hex);
    snprintf(key, sizeof(key), "%s/a%%20b%%2Fc/%s", hex, id.text);
    expect_entry(store, STORE_SESSIONS_BY_USER, key, turn);
    snprintf(key, sizeof(key), "%016llx/%s/%s", (unsigned long long)session.expires, turn, id.text);
    expect_entry(store, STORE_SESSIONS_BY_EXPIRY, key, "1");
}

static int expect_turn(void *context, struct slice key, struct slice value)
{
    uint64_t *turn = context;
    char expected[17];

    (void)value;
    snprintf(expected, sizeof(expected), "%016llx", (unsigned long long)*turn);
    assert_true(slice_equal(slice_make(key.data + 17, 16), slice_from(expected)));
    ++*turn;
    return 0;
}

/* Whatever their ids, so that a turn's entries are neighbours. */
static void test_sessions_of_a_second_are_in_the_order_of_their_turns(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct session_record session = session_example();
    uint64_t turn = store_last_write(store) + 1;
    struct slice all = {0};

    for (int i = 0; i < 20; i++) {
        char token[2] = {(char)('a' + i), '\0'};
        struct session_id id = id_of(token);

        put(store, &id, &session);
    }
    assert_int_equal(store_scan(store, STORE_SESSIONS_BY_EXPIRY, all, all, expect_turn, &turn), 0);
    assert_int_equal(turn, store_last_write(store) + 1);
}

static void test_put_again_moves_the_indexes(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct session_record session = session_example(), found;
    struct session_id id = id_of("token");

    put(store, &id, &session);
    session.expires -= 100;
    session.user = slice_from("renamed");
    put(store, &id, &session);
    expect_entries(store, 1, 1, 1);
    assert_int_equal(session_store_find(store, &id, &found), 0);
    assert_int_equal(found.expires, session.expires);
    assert_int_equal(count_user(store, session.issuer, "renamed", 10), 1);
}

static void test_an_unreadable_record_is_replaced(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct session_record session = session_example(), found;
    struct session_id id = id_of("token");

    assert_int_equal(store_fixture_put(store, STORE_SESSION, id.text, slice_from("1 junk")), 0);
    assert_int_equal(session_store_find(store, &id, &found), -EBADMSG);
    put(store, &id, &session);
    assert_int_equal(session_store_find(store, &id, &found), 0);
    store_turn_end(store);
    assert_int_equal(store_fixture_put(store, STORE_SESSION, id.text, slice_from("1 junk")), 0);
    assert_int_equal(store_write_begin(store), 0);
    assert_int_equal(session_store_delete(store, &id), 0);
    assert_int_equal(store_commit(store), 0);
    assert_int_equal(session_store_find(store, &id, &found), -ENOENT);
}

static void test_a_batch_is_written_whole_or_not(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct session_record session = session_example();
    struct session_id ids[2] = {id_of("one"), id_of("two")};

    assert_int_equal(store_write_begin(store), 0);
    assert_int_equal(session_store_put(store, &ids[0], &session), 0);
    assert_int_equal(session_store_put(store, &ids[1], &session), 0);
    store_abort(store);
    expect_entries(store, 0, 0, 0);
}

/* A user is always (issuer, name): no prefix of a name is the name. */
static void test_count_user(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct session_record session = session_example();

    for (int i = 0; i < 5; i++) {
        struct session_id id;
        char token[2] = {(char)('a' + i), '\0'};

        id = id_of(token);
        session.user = slice_from(i < 3 ? "al" : "alice");
        put(store, &id, &session);
    }
    assert_int_equal(count_user(store, session.issuer, "al", 10), 3);
    assert_int_equal(count_user(store, session.issuer, "al", 2), 2);
    assert_int_equal(count_user(store, session.issuer, "al", 0), 0);
    assert_int_equal(count_user(store, session.issuer, "ali", 10), 0);
    assert_int_equal(count_user(store, slice_from("https://x"), "al", 10), 0);
}

static void expire(struct store *store, const char *key, bool expected)
{
    bool removed = !expected;

    assert_int_equal(store_write_begin(store), 0);
    assert_int_equal(session_store_expire(store, slice_from(key), &removed, NULL), 0);
    assert_int_equal(store_commit(store), 0);
    assert_int_equal(removed, expected);
}

static void test_expire(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct session_record session = session_example(), found;
    struct session_id id = id_of("token");
    char stale[128], current[128];

    put(store, &id, &session);
    snprintf(current, sizeof(current), "%016llx/%016llx/%s", (unsigned long long)session.expires,
             (unsigned long long)store_last_write(store), id.text);
    snprintf(stale, sizeof(stale), "%016llx/%016x/%s", (unsigned long long)session.expires - 1, 1,
             id.text);
    /* An entry of another time, or no entry of ours at all, takes no session with it. */
    assert_int_equal(store_fixture_put(store, STORE_SESSIONS_BY_EXPIRY, stale, slice_from("1")), 0);
    assert_int_equal(store_fixture_put(store, STORE_SESSIONS_BY_EXPIRY, "junk", slice_from("1")),
                     0);
    expect_entries(store, 1, 1, 3);
    expire(store, stale, false);
    expire(store, "junk", false);
    expect_entries(store, 1, 1, 1);
    assert_int_equal(session_store_find(store, &id, &found), 0);
    expire(store, current, true);
    expect_entries(store, 0, 0, 0);
    /* Another process may have been first. */
    expire(store, current, false);
}

/* What stands in the indexes as earlier programs wrote it, without a turn. */
static void put_early(struct store *store, const struct session_id *id,
                      const struct session_record *session, char expiry[128])
{
    struct store_key user;
    char now[128];

    put(store, id, session);
    snprintf(now, sizeof(now), "%016llx/%016llx/%s", (unsigned long long)session->expires,
             (unsigned long long)store_last_write(store), id->text);
    snprintf(expiry, 128, "%016llx/%s", (unsigned long long)session->expires, id->text);
    session_store_user_key(&user, session->issuer, session->user);
    store_key_plain(&user, id->text);
    assert_int_equal(store_fixture_put(store, STORE_SESSIONS_BY_EXPIRY, expiry, slice_from("1")),
                     0);
    assert_int_equal(store_fixture_put(store, STORE_SESSIONS_BY_USER, user.text, slice_from("1")),
                     0);
    expect_entries(store, 1, 1, 2);
    assert_int_equal(store_write_begin(store), 0);
    store_key_begin(&user);
    store_key_plain(&user, now);
    assert_int_equal(store_delete(store, STORE_SESSIONS_BY_EXPIRY, &user), 0);
    assert_int_equal(store_commit(store), 0);
}

static void test_indexes_of_earlier_programs(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct session_record session = session_example();
    struct session_id id = id_of("token");
    char expiry[128];

    put_early(store, &id, &session, expiry);
    expire(store, expiry, true);
    expect_entries(store, 0, 0, 0);
    put_early(store, &id, &session, expiry);
    put(store, &id, &session);
    expect_entries(store, 1, 1, 1);
}

#define ON_STORE(test) \
    cmocka_unit_test_setup_teardown(test, store_fixture_sessions, store_fixture_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_STORE(test_put_find_delete),
        ON_STORE(test_key_shapes),
        ON_STORE(test_sessions_of_a_second_are_in_the_order_of_their_turns),
        ON_STORE(test_put_again_moves_the_indexes),
        ON_STORE(test_an_unreadable_record_is_replaced),
        ON_STORE(test_a_batch_is_written_whole_or_not),
        ON_STORE(test_count_user),
        ON_STORE(test_expire),
        ON_STORE(test_indexes_of_earlier_programs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
