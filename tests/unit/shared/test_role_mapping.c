#include "shared/role_mapping.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

static void add(struct buffer *list, const char *claim, const char *value, const char *role)
{
    struct role_mapping mapping = {.claim = slice_from(claim),
                                   .value = slice_from(value),
                                   .roles = {slice_from(role), slice_from("second")},
                                   .role_count = 2};

    assert_int_equal(role_mapping_append(list, &mapping), 0);
}

static void test_walk(void **state)
{
    struct slice claims[ROLE_MAPPING_CLAIMS_MAX];
    struct role_mapping mapping;
    struct record_reader reader;
    struct buffer list = {0};

    (void)state;
    assert_true(role_mappings_are_sound(slice_from("")));
    add(&list, "groups", "dev", "a");
    add(&list, "team", "*", "b");
    add(&list, "groups", "ops", "c");
    assert_true(role_mappings_are_sound(buffer_slice(&list)));
    role_mappings_open(&reader, buffer_slice(&list));
    assert_true(role_mappings_next(&reader, &mapping));
    assert_true(slice_is(mapping.value, "dev"));
    assert_int_equal(mapping.role_count, 2);
    assert_true(role_mappings_next(&reader, &mapping));
    assert_true(role_mappings_next(&reader, &mapping));
    assert_true(slice_is(mapping.roles[0], "c"));
    assert_false(role_mappings_next(&reader, &mapping));
    assert_int_equal(role_mappings_claims(buffer_slice(&list), claims), 2);
    assert_true(slice_is(claims[1], "team"));
    buffer_free(&list);
}

static void test_unsound(void **state)
{
    struct buffer list = {0};
    char name[8];

    (void)state;
    assert_false(role_mappings_are_sound(slice_from("2 claim=1:a value=1:b role=1:c")));
    assert_false(role_mappings_are_sound(slice_from("1 claim=0: value=1:b role=1:c")));
    assert_false(role_mappings_are_sound(slice_from("1 claim=1:a role=1:c")));
    assert_false(role_mappings_are_sound(slice_from("1 claim=1:a value=1:b role=1:c x=0:")));
    for (int i = 0; i < ROLE_MAPPING_CLAIMS_MAX; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        add(&list, name, "a", "b");
    }
    assert_true(role_mappings_are_sound(buffer_slice(&list)));
    add(&list, "more", "a", "b");
    assert_false(role_mappings_are_sound(buffer_slice(&list)));
    buffer_free(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_unsound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
