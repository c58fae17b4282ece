#include "conf/revoker.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define DIGEST "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static const int64_t now = 1790000000;

struct fixture {
    char directory[64];
    struct store *store;
    struct scoreboard_public public;
    struct scoreboard_block block;
    struct publisher publisher;
    struct control_answer answer;
};

static int setup(void **state)
{
    struct fixture *fixture = aligned_alloc(64, (sizeof(*fixture) + 63) / 64 * 64);
    struct store_options options = {
        .environment = STORE_CONFIG, .writable = true, .map_size = 16 * 1024 * 1024};

    memset(fixture, 0, sizeof(*fixture));
    strcpy(fixture->directory, "/tmp/gatehouse-revoker-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    options.directory = fixture->directory;
    assert_int_equal(store_create(&options), 0);
    assert_int_equal(store_open(&fixture->store, &options), 0);
    fixture->publisher = (struct publisher){
        .store = fixture->store, .public = &fixture->public, .block = &fixture->block};
    assert_int_equal(publisher_open(&fixture->publisher), 0);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    char path[128];

    publisher_close(&fixture->publisher);
    store_close(fixture->store);
    snprintf(path, sizeof(path), "%s/data.mdb", fixture->directory);
    unlink(path);
    snprintf(path, sizeof(path), "%s/lock.mdb", fixture->directory);
    unlink(path);
    assert_int_equal(rmdir(fixture->directory), 0);
    free(fixture);
    return 0;
}

static struct control_request request_of(enum revocation_kind kind, const char *value)
{
    struct control_request request = {.why = slice_from("why")};

    request.target.values[kind] = slice_from(value);
    return request;
}

static void add(struct fixture *fixture, const struct control_request *request, int64_t when)
{
    assert_int_equal(revoker_add(&fixture->publisher, request, 1000, when, &fixture->answer), 1);
    assert_int_equal(fixture->answer.status, 0);
}

/* The record that a command made: its numbers; texts are not kept. false: there is none. */
static bool find(struct fixture *fixture, enum revocation_kind kind, const char *value,
                 struct revocation_record *out)
{
    struct revocation_record name = {0};
    struct store_key key;
    struct slice found;
    int status;

    name.target.values[kind] = slice_from(value);
    revocation_record_key(&key, &name);
    store_turn_begin(fixture->store);
    status = store_get(fixture->store, STORE_REVOCATIONS, &key, &found);
    if (status == 0) {
        assert_int_equal(revocation_record_decode(found, out), 0);
        assert_true(slice_is(out->why, "why"));
        assert_int_equal(out->lock.size, 0);
    }
    store_turn_end(fixture->store);
    assert_true(status == 0 || status == -ENOENT);
    return status == 0;
}

static int count_record(void *context, struct slice key, struct slice value)
{
    (void)key;
    (void)value;
    ++*(size_t *)context;
    return 0;
}

static size_t count(struct fixture *fixture)
{
    struct slice all = slice_from("");
    size_t records = 0;

    store_turn_begin(fixture->store);
    assert_int_equal(
        store_scan(fixture->store, STORE_REVOCATIONS, all, all, count_record, &records), 0);
    store_turn_end(fixture->store);
    return records;
}

static void test_user_by_time(void **state)
{
    struct fixture *fixture = *state;
    struct control_request request = request_of(REVOCATION_USER, "ann");
    struct revocation_record record;

    add(fixture, &request, now);
    assert_true(find(fixture, REVOCATION_USER, "ann", &record));
    assert_int_equal(record.since, now);
    assert_int_equal(record.made, now);
    assert_int_equal(record.uid, 1000);
    assert_int_equal(fixture->answer.since, now);
    assert_int_equal(fixture->answer.until, record.until);
    /* Without a config there is none without a limit. */
    assert_int_equal(record.until, now + 30 * 86400 + 300);
    assert_int_not_equal(atomic_load(&fixture->public.revocations), 0);
    assert_int_equal(atomic_load(&fixture->public.revocations),
                     fixture->publisher.numbers.revocations);
}

static void test_kept_as_long_as_a_session_may_live(void **state)
{
    struct fixture *fixture = *state;
    struct auth_config_record config = {.name = slice_from("c"),
                                        .revision = 1,
                                        .audiences = {slice_from("a")},
                                        .audience_count = 1,
                                        .max_token_age = 1800,
                                        .max_session_ttl = 60};
    struct document_record origin = {.good_hash = slice_from("h")};
    struct control_request request = request_of(REVOCATION_APP, "red");
    struct registry_slot *slot =
        registry_find(&fixture->publisher.registry, DOCUMENT_AUTH_CONFIG, slice_from("c"), true);
    struct revocation_record record;

    assert_int_equal(registry_entry_make(DOCUMENT_AUTH_CONFIG, &config, &origin, &slot->good), 0);
    add(fixture, &request, now);
    assert_true(find(fixture, REVOCATION_APP, "red", &record));
    assert_int_equal(record.until, now + 30 * 86400 + 300);
    registry_entry_free(slot->good);
    config.max_session_ttl = 0;
    assert_int_equal(registry_entry_make(DOCUMENT_AUTH_CONFIG, &config, &origin, &slot->good), 0);
    add(fixture, &request, now);
    assert_true(find(fixture, REVOCATION_APP, "red", &record));
    assert_int_equal(record.until, now + 400 * 86400);
}

static void test_session_and_its_token(void **state)
{
    struct fixture *fixture = *state;
    struct control_request request = request_of(REVOCATION_SESSION, "jwt_1");
    struct revocation_record record;

    request.target.values[REVOCATION_SIGNING_INPUT] = slice_from(DIGEST);
    request.ends = now + 5000;
    add(fixture, &request, now);
    assert_true(find(fixture, REVOCATION_SESSION, "jwt_1", &record));
    assert_int_equal(record.since, 0);
    assert_int_equal(record.until, now + 5000);
    assert_true(find(fixture, REVOCATION_SIGNING_INPUT, DIGEST, &record));
    assert_int_equal(record.until, now + 5000);
    assert_int_equal(count(fixture), 2);
    /* An end that is not known, or cannot be. */
    request = request_of(REVOCATION_SESSION, "jwt_2");
    add(fixture, &request, now);
    assert_true(find(fixture, REVOCATION_SESSION, "jwt_2", &record));
    assert_int_equal(record.until, now + 400 * 86400);
    request = request_of(REVOCATION_SESSION, "jwt_3");
    request.ends = INT64_MAX;
    add(fixture, &request, now);
    assert_true(find(fixture, REVOCATION_SESSION, "jwt_3", &record));
    assert_int_equal(record.until, now + 400 * 86400);
    /* One that has ended is kept for a while: clocks differ. */
    request = request_of(REVOCATION_SESSION, "jwt_4");
    request.ends = now - 5;
    add(fixture, &request, now);
    assert_true(find(fixture, REVOCATION_SESSION, "jwt_4", &record));
    assert_true(record.until > now);
}

static void test_again_only_adds(void **state)
{
    struct fixture *fixture = *state;
    struct control_request request = request_of(REVOCATION_USER, "ann");
    struct revocation_record record;
    uint64_t sequence;

    add(fixture, &request, now);
    add(fixture, &request, now + 100);
    assert_true(find(fixture, REVOCATION_USER, "ann", &record));
    assert_int_equal(record.since, now + 100);
    /* A clock that was set back takes nothing back. */
    add(fixture, &request, now + 50);
    assert_true(find(fixture, REVOCATION_USER, "ann", &record));
    assert_int_equal(record.since, now + 100);
    assert_int_equal(record.until, now + 100 + 30 * 86400 + 300);
    sequence = atomic_load(&fixture->public.revocations);
    request = request_of(REVOCATION_USER, "bob");
    add(fixture, &request, now);
    assert_int_equal(atomic_load(&fixture->public.revocations), sequence + 1);
    assert_int_equal(count(fixture), 2);
}

/* Workers keep what they decoded: it is the generation that would take it from them. */
static void test_generation_stays(void **state)
{
    struct fixture *fixture = *state;
    struct control_request request = request_of(REVOCATION_USER, "ann");
    uint64_t generation;

    add(fixture, &request, now);
    generation = atomic_load(&fixture->public.generation);
    request = request_of(REVOCATION_USER, "bob");
    add(fixture, &request, now);
    assert_int_equal(atomic_load(&fixture->public.generation), generation);
}

static void test_sweep(void **state)
{
    struct fixture *fixture = *state;
    struct control_request request;
    struct store_key cursor = {0};
    uint64_t sequence;
    char id[16];
    bool more = true;
    int sweeps = 0;

    for (int i = 0; i < 20; i++) {
        snprintf(id, sizeof(id), "jwt_%02d", i);
        request = request_of(REVOCATION_SESSION, id);
        request.ends = now + 1000 + i;
        add(fixture, &request, now);
    }
    assert_int_equal(revoker_sweep(&fixture->publisher, &cursor, now, &more), 0);
    assert_false(more);
    assert_int_equal(count(fixture), 20);
    sequence = atomic_load(&fixture->public.revocations);
    assert_int_equal(revoker_sweep(&fixture->publisher, &cursor, now + 1009, &more), 1);
    assert_false(more);
    assert_int_equal(count(fixture), 10);
    assert_int_equal(atomic_load(&fixture->public.revocations), sequence + 1);
    while (count(fixture) > 0 && sweeps++ < 3)
        assert_int_equal(revoker_sweep(&fixture->publisher, &cursor, now + 5000, &more), 1);
    assert_int_equal(sweeps, 1);
}

/* A step is bounded; the next one goes on where it stopped. */
static void test_sweep_in_steps(void **state)
{
    enum { RECORDS = REVOKER_SWEEP_LOOKS + REVOKER_SWEEP_DELETES };
    struct fixture *fixture = *state;
    struct revocation_record record = {.made = now};
    struct store_key cursor = {0}, key;
    struct buffer bytes = {0};
    char id[16];
    bool more = true;
    int steps = 0;

    assert_int_equal(store_write_begin(fixture->store), 0);
    for (int i = 0; i < RECORDS; i++) {
        snprintf(id, sizeof(id), "jwt_%06d", i);
        record.target.values[REVOCATION_SESSION] = slice_from(id);
        record.until = i < REVOKER_SWEEP_LOOKS ? now + 10 : now;
        revocation_record_key(&key, &record);
        buffer_clear(&bytes);
        assert_int_equal(revocation_record_encode(&record, &bytes), 0);
        assert_int_equal(store_put(fixture->store, STORE_REVOCATIONS, &key, buffer_slice(&bytes)),
                         0);
    }
    assert_int_equal(store_commit(fixture->store), 0);
    buffer_free(&bytes);
    assert_int_equal(revoker_sweep(&fixture->publisher, &cursor, now, &more), 0);
    assert_true(more);
    while (more && steps++ < 10)
        assert_true(revoker_sweep(&fixture->publisher, &cursor, now, &more) >= 0);
    assert_in_range(steps, 1, 3);
    assert_int_equal(count(fixture), REVOKER_SWEEP_LOOKS);
    /* From the begin again. */
    assert_int_equal(revoker_sweep(&fixture->publisher, &cursor, now + 10, &more), 1);
    assert_true(more);
    assert_int_equal(count(fixture), REVOKER_SWEEP_LOOKS - REVOKER_SWEEP_DELETES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_user_by_time),          TEST(test_kept_as_long_as_a_session_may_live),
        TEST(test_session_and_its_token), TEST(test_again_only_adds),
        TEST(test_generation_stays),      TEST(test_sweep),
        TEST(test_sweep_in_steps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
