#include "shared/mcp_task_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "tests/unit/shared/record_cuts.h"
#include "tests/unit/shared/store_fixture.h"

enum { NOW = 1790000000, TTL = 100, MANY = 700 };

static struct mcp_task_record example(const char *id, const char *subject)
{
    return (struct mcp_task_record){.id = slice_from(id),
                                    .origin = {.issuer = slice_from("https://idp.example.com"),
                                               .subject = slice_from(subject),
                                               .user = slice_from("alice@example.com"),
                                               .address = slice_from("127.0.0.1"),
                                               .port = 3001,
                                               .endpoint = UINT64_MAX - 5},
                                    .method = slice_from("tools/call"),
                                    .tool = slice_from("report"),
                                    .created = NOW,
                                    .used = NOW,
                                    .ttl = TTL};
}

static int put(struct store *store, const struct mcp_task_record *record)
{
    struct store_key key;
    int error;

    mcp_task_key(&key, slice_from("weather"), record->id);
    assert_int_equal(store_write_begin(store), 0);
    error = mcp_task_put(store, &key, record);
    if (error == 0)
        return store_commit(store);
    store_abort(store);
    return error;
}

static int find(struct store *store, const char *app, const char *id, int64_t now,
                struct mcp_task_record *out)
{
    struct store_key key;

    mcp_task_key(&key, slice_from(app), slice_from(id));
    store_turn_end(store);
    store_turn_begin(store);
    return mcp_task_find(store, &key, slice_from(id), now, out);
}

static void touch(struct store *store, const char *id, int64_t now)
{
    struct store_key key;

    mcp_task_key(&key, slice_from("weather"), slice_from(id));
    assert_int_equal(store_write_begin(store), 0);
    assert_int_equal(mcp_task_touch(store, &key, now), 0);
    assert_int_equal(store_commit(store), 0);
}

static int decode(struct slice bytes)
{
    struct mcp_task_record record;

    return mcp_task_record_decode(bytes, &record);
}

static void test_refuses_cut_records(void **state)
{
    struct mcp_task_record record = example("a", "alice");
    struct buffer bytes = {0};

    (void)state;
    assert_int_equal(mcp_task_record_encode(&record, &bytes), 0);
    expect_cuts_refused(buffer_slice(&bytes), decode);
    buffer_free(&bytes);
}

static void test_keeps_tasks(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct mcp_task_record record = example("a", "alice"), found;

    assert_int_equal(find(store, "weather", "a", NOW, &found), -ENOENT);
    assert_int_equal(put(store, &record), 0);
    assert_int_equal(find(store, "weather", "a", NOW + TTL, &found), 0);
    assert_true(slice_is(found.origin.subject, "alice") &&
                slice_is(found.origin.address, "127.0.0.1"));
    assert_true(slice_is(found.method, "tools/call") && slice_is(found.tool, "report"));
    assert_int_equal(found.origin.port, 3001);
    assert_true(found.origin.endpoint == UINT64_MAX - 5);
    assert_int_equal(found.created, NOW);
    assert_int_equal(find(store, "news", "a", NOW, &found), -ENOENT); /* each app has its own */
    assert_int_equal(find(store, "weather", "A", NOW, &found), -ENOENT);
    assert_int_equal(find(store, "weather", "a", NOW + TTL + 1, &found), -ENOENT);
}

static void test_remembers_what_is_used(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct mcp_task_record record = example("a", "alice"), found;

    assert_false(mcp_task_wants_touch(&record, NOW + TTL / 4));
    assert_true(mcp_task_wants_touch(&record, NOW + TTL / 4 + 1));
    assert_int_equal(put(store, &record), 0);
    touch(store, "a", NOW + 50);
    touch(store, "a", NOW + 10); /* another worker's, older */
    touch(store, "b", NOW + 10); /* makes none */
    assert_int_equal(find(store, "weather", "b", NOW, &found), -ENOENT);
    assert_int_equal(find(store, "weather", "a", NOW + TTL + 50, &found), 0);
    assert_int_equal(found.used, NOW + 50);
    assert_int_equal(found.created, NOW);
    assert_int_equal(find(store, "weather", "a", NOW + TTL + 51, &found), -ENOENT);
}

static void test_keeps_the_first_owner(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct mcp_task_record first = example("a", "alice"), second = example("a", "mallory"), found;

    assert_int_equal(put(store, &first), 0);
    assert_int_equal(put(store, &second), -EEXIST);
    assert_int_equal(put(store, &first), 0);
    assert_int_equal(find(store, "weather", "a", NOW, &found), 0);
    assert_true(slice_is(found.origin.subject, "alice"));
    second.used = NOW + TTL + 1; /* alice's is over, and was not swept yet */
    assert_int_equal(put(store, &second), 0);
}

/* Ids beyond a key's part are digests in the key, and compared in full. */
static void test_keeps_long_ids(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    char id[MCP_TASK_ID_MAX + 1];
    struct mcp_task_record record, found;

    memset(id, '/', sizeof(id) - 1);
    id[sizeof(id) - 1] = '\0';
    record = example(id, "alice");
    assert_int_equal(put(store, &record), 0);
    assert_int_equal(find(store, "weather", id, NOW, &found), 0);
    assert_int_equal(found.id.size, MCP_TASK_ID_MAX);
    assert_int_equal(find(store, "weather", id + 1, NOW, &found), -ENOENT);
}

static void test_bounds_the_time(void **state)
{
    (void)state;
    assert_int_equal(mcp_task_ttl(-1, 86400000), 86400);     /* unlimited, or not said */
    assert_int_equal(mcp_task_ttl(3600000, 86400000), 3600); /* as the server says */
    assert_int_equal(mcp_task_ttl(0, 86400000), MCP_TASK_TTL_MIN);
    assert_int_equal(mcp_task_ttl(INT64_MAX, 86400000), 86400);
    assert_int_equal(mcp_task_ttl(0, 2000), 2); /* a setting below the least */
}

/* More than one sweep looks at, every other one over; the cursor comes round. */
static void test_sweeps(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct store_key cursor;
    struct store_usage usage;
    size_t removed, sum = 0;

    assert_int_equal(store_write_begin(store), 0);
    for (int i = 0; i < MANY; i++) {
        char id[16];
        struct mcp_task_record record;
        struct store_key key;

        snprintf(id, sizeof(id), "t%05d", i);
        record = example(id, "alice");
        record.used = i % 2 == 0 ? NOW : NOW - TTL - 1;
        mcp_task_key(&key, slice_from("weather"), record.id);
        assert_int_equal(mcp_task_put(store, &key, &record), 0);
    }
    assert_int_equal(store_commit(store), 0);
    store_key_begin(&cursor);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(mcp_task_sweep(store, &cursor, NOW, &removed), 0);
        sum += removed;
    }
    assert_int_equal(sum, MANY / 2);
    assert_int_equal(store_usage(store, &usage), 0);
    assert_int_equal(usage.entries[STORE_MCP_TASKS], MANY / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_cut_records),
        cmocka_unit_test_setup_teardown(test_keeps_tasks, store_fixture_sessions,
                                        store_fixture_end),
        cmocka_unit_test_setup_teardown(test_remembers_what_is_used, store_fixture_sessions,
                                        store_fixture_end),
        cmocka_unit_test_setup_teardown(test_keeps_the_first_owner, store_fixture_sessions,
                                        store_fixture_end),
        cmocka_unit_test_setup_teardown(test_keeps_long_ids, store_fixture_sessions,
                                        store_fixture_end),
        cmocka_unit_test(test_bounds_the_time),
        cmocka_unit_test_setup_teardown(test_sweeps, store_fixture_sessions, store_fixture_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
