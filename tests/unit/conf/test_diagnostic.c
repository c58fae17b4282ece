#include "conf/diagnostic.h"

#include "tests/unit/conf/expect.h"

static const struct place here = {.file = {"a.yaml", 6}, .line = 3, .column = 5};

static void test_format(void **state)
{
    struct diagnostics diagnostics = {0};
    struct place whole = {.file = slice_from("b.yaml")};

    (void)state;
    diagnostics_add(&diagnostics, DIAGNOSTIC_ERROR, here, "spec.uri", "try this", "is %s", "wrong");
    diagnostics_add(&diagnostics, DIAGNOSTIC_WARNING, whole, NULL, NULL, "odd\x1b[2J\n");
    diagnostics_add(&diagnostics, DIAGNOSTIC_ERROR, (struct place){0}, "k", NULL, "no file");
    assert_int_equal(diagnostics.errors, 2);
    expect_diagnostics(&diagnostics, "a.yaml:3:5: spec.uri: is wrong; try this\n"
                                     "b.yaml: warning: odd?[2J?\n"
                                     "k: no file\n");
}

static void test_sorted_by_place(void **state)
{
    struct diagnostics diagnostics = {0};
    struct place place = here;

    (void)state;
    diagnostics_add(&diagnostics, DIAGNOSTIC_ERROR, (struct place){0}, NULL, NULL, "last");
    place.line = 10;
    diagnostics_add(&diagnostics, DIAGNOSTIC_ERROR, place, NULL, NULL, "third");
    place = here;
    place.column = 9;
    diagnostics_add(&diagnostics, DIAGNOSTIC_ERROR, place, NULL, NULL, "second");
    diagnostics_add(&diagnostics, DIAGNOSTIC_ERROR, here, NULL, NULL, "first");
    expect_diagnostics(&diagnostics, "a.yaml:3:5: first\na.yaml:3:9: second\n"
                                     "a.yaml:10:5: third\nlast\n");
}

static void test_texts_are_copied(void **state)
{
    struct diagnostics diagnostics = {0};
    char key[] = "key";
    char file[] = "file";
    struct place place = {.file = slice_from(file), .line = 1, .column = 1};

    (void)state;
    diagnostics_add(&diagnostics, DIAGNOSTIC_ERROR, place, key, key, "%s", key);
    key[0] = file[0] = 'X';
    expect_diagnostics(&diagnostics, "file:1:1: key: key; key\n");
}

static void test_at_most_a_thousand(void **state)
{
    struct diagnostics diagnostics = {0};
    char line[256];

    (void)state;
    for (int i = 0; i < DIAGNOSTICS_MAX + 500; i++)
        diagnostics_add(&diagnostics, DIAGNOSTIC_ERROR, here, NULL, NULL, "%d", i);
    assert_int_equal(diagnostics.count, DIAGNOSTICS_MAX + 1);
    assert_int_equal(diagnostics.errors, DIAGNOSTICS_MAX + 500);
    diagnostics_sort(&diagnostics);
    diagnostic_format(&diagnostics.entries[DIAGNOSTICS_MAX], line, sizeof(line));
    assert_string_equal(line, "more than 1000 problems; the rest is not shown");
    diagnostics_free(&diagnostics);
}

static void test_cut_to_the_room(void **state)
{
    struct diagnostics diagnostics = {0};
    char line[12];

    (void)state;
    diagnostics_add(&diagnostics, DIAGNOSTIC_ERROR, here, "key", NULL, "reason");
    diagnostic_format(&diagnostics.entries[0], line, sizeof(line));
    assert_string_equal(line, "a.yaml:3:5:");
    diagnostic_format(&diagnostics.entries[0], line, 1);
    assert_string_equal(line, "");
    diagnostics_free(&diagnostics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format),           cmocka_unit_test(test_sorted_by_place),
        cmocka_unit_test(test_texts_are_copied), cmocka_unit_test(test_at_most_a_thousand),
        cmocka_unit_test(test_cut_to_the_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
