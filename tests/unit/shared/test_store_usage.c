#include "shared/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/shared/store_fixture.h"

static void test_last_write_counts_transactions(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    uint64_t before = store_last_write(store);
    struct store_usage usage;

    assert_int_equal(store_fixture_put(store, STORE_APPS, "a", slice_from("x")), 0);
    assert_int_equal(store_last_write(store), before + 1);
    /* An empty transaction is none. */
    assert_int_equal(store_write_begin(store), 0);
    assert_int_equal(store_commit(store), 0);
    assert_int_equal(store_last_write(store), before + 1);
    assert_int_equal(store_write_begin(store), 0);
    store_abort(store);
    assert_int_equal(store_usage(store, &usage), 0);
    assert_int_equal(usage.last_write, before + 1);
    assert_int_equal(usage.map_size, STORE_FIXTURE_MAP);
    assert_true(usage.used > 0 && usage.used < usage.map_size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_last_write_counts_transactions, store_fixture_config,
                                        store_fixture_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
