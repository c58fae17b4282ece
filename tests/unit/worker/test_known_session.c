#include "worker/known_session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "shared/session_store.h"
#include "tests/unit/shared/session_example.h"
#include "tests/unit/shared/store_fixture.h"

struct fixture {
    struct store_fixture store;
    struct known_sessions known;
};

static int open_fixture(void **state)
{
    static struct fixture fixture;

    fixture.known = (struct known_sessions){0};
    store_fixture_open(&fixture.store, STORE_SESSIONS);
    *state = &fixture;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *fixture = *state;

    known_sessions_free(&fixture->known);
    store_fixture_close(&fixture->store);
    return 0;
}

static struct session_id id_of(const char *token)
{
    struct session_id id;

    session_id_make(&id, SESSION_KIND_JWT, slice_from("weather"), slice_from(token));
    return id;
}

static void put(struct fixture *fixture, const struct session_id *id, const char *user)
{
    struct session_record session = session_example();

    session.user = slice_from(user);
    assert_int_equal(store_write_begin(fixture->store.store), 0);
    assert_int_equal(session_store_put(fixture->store.store, id, &session), 0);
    assert_int_equal(store_commit(fixture->store.store), 0);
}

/* In a turn of its own. */
static int find(struct fixture *fixture, const struct session_id *id, struct known_session **out)
{
    store_turn_end(fixture->store.store);
    store_turn_begin(fixture->store.store);
    return known_sessions_find(&fixture->known, fixture->store.store, id, out);
}

static void test_a_session_is_as_the_store_has_it(void **state)
{
    struct fixture *fixture = *state;
    struct session_id id = id_of("token");
    struct known_session *known;

    assert_int_equal(find(fixture, &id, &known), -ENOENT);
    put(fixture, &id, "ann");
    assert_int_equal(find(fixture, &id, &known), 0);
    assert_true(slice_is(known->record.user, "ann"));
    put(fixture, &id, "bob");
    assert_int_equal(find(fixture, &id, &known), 0);
    assert_true(slice_is(known->record.user, "bob"));
    assert_int_equal(store_write_begin(fixture->store.store), 0);
    assert_int_equal(session_store_delete(fixture->store.store, &id), 0);
    assert_int_equal(store_commit(fixture->store.store), 0);
    assert_int_equal(find(fixture, &id, &known), -ENOENT);
}

/* What was found to fit is forgotten with the record that did, and only then. */
static void test_a_changed_record_fits_no_more(void **state)
{
    struct fixture *fixture = *state;
    struct session_id id = id_of("token"), other = id_of("other");
    struct known_session *known;

    put(fixture, &id, "ann");
    assert_int_equal(find(fixture, &id, &known), 0);
    assert_false(known->fits);
    known->fits = true;
    known->generation = 3;
    assert_int_equal(find(fixture, &id, &known), 0);
    assert_true(known->fits);
    put(fixture, &other, "ann");
    assert_int_equal(find(fixture, &id, &known), 0);
    assert_true(known->fits);
    assert_int_equal(known->generation, 3);
    put(fixture, &id, "bob");
    assert_int_equal(find(fixture, &id, &known), 0);
    assert_false(known->fits);
}

static void test_a_broken_record_is_none(void **state)
{
    struct fixture *fixture = *state;
    struct session_id id = id_of("token");
    struct known_session *known;
    char key[128];

    put(fixture, &id, "ann");
    assert_int_equal(find(fixture, &id, &known), 0);
    session_example_key(fixture->store.store, &id, known->record.expires, key);
    assert_int_equal(
        store_fixture_put(fixture->store.store, STORE_SESSION, key, slice_from("1 app=3:x")), 0);
    assert_int_equal(find(fixture, &id, &known), -EBADMSG);
    assert_int_equal(find(fixture, &id, &known), -EBADMSG);
    put(fixture, &id, "bob");
    assert_int_equal(find(fixture, &id, &known), 0);
    assert_true(slice_is(known->record.user, "bob"));
}

/* More than there are places: some share one, and none is taken for another. */
static void test_sessions_that_meet_are_told_apart(void **state)
{
    struct fixture *fixture = *state;
    struct known_session *known;
    char name[16];

    assert_int_equal(store_write_begin(fixture->store.store), 0);
    for (int i = 0; i <= KNOWN_SESSIONS; i++) {
        struct session_record session = session_example();
        struct session_id id;

        snprintf(name, sizeof(name), "user-%d", i);
        id = id_of(name);
        session.user = slice_from(name);
        assert_int_equal(session_store_put(fixture->store.store, &id, &session), 0);
    }
    assert_int_equal(store_commit(fixture->store.store), 0);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i <= KNOWN_SESSIONS; i++) {
            struct session_id id;

            snprintf(name, sizeof(name), "user-%d", i);
            id = id_of(name);
            assert_int_equal(find(fixture, &id, &known), 0);
            assert_true(slice_is(known->record.user, name));
        }
    }
}

/* Ids that end alike meet; while there is room none drives another out. */
static void test_sessions_that_meet_stay_known(void **state)
{
    struct fixture *fixture = *state;
    struct session_id ids[KNOWN_SESSION_ROOM + 1];
    struct known_session *known;

    for (int i = 0; i <= KNOWN_SESSION_ROOM; i++) {
        ids[i] = id_of("token");
        ids[i].text[4] = (char)('0' + i);
        put(fixture, &ids[i], "ann");
    }
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < KNOWN_SESSION_ROOM; i++) {
            assert_int_equal(find(fixture, &ids[i], &known), 0);
            assert_int_equal(known->fits, round == 1);
            known->fits = true;
        }
    }
    assert_int_equal(find(fixture, &ids[KNOWN_SESSION_ROOM], &known), 0);
    assert_false(known->fits);
    assert_int_equal(find(fixture, &ids[1], &known), 0);
    assert_true(known->fits);
    assert_int_equal(find(fixture, &ids[0], &known), 0);
    assert_false(known->fits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_session_is_as_the_store_has_it, open_fixture,
                                        close_fixture),
        cmocka_unit_test_setup_teardown(test_a_changed_record_fits_no_more, open_fixture,
                                        close_fixture),
        cmocka_unit_test_setup_teardown(test_a_broken_record_is_none, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(test_sessions_that_meet_are_told_apart, open_fixture,
                                        close_fixture),
        cmocka_unit_test_setup_teardown(test_sessions_that_meet_stay_known, open_fixture,
                                        close_fixture),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
