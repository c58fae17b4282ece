#include "shared/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "tests/unit/shared/store_fixture.h"

static void test_an_impossible_key_is_not_found(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct store_key key, empty;
    struct slice value;

    store_key_begin(&empty);
    store_key_begin(&key);
    for (int i = 0; i < 600; i++)
        store_key_plain(&key, "a");
    assert_true(key.impossible);
    assert_int_equal(store_get(store, STORE_APPS, &key, &value), -ENOENT);
    assert_int_equal(store_get(store, STORE_APPS, &empty, &value), -ENOENT);
    assert_int_equal(store_write_begin(store), 0);
    assert_int_equal(store_delete(store, STORE_APPS, &key), -ENOENT);
    assert_int_equal(store_put(store, STORE_APPS, &key, slice_from("x")), -EINVAL);
    store_abort(store);
}

static void expect_again(struct store *store, struct store_place *place, const char *expected)
{
    struct store_key key;
    struct slice value;

    store_key_of(&key, slice_from("a"));
    assert_int_equal(store_get_again(store, STORE_APPS, &key, place, &value), 0);
    assert_true(slice_equal(value, slice_from(expected)));
}

/* A place is good for as long as nothing was written, wherever. */
static void test_get_again_sees_every_change(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct store_place place = {0};
    struct store_key key;
    struct slice value;

    store_key_of(&key, slice_from("a"));
    assert_int_equal(store_get_again(store, STORE_APPS, &key, &place, &value), -ENOENT);
    assert_true(place.snapshot == 0);
    assert_int_equal(store_fixture_put(store, STORE_APPS, "a", slice_from("one")), 0);
    for (int turn = 0; turn < 3; turn++) {
        store_turn_begin(store);
        expect_again(store, &place, "one");
        assert_true(place.snapshot != 0);
        store_turn_end(store);
    }
    assert_int_equal(store_fixture_put(store, STORE_APPS, "a", slice_from("two")), 0);
    expect_again(store, &place, "two");
    /* What is given up was never there. */
    assert_int_equal(store_write_begin(store), 0);
    assert_int_equal(store_put(store, STORE_APPS, &key, slice_from("three")), 0);
    expect_again(store, &place, "three");
    store_abort(store);
    expect_again(store, &place, "two");
    assert_int_equal(store_fixture_put(store, STORE_APPS, "a", slice_from("four")), 0);
    expect_again(store, &place, "four");
    /* A record of parts lies together for a turn only. */
    assert_int_equal(store_fixture_put(store, STORE_APPS, "a", store_fixture_pattern(5000)), 0);
    assert_int_equal(store_get_again(store, STORE_APPS, &key, &place, &value), 0);
    assert_true(slice_equal(value, store_fixture_pattern(5000)));
    assert_true(place.snapshot == 0);
    assert_int_equal(store_write_begin(store), 0);
    assert_int_equal(store_delete(store, STORE_APPS, &key), 0);
    assert_int_equal(store_commit(store), 0);
    assert_int_equal(store_get_again(store, STORE_APPS, &key, &place, &value), -ENOENT);
    store_turn_end(store);
}

static void test_long_records(void **state)
{
    static const size_t sizes[] = {0,    1,    1999,  2000,  2001,  3999,
                                   4000, 4001, 31999, 32000, 33999, STORE_RECORD_MAX};
    struct store *store = ((struct store_fixture *)*state)->store;
    size_t count = sizeof(sizes) / sizeof(sizes[0]);

    /* Each replaced by each: growing, shrinking and staying. */
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            struct store_usage usage;

            assert_int_equal(
                store_fixture_put(store, STORE_APPS, "a", store_fixture_pattern(sizes[i])), 0);
            assert_int_equal(
                store_fixture_put(store, STORE_APPS, "a", store_fixture_pattern(sizes[j])), 0);
            store_fixture_expect(store, "a", store_fixture_pattern(sizes[j]));
            assert_int_equal(store_usage(store, &usage), 0);
            assert_int_equal(usage.entries[STORE_APPS],
                             sizes[j] == STORE_RECORD_MAX ? 17 : sizes[j] / 2000 + 1);
            store_turn_end(store);
        }
    }
}

static void test_several_long_records_are_borrowed_together(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct slice values[3];

    assert_int_equal(store_fixture_put(store, STORE_APPS, "a", store_fixture_pattern(30000)), 0);
    assert_int_equal(store_fixture_put(store, STORE_APPS, "b", store_fixture_pattern(2000)), 0);
    assert_int_equal(store_fixture_put(store, STORE_APPS, "c", store_fixture_pattern(5000)), 0);
    store_turn_begin(store);
    assert_int_equal(store_fixture_get(store, STORE_APPS, "a", &values[0]), 0);
    assert_int_equal(store_fixture_get(store, STORE_APPS, "b", &values[1]), 0);
    assert_int_equal(store_fixture_get(store, STORE_APPS, "c", &values[2]), 0);
    assert_true(slice_equal(values[0], store_fixture_pattern(30000)));
    assert_true(slice_equal(values[1], store_fixture_pattern(2000)));
    assert_true(slice_equal(values[2], store_fixture_pattern(5000)));
    store_turn_end(store);
}

struct seen {
    char text[256]; /* "key=size " for each record */
    size_t left;    /* records until the visit ends the scan */
};

static int see(void *context, struct slice key, struct slice value)
{
    struct seen *seen = context;
    size_t used = strlen(seen->text);

    assert_true(slice_equal(value, store_fixture_pattern(value.size)));
    snprintf(seen->text + used, sizeof(seen->text) - used, "%.*s=%zu ", (int)key.size, key.data,
             value.size);
    return --seen->left == 0 ? 7 : 0;
}

static void expect_scan(struct store *store, const char *prefix, const char *from,
                        const char *expected)
{
    struct seen seen = {.left = 100};

    assert_int_equal(
        store_scan(store, STORE_APPS, slice_from(prefix), slice_from(from), see, &seen), 0);
    assert_string_equal(seen.text, expected);
}

/* '-' and '.' sort before '/', and so stand between a record and its continuations. */
static void test_scans(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct seen seen = {.left = 2};

    assert_int_equal(store_fixture_put(store, STORE_APPS, "a", store_fixture_pattern(5000)), 0);
    assert_int_equal(store_fixture_put(store, STORE_APPS, "a-b", store_fixture_pattern(10)), 0);
    assert_int_equal(store_fixture_put(store, STORE_APPS, "a.c", store_fixture_pattern(34000)), 0);
    assert_int_equal(store_fixture_put(store, STORE_APPS, "b", store_fixture_pattern(0)), 0);
    store_turn_begin(store);
    expect_scan(store, "", "", "a=5000 a-b=10 a.c=34000 b=0 ");
    expect_scan(store, "a", "", "a=5000 a-b=10 a.c=34000 ");
    expect_scan(store, "a", "a-b", "a-b=10 a.c=34000 ");
    expect_scan(store, "a", "a/1", "");
    expect_scan(store, "b", "a", "b=0 ");
    expect_scan(store, "c", "", "");
    assert_int_equal(store_scan(store, STORE_APPS, slice_from(""), slice_from(""), see, &seen), 7);
    assert_string_equal(seen.text, "a=5000 a-b=10 ");
    store_turn_end(store);
}

/* A key that ends in a number is a record of its own while nothing before it is continued. */
static void test_numbered_records_are_no_continuations(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;

    assert_int_equal(store_fixture_put(store, STORE_APPS, "c/k/1", store_fixture_pattern(1)), 0);
    assert_int_equal(store_fixture_put(store, STORE_APPS, "c/k/2", store_fixture_pattern(4500)), 0);
    expect_scan(store, "c/", "", "c/k/1=1 c/k/2=4500 ");
}

#define ON_CONFIG(test) \
    cmocka_unit_test_setup_teardown(test, store_fixture_config, store_fixture_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_CONFIG(test_an_impossible_key_is_not_found),
        ON_CONFIG(test_get_again_sees_every_change),
        ON_CONFIG(test_long_records),
        ON_CONFIG(test_several_long_records_are_borrowed_together),
        ON_CONFIG(test_scans),
        ON_CONFIG(test_numbered_records_are_no_continuations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
