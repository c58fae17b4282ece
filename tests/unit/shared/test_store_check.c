#include "shared/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/shared/store_fixture.h"

static void test_a_sound_store_passes_the_check(void **state)
{
    struct store *store = ((struct store_fixture *)*state)->store;
    struct store_key key;

    assert_int_equal(store_check(store), 0);
    for (unsigned i = 0; i < 100; i++) {
        char name[16];

        snprintf(name, sizeof(name), "%u", i * 7919 % 1000);
        assert_int_equal(
            store_fixture_put(store, STORE_SESSION, name, store_fixture_pattern(i * 40)), 0);
    }
    store_key_of(&key, slice_from("0"));
    assert_int_equal(store_write_begin(store), 0);
    assert_int_equal(store_delete(store, STORE_SESSION, &key), 0);
    assert_int_equal(store_commit(store), 0);
    assert_int_equal(store_check(store), 0);
    assert_int_equal(store_sync(store), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_sound_store_passes_the_check, store_fixture_sessions,
                                        store_fixture_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
