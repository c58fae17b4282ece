#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/store_reader.h"

static void the_oldest_snapshot_is_kept(void **state)
{
    uint64_t oldest = UINT64_MAX;

    (void)state;
    assert_int_equal(store_reader_oldest("    pid     thread     txnid\n", &oldest), 0);
    assert_int_equal(store_reader_oldest("      4711 7f12ab34 -\n", &oldest), 0);
    assert_int_equal(store_reader_oldest("(no active readers)\n", &oldest), 0);
    assert_true(oldest == UINT64_MAX);
    assert_int_equal(store_reader_oldest("      4711 7f12ab34 31\n", &oldest), 0);
    assert_int_equal(store_reader_oldest("        12 7f12ab35 29\n", &oldest), 0);
    assert_int_equal(store_reader_oldest("        13 7f12ab36 30\n", &oldest), 0);
    assert_int_equal(oldest, 29);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_oldest_snapshot_is_kept)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
