#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "master/session_list.h"
#include "shared/session_store.h"
#include "tests/unit/shared/session_example.h"
#include "tests/unit/shared/store_fixture.h"

enum { NOW = 1790000100, SESSIONS = 1100 /* more than one transaction reads */ };

static void put(struct store_fixture *fixture, int number, struct session_record *session)
{
    struct session_id id;
    char token[16];

    snprintf(token, sizeof(token), "%d", number);
    session_id_make(&id, SESSION_KIND_JWT, session->app, slice_from(token));
    assert_int_equal(session_store_put(fixture->store, &id, session), 0);
}

/* Sessions that were made one second after the other; every tenth is another user's. */
static int setup(void **state)
{
    static struct store_fixture fixture;

    store_fixture_make(&fixture, STORE_SESSIONS);
    fixture.options.map_size = 16 * 1024 * 1024;
    assert_int_equal(store_create(&fixture.options), 0);
    assert_int_equal(store_open(&fixture.store, &fixture.options), 0);
    assert_int_equal(store_write_begin(fixture.store), 0);
    for (int i = 0; i < SESSIONS; i++) {
        struct session_record session = session_example();

        session.created = 1780000000 + i;
        session.user = slice_from(i % 10 == 0 ? "bob" : "alice");
        session.expires = i == 5 ? NOW : NOW + 60;
        put(&fixture, i, &session);
    }
    assert_int_equal(store_commit(fixture.store), 0);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    store_fixture_close(*state);
    return 0;
}

static void the_newest_come_first(void **state)
{
    struct store_fixture *fixture = *state;
    struct session_list list = {.limit = 10, .now = NOW};

    assert_int_equal(session_list_read(&list, fixture->store), 0);
    assert_int_equal(list.count, 10);
    assert_int_equal(list.matched, SESSIONS - 1);
    for (size_t i = 0; i < list.count; i++)
        assert_int_equal(list.entries[i].created, 1780000000 + SESSIONS - 1 - (int64_t)i);
    session_list_free(&list);
}

static void a_filter_chooses(void **state)
{
    struct store_fixture *fixture = *state;
    struct session_list list = {.limit = 1000, .now = NOW, .user = "bob"};
    struct session_list none = {.limit = 1, .now = NOW, .app = "bob"};
    struct session_record session;

    assert_int_equal(session_list_read(&list, fixture->store), 0);
    assert_int_equal(list.count, SESSIONS / 10);
    assert_int_equal(session_record_decode(list.entries[0].value, &session), 0);
    assert_true(slice_is(session.user, "bob"));
    session_list_free(&list);
    assert_int_equal(session_list_read(&none, fixture->store), 0);
    assert_int_equal(none.count, 0);
    session_list_free(&none);
}

static void a_damaged_record_is_counted(void **state)
{
    struct store_fixture *fixture = *state;
    struct session_list list = {.limit = 1, .now = NOW};
    struct store_key key;

    store_key_begin(&key);
    store_key_plain(&key, "jwt_damaged");
    assert_int_equal(store_write_begin(fixture->store), 0);
    assert_int_equal(store_put(fixture->store, STORE_SESSION, &key, slice_from("1 app=")), 0);
    assert_int_equal(store_commit(fixture->store), 0);
    assert_int_equal(session_list_read(&list, fixture->store), 0);
    assert_int_equal(list.damaged, 1);
    assert_int_equal(list.matched, SESSIONS - 1);
    session_list_free(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_come_first),
        cmocka_unit_test(a_filter_chooses),
        cmocka_unit_test(a_damaged_record_is_counted),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
