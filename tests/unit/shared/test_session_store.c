#include "shared/session_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "shared/session_end.h"
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

static void remove_session(struct store *store, const struct session_id *id, int expected)
{
    assert_int_equal(store_write_begin(store), 0);
    assert_int_equal(session_store_delete(store, id), expected);
    assert_int_equal(store_commit(store), 0);
}

static void expire(struct store *store, const char *key, bool expected)
{
    bool removed = !expected;

    assert_int_equal(store_write_begin(store), 0);
    assert_int_equal(session_store_expire(store, slice_from(key), &removed, NULL), 0);
    assert_int_equal(store_commit(store), 0);
    assert_int_equal(removed, expected);
}

static void expect_entries(struct store *store, uint64_t sessions, uint64_t by_user, uint64_t by_id)
{
    struct store_usage usage;

    assert_int_equal(store_usage(store, &usage), 0);
    assert_int_equal(usage.entries[STORE_SESSION], sessions);
    assert_int_equal(usage.entries[STORE_SESSIONS_BY_USER], by_user);
    assert_int_equal(usage.entries[STORE_SESSIONS_BY_ID], by_id);
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
    struct session_id id = id_of("token"), found;
    struct digest issuer;
    struct slice value;
    char key[512], place[34], hex[DIGEST_HEX_SIZE + 1];

    session.user = slice_from("a b/c");
    put(store, &id, &session);
    snprintf(place, sizeof(place), "%016llx/%016llx", (unsigned long long)session.expires,
             (unsigned long long)store_last_write(store));
    snprintf(key, sizeof(key), "%.20s", id.text);
    expect_entry(store, STORE_SESSIONS_BY_ID, key, place);
    digest_of(session.issuer, &issuer);
    digest_hex(&issuer, hex);
    snprintf(key, sizeof(key), "%.16s/a%%20b%%2Fc/%s/%.20s", hex, place + 17, id.text);
    expect_entry(store, STORE_SESSIONS_BY_USER, key, "1");
    snprintf(key, sizeof(key), "%s/%s", place, id.text);
    assert_int_equal(store_fixture_get(store, STORE_SESSION, key, &value), 0);
    assert_true(session_store_key_id(slice_from(key), &found));
    assert_string_equal(found.text, id.text);
    for (size_t i = 0; i < strlen(key); i++) {
        char wrong[512];

        strcpy(wrong, key);
        wrong[i] = '\0';
        assert_false(session_store_key_id(slice_from(wrong), &found));
        assert_false(session_store_key_id(slice_make(wrong, strlen(key)), &found));
        wrong[i] = i <= strlen(place) ? '.' : key[i];
        assert_int_equal(session_store_key_id(slice_from(wrong), &found), i > strlen(place));
    }
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
    assert_int_equal(store_scan(store, STORE_SESSION, all, all, expect_turn, &turn), 0);
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
    char key[128];

    put(store, &id, &session);
    session_example_key(store, &id, session.expires, key);
    assert_int_equal(store_fixture_put(store, STORE_SESSION, key, slice_from("1 junk")), 0);
    assert_int_equal(session_store_find(store, &id, &found), -EBADMSG);
    put(store, &id, &session);
    assert_int_equal(session_store_find(store, &id, &found), 0);
    store_turn_end(store);
    session_example_key(store, &id, session.expires, key);
    assert_int_equal(store_fixture_put(store, STORE_SESSION, key, slice_from("1 junk")), 0);
    remove_session(store, &id, 0);
    assert_int_equal(session_store_find(store, &id, &found), -ENOENT);
}

static void test_an_unreadable_place_is_replaced(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct session_record session = session_example(), found;
    struct session_id id = id_of("token");
    char key[21];

    snprintf(key, sizeof(key), "%.20s", id.text);
    assert_int_equal(store_fixture_put(store, STORE_SESSIONS_BY_ID, key, slice_from("1")), 0);
    assert_int_equal(session_store_find(store, &id, &found), -EBADMSG);
    put(store, &id, &session);
    assert_int_equal(session_store_find(store, &id, &found), 0);
    store_turn_end(store);
    expect_entries(store, 1, 1, 1);
}

/* One is never taken for the other; the later is found, and what the earlier left ends in time. */
static void test_ids_that_begin_alike(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct session_record session = session_example(), found;
    struct session_id id = id_of("token"), alike = id;
    char first[128];

    alike.text[SESSION_STORE_ID_SIZE] ^= 1;
    put(store, &id, &session);
    session_example_key(store, &id, session.expires, first);
    assert_int_equal(session_store_find(store, &alike, &found), -ENOENT);
    store_turn_end(store);
    remove_session(store, &alike, -ENOENT);
    session.user = slice_from("bob");
    put(store, &alike, &session);
    assert_int_equal(session_store_find(store, &id, &found), -ENOENT);
    assert_int_equal(session_store_find(store, &alike, &found), 0);
    assert_true(slice_is(found.user, "bob"));
    expect_entries(store, 2, 2, 1);
    expire(store, first, false);
    expect_entries(store, 1, 1, 1);
    assert_int_equal(session_store_find(store, &alike, &found), 0);
}

/* As the record's place is remembered, and as it moves. */
static void test_read_again(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct session_record session = session_example();
    struct session_id id = id_of("token"), other = id_of("other");
    struct session_place place = {0};
    struct slice record;

    assert_int_equal(session_store_read(store, &id, &place, &record), -ENOENT);
    put(store, &id, &session);
    assert_int_equal(session_store_read(store, &id, &place, &record), 0);
    assert_int_equal(place.seconds, session.expires);
    assert_int_equal(place.turn, store_last_write(store));
    put(store, &other, &session);
    assert_int_equal(session_store_read(store, &id, &place, &record), 0);
    assert_int_equal(place.turn, store_last_write(store) - 1);
    session.expires -= 10;
    put(store, &id, &session);
    assert_int_equal(session_store_read(store, &id, &place, &record), 0);
    assert_int_equal(place.seconds, session.expires);
    assert_int_equal(place.turn, store_last_write(store));
    store_turn_end(store);
    remove_session(store, &id, 0);
    assert_int_equal(session_store_read(store, &id, &place, &record), -ENOENT);
}

static int expect_session(void *context, struct slice key, struct slice value)
{
    struct session_record session;
    struct session_id id;

    assert_true(session_store_key_id(key, &id));
    assert_int_equal(session_record_decode(value, &session), 0);
    *(size_t *)context += 1;
    return 0;
}

static size_t count_found(struct store *store, const char *prefix)
{
    size_t count = 0;

    assert_int_equal(session_store_search(store, prefix, expect_session, &count), 0);
    store_turn_end(store);
    return count;
}

static void test_search(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct session_record session = session_example();
    struct session_id id = id_of("token"), other = id_of("other"), alike = id;

    alike.text[SESSION_STORE_ID_SIZE] ^= 1;
    put(store, &id, &session);
    put(store, &other, &session);
    assert_int_equal(count_found(store, ""), 2);
    assert_int_equal(count_found(store, "jwt_"), 2);
    for (size_t size = 12; size <= SESSION_ID_SIZE; size++) {
        char prefix[SESSION_ID_SIZE + 1];

        snprintf(prefix, sizeof(prefix), "%.*s", (int)size, id.text);
        assert_int_equal(count_found(store, prefix), 1);
    }
    assert_int_equal(count_found(store, alike.text), 0);
    assert_int_equal(count_found(store, "jwt_x"), 0);
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

static void test_expire(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct session_record session = session_example(), found;
    struct session_id id = id_of("token");
    char stale[128], current[128];

    put(store, &id, &session);
    session_example_key(store, &id, session.expires, current);
    snprintf(stale, sizeof(stale), "%016llx/%016x/%s", (unsigned long long)session.expires - 1, 1,
             id.text);
    /* An entry of another time, or no entry of ours at all, takes no session with it. */
    assert_int_equal(store_fixture_put(store, STORE_SESSION, stale, slice_from("1")), 0);
    assert_int_equal(store_fixture_put(store, STORE_SESSION, "junk", slice_from("1")), 0);
    expect_entries(store, 3, 1, 1);
    expire(store, stale, false);
    expire(store, "junk", false);
    expect_entries(store, 1, 1, 1);
    assert_int_equal(session_store_find(store, &id, &found), 0);
    expire(store, current, true);
    expect_entries(store, 0, 0, 0);
    /* Another process may have been first. */
    expire(store, current, false);
}

static void test_the_audit_trail_is_told(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct session_record session = session_example(), decoded;
    struct session_id id = id_of("token");
    struct session_end end;
    struct buffer ended = {0};
    struct slice rest;
    bool removed;
    char key[128];

    put(store, &id, &session);
    session_example_key(store, &id, session.expires, key);
    assert_int_equal(store_write_begin(store), 0);
    assert_int_equal(session_store_expire(store, slice_from(key), &removed, &ended), 0);
    assert_int_equal(store_commit(store), 0);
    assert_true(removed);
    rest = buffer_slice(&ended);
    assert_true(session_end_next(&rest, &end));
    assert_int_equal(end.kind, SESSION_END_GATE);
    assert_true(slice_is(end.key, id.text));
    assert_int_equal(session_record_decode(end.record, &decoded), 0);
    assert_true(slice_equal(decoded.user, session.user));
    assert_false(session_end_next(&rest, &end));
    buffer_free(&ended);
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
        ON_STORE(test_an_unreadable_place_is_replaced),
        ON_STORE(test_ids_that_begin_alike),
        ON_STORE(test_read_again),
        ON_STORE(test_search),
        ON_STORE(test_a_batch_is_written_whole_or_not),
        ON_STORE(test_count_user),
        ON_STORE(test_expire),
        ON_STORE(test_the_audit_trail_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
