#include "shared/mcp_session_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "tests/unit/shared/record_cuts.h"
#include "tests/unit/shared/store_fixture.h"

enum { NOW = 1790000000, IDLE = 60 * 1000, MANY = 700 };

static struct mcp_session_record example(const char *id, const char *subject)
{
    return (struct mcp_session_record){.id = slice_from(id),
                                       .origin = {.issuer = slice_from("https://idp.example.com"),
                                                  .subject = slice_from(subject),
                                                  .user = slice_from("alice@example.com"),
                                                  .address = slice_from("::1"),
                                                  .port = 3001,
                                                  .endpoint = UINT64_MAX - 5},
                                       .version = slice_from("2025-11-25"),
                                       .created = NOW - 5,
                                       .used = NOW};
}

static struct store_key key_of(const char *id)
{
    struct store_key key;

    mcp_session_key(&key, slice_from("weather"), slice_from(id));
    return key;
}

static int put(struct store *store, const struct mcp_session_record *record)
{
    struct store_key key;
    int error;

    mcp_session_key(&key, slice_from("weather"), record->id);
    assert_int_equal(store_write_begin(store), 0);
    error = mcp_session_put(store, &key, record, IDLE);
    if (error == 0)
        return store_commit(store);
    store_abort(store);
    return error;
}

static int find(struct store *store, const char *id, struct mcp_session_record *out)
{
    struct store_key key = key_of(id);

    store_turn_end(store);
    store_turn_begin(store);
    return mcp_session_find(store, &key, slice_from(id), out);
}

static int decode(struct slice bytes)
{
    struct mcp_session_record record;

    return mcp_session_record_decode(bytes, &record);
}

static void test_refuses_cut_records(void **state)
{
    struct mcp_session_record record = example("a", "alice");
    struct buffer bytes = {0};

    (void)state;
    assert_int_equal(mcp_session_record_encode(&record, &bytes), 0);
    expect_cuts_refused(buffer_slice(&bytes), decode);
    buffer_free(&bytes);
}

static void test_refuses_half_an_opening(void **state)
{
    struct mcp_session_record record = example("a", "alice");
    struct buffer bytes = {0};
    size_t without;

    (void)state;
    assert_int_equal(mcp_session_record_encode(&record, &bytes), 0);
    without = buffer_size(&bytes);
    buffer_clear(&bytes);
    record.opening = slice_from("{}");
    record.identity = slice_from("digest");
    assert_int_equal(mcp_session_record_encode(&record, &bytes), 0);
    for (size_t size = without + 1; size < buffer_size(&bytes); size++)
        assert_int_equal(decode(slice_make(buffer_data(&bytes), size)), -EBADMSG);
    assert_int_equal(decode(buffer_slice(&bytes)), 0);
    buffer_free(&bytes);
}

static void test_keeps_sessions(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct mcp_session_record record = example("a", "alice"), found;
    struct store_key key = key_of("a");

    assert_int_equal(find(store, "a", &found), -ENOENT);
    assert_int_equal(put(store, &record), 0);
    assert_int_equal(find(store, "a", &found), 0);
    assert_true(slice_is(found.origin.subject, "alice") && slice_is(found.origin.address, "::1"));
    assert_int_equal(found.origin.port, 3001);
    assert_true(found.origin.endpoint == UINT64_MAX - 5);
    assert_int_equal(found.used, NOW);
    assert_int_equal(store_write_begin(store), 0);
    assert_int_equal(mcp_session_touch(store, &key, NOW + 30), 0);
    assert_int_equal(mcp_session_touch(store, &key, NOW + 10), 0); /* another worker's, older */
    assert_int_equal(store_commit(store), 0);
    assert_int_equal(find(store, "a", &found), 0);
    assert_int_equal(found.used, NOW + 30);
    assert_int_equal(store_write_begin(store), 0);
    assert_int_equal(
        mcp_session_set_version(store, &key, slice_from("2025-03-26"), slice_make(NULL, 0)), 0);
    assert_int_equal(store_commit(store), 0);
    assert_int_equal(find(store, "a", &found), 0);
    assert_true(slice_is(found.version, "2025-03-26") && slice_is(found.origin.subject, "alice"));
    assert_int_equal(found.used, NOW + 30);
    assert_int_equal(store_write_begin(store), 0);
    assert_int_equal(mcp_session_delete(store, &key), 0);
    assert_int_equal(mcp_session_delete(store, &key), 0);
    assert_int_equal(mcp_session_touch(store, &key, NOW + 40), 0); /* does not bring it back */
    assert_int_equal(
        mcp_session_set_version(store, &key, slice_from("2025-03-26"), slice_make(NULL, 0)), 0);
    assert_int_equal(store_commit(store), 0);
    assert_int_equal(find(store, "a", &found), -ENOENT);
}

static int move(struct store *store, const struct mcp_session_home *from,
                const struct mcp_session_home *to)
{
    struct store_key key = key_of("a");
    int error;

    assert_int_equal(store_write_begin(store), 0);
    error = to == NULL ? mcp_session_abandon(store, &key, from)
                       : mcp_session_move(store, &key, from, to, NOW + 9);
    if (error == 0)
        return store_commit(store);
    store_abort(store);
    return error;
}

static void test_who_moves_a_session_first_wins(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct mcp_session_record record = example("a", "alice"), found;
    const struct mcp_session_home first = {slice_from("a"), slice_from("::1"), 3001,
                                           UINT64_MAX - 5},
                                  winner = {slice_from("b"), slice_from("::1"), 3002, 17},
                                  loser = {slice_from("c"), slice_from("::1"), 3003, 18},
                                  third = {slice_from("b"), slice_from("::1"), 3003, 18};
    struct store_key key = key_of("a");

    record.version = slice_make(NULL, 0);
    record.opening = slice_from("{\"method\":\"initialize\"}");
    assert_int_equal(move(store, &first, &winner), -ENOENT);
    assert_int_equal(put(store, &record), 0);
    assert_int_equal(find(store, "a", &found), 0);
    assert_false(mcp_session_record_can_reopen(&found));
    assert_int_equal(store_write_begin(store), 0);
    assert_int_equal(
        mcp_session_set_version(store, &key, slice_from("2025-11-25"), slice_from("digest")), 0);
    assert_int_equal(store_commit(store), 0);
    assert_int_equal(move(store, &first, &winner), 0);
    assert_int_equal(move(store, &first, &loser), -EEXIST);
    assert_int_equal(move(store, &first, NULL), -EEXIST);
    assert_int_equal(move(store, &third, &loser), -EEXIST);
    assert_int_equal(find(store, "a", &found), 0);
    assert_true(slice_is(found.id, "a") && slice_is(found.upstream, "b"));
    assert_true(slice_is(found.origin.subject, "alice") && slice_is(found.identity, "digest"));
    assert_true(slice_equal(found.opening, record.opening));
    assert_int_equal(found.origin.port, 3002);
    assert_int_equal(found.origin.endpoint, 17);
    assert_int_equal(found.reopened, NOW + 9);
    assert_int_equal(found.used, NOW + 9);
    assert_true(mcp_session_record_can_reopen(&found));
    assert_int_equal(move(store, &winner, &third),
                     0); /* the id may be the same at another server */
    assert_int_equal(move(store, &third, NULL), 0);
    assert_int_equal(find(store, "a", &found), -ENOENT);
    assert_int_equal(move(store, &third, &first), -ENOENT);
}

/* The largest that is recorded, with ids as long as they get, fits in a record. */
static void test_keeps_the_largest_opening(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    static char id[MCP_SESSION_ID_MAX + 1], opening[MCP_SESSION_OPENING_MAX];
    struct mcp_session_record record, found;

    memset(id, 'i', sizeof(id) - 1);
    memset(opening, 'o', sizeof(opening));
    record = example(id, "alice");
    record.opening = slice_make(opening, sizeof(opening));
    record.upstream = slice_from(id);
    record.reopened = NOW;
    assert_int_equal(put(store, &record), 0);
    assert_int_equal(find(store, id, &found), 0);
    assert_true(slice_equal(found.opening, record.opening));
    assert_true(slice_equal(found.upstream, record.upstream));
}

static void test_keeps_the_first_owner(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct mcp_session_record first = example("a", "alice"), second = example("a", "mallory"),
                              found;

    assert_int_equal(put(store, &first), 0);
    assert_int_equal(put(store, &second), -EEXIST);
    assert_int_equal(put(store, &first), 0);
    assert_int_equal(find(store, "a", &found), 0);
    assert_true(slice_is(found.origin.subject, "alice"));
    second.used = NOW + 10 * IDLE / 1000; /* alice's ended by idleness, and was not swept yet */
    assert_int_equal(put(store, &second), 0);
}

static void test_knows_ids(void **state)
{
    char text[MCP_SESSION_ID_MAX + 1];

    (void)state;
    assert_true(mcp_session_id_is_valid(slice_from("!~")));
    assert_false(mcp_session_id_is_valid(slice_from("")));
    assert_false(mcp_session_id_is_valid(slice_from("a b")));
    assert_false(mcp_session_id_is_valid(slice_from("a\x7f")));
    assert_false(mcp_session_id_is_valid(slice_from("\xc3\xbc")));
    memset(text, 'x', sizeof(text));
    assert_true(mcp_session_id_is_valid(slice_make(text, sizeof(text) - 1)));
    assert_false(mcp_session_id_is_valid(slice_make(text, sizeof(text))));
}

static void test_ends_by_idleness(void **state)
{
    struct mcp_session_record record = example("a", "alice");

    (void)state;
    assert_false(mcp_session_is_idle(&record, NOW + 75, IDLE));
    assert_true(mcp_session_is_idle(&record, NOW + 76, IDLE));
    assert_false(mcp_session_wants_touch(NOW, NOW + 15, IDLE));
    assert_true(mcp_session_wants_touch(NOW, NOW + 16, IDLE));
}

/* More than one sweep looks at, every other one idle; the cursor comes round. */
static void test_sweeps(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct store_key cursor;
    struct store_usage usage;
    size_t removed, sum = 0;

    assert_int_equal(store_write_begin(store), 0);
    for (int i = 0; i < MANY; i++) {
        char id[16];
        struct mcp_session_record record;
        struct store_key key;

        snprintf(id, sizeof(id), "s%05d", i);
        record = example(id, "alice");
        record.used = i % 2 == 0 ? NOW : NOW - 1000;
        key = key_of(id);
        assert_int_equal(mcp_session_put(store, &key, &record, IDLE), 0);
    }
    assert_int_equal(store_commit(store), 0);
    store_key_begin(&cursor);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(mcp_session_sweep(store, &cursor, NOW, IDLE, &removed, NULL), 0);
        sum += removed;
    }
    assert_int_equal(sum, MANY / 2);
    assert_int_equal(store_usage(store, &usage), 0);
    assert_int_equal(usage.entries[STORE_MCP_SESSIONS], MANY / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_cut_records),
        cmocka_unit_test(test_refuses_half_an_opening),
        cmocka_unit_test_setup_teardown(test_keeps_sessions, store_fixture_sessions,
                                        store_fixture_end),
        cmocka_unit_test_setup_teardown(test_who_moves_a_session_first_wins, store_fixture_sessions,
                                        store_fixture_end),
        cmocka_unit_test_setup_teardown(test_keeps_the_largest_opening, store_fixture_sessions,
                                        store_fixture_end),
        cmocka_unit_test_setup_teardown(test_keeps_the_first_owner, store_fixture_sessions,
                                        store_fixture_end),
        cmocka_unit_test(test_knows_ids),
        cmocka_unit_test(test_ends_by_idleness),
        cmocka_unit_test_setup_teardown(test_sweeps, store_fixture_sessions, store_fixture_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
