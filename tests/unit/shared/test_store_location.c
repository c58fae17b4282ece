#include "shared/store_location.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

static void test_where_the_settings_put_them(void **state)
{
    struct child child = {.slot = STORE_SESSIONS,
                          .settings = {.state_dir = slice_from("/var/lib/gatehouse"),
                                       .config_map_size = 1,
                                       .session_map_size = 2}};
    struct store_location location;

    (void)state;
    assert_int_equal(store_location_of(&child, &location), 0);
    assert_string_equal(location.state_dir, "/var/lib/gatehouse");
    assert_string_equal(location.options.directory, "/var/lib/gatehouse/sessions");
    assert_int_equal(location.options.environment, STORE_SESSIONS);
    assert_int_equal(location.options.map_size, 2);
    assert_true(location.options.writable);
    child.slot = STORE_CONFIG;
    assert_int_equal(store_location_of(&child, &location), 0);
    assert_string_equal(location.options.directory, "/var/lib/gatehouse/config");
    assert_int_equal(location.options.map_size, 1);
}

static void test_what_is_no_environment(void **state)
{
    struct child child = {.slot = 2};
    struct store_location location;

    (void)state;
    assert_int_equal(store_location_of(&child, &location), -EINVAL);
    child.slot = -1;
    assert_int_equal(store_location_of(&child, &location), -EINVAL);
}

static void test_a_path_that_is_too_long(void **state)
{
    static char path[PATH_MAX + 1];
    struct settings settings = {0};
    struct store_location location;

    (void)state;
    memset(path, 'a', sizeof(path));
    settings.state_dir = slice_make(path, sizeof(path));
    assert_int_equal(store_location_find(&settings, STORE_CONFIG, &location), -ENAMETOOLONG);
    settings.state_dir.size = PATH_MAX - 4;
    assert_int_equal(store_location_find(&settings, STORE_CONFIG, &location), -ENAMETOOLONG);
    settings.state_dir.size = PATH_MAX - 8;
    assert_int_equal(store_location_find(&settings, STORE_CONFIG, &location), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_where_the_settings_put_them),
        cmocka_unit_test(test_what_is_no_environment),
        cmocka_unit_test(test_a_path_that_is_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
