#include "shared/certificate.h"

#include "tests/unit/shared/certificate_example.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void expect(const char *certificate, const char *key, enum certificate_fault fault)
{
    assert_int_equal(certificate_check(slice_from(certificate), slice_from(key)), fault);
}

static void test_pairs(void **state)
{
    (void)state;
    expect(EXAMPLE_CERTIFICATE, EXAMPLE_KEY, CERTIFICATE_GOOD);
    expect(EXAMPLE_CERTIFICATE EXAMPLE_EXPIRED, EXAMPLE_KEY, CERTIFICATE_GOOD); /* a chain */
    expect(EXAMPLE_CERTIFICATE, EXAMPLE_OTHER_KEY, CERTIFICATE_KEY_OTHER);
    expect(EXAMPLE_EXPIRED, EXAMPLE_KEY, CERTIFICATE_EXPIRED);
    expect(EXAMPLE_EXPIRED, EXAMPLE_OTHER_KEY, CERTIFICATE_KEY_OTHER);
}

static void test_texts_that_are_neither(void **state)
{
    (void)state;
    expect("", EXAMPLE_KEY, CERTIFICATE_UNREADABLE);
    expect("x", EXAMPLE_KEY, CERTIFICATE_UNREADABLE);
    expect(EXAMPLE_KEY, EXAMPLE_CERTIFICATE, CERTIFICATE_UNREADABLE);
    expect(EXAMPLE_CERTIFICATE, "", CERTIFICATE_KEY_UNREADABLE);
    expect(EXAMPLE_CERTIFICATE, EXAMPLE_CERTIFICATE, CERTIFICATE_KEY_UNREADABLE);
}

/* Nobody is asked for the password: nobody is there. */
static void test_a_key_with_a_password(void **state)
{
    (void)state;
    expect(EXAMPLE_CERTIFICATE, EXAMPLE_LOCKED_KEY, CERTIFICATE_KEY_UNREADABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_texts_that_are_neither),
        cmocka_unit_test(test_a_key_with_a_password),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
