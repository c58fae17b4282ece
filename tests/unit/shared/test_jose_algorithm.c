#include "shared/jose_algorithm.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_algorithm_names(void **state)
{
    static const char *const foreign[] = {"",       "none", "None",   "HS256", "rs256",
                                          "RS256 ", "RS1",  "ES256K", "RS25",  "EdDSA2",
                                          "Ed448",  "dir",  "RS2561"};

    (void)state;
    for (int i = 0; i < JOSE_ALGORITHMS; i++) {
        const char *name = jose_algorithm_name((enum jose_algorithm)i);

        assert_int_equal(jose_algorithm_from_name(slice_from(name)), i);
    }
    for (size_t i = 0; i < COUNT(foreign); i++)
        assert_int_equal(jose_algorithm_from_name(slice_from(foreign[i])), -1);
    assert_int_equal(jose_algorithm_from_name(slice_make("RS256\0", 6)), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_algorithm_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
