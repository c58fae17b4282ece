#include "conf/suggestion.h"

#include "tests/unit/conf/expect.h"

static size_t distance(const char *a, const char *b)
{
    return suggestion_distance(slice_from(a), slice_from(b));
}

static void test_distance(void **state)
{
    (void)state;
    assert_int_equal(distance("", ""), 0);
    assert_int_equal(distance("abc", "abc"), 0);
    assert_int_equal(distance("", "abc"), 3);
    assert_int_equal(distance("abc", ""), 3);
    assert_int_equal(distance("issuer", "isuer"), 1);
    assert_int_equal(distance("issuer", "issure"), 1);
    assert_int_equal(distance("kitten", "sitting"), 3);
}

static void test_long_words(void **state)
{
    static char word[1000];

    (void)state;
    memset(word, 'a', sizeof(word));
    assert_int_equal(suggestion_distance(slice_make(word, 1000), slice_from("a")), 1000);
    assert_int_equal(suggestion_distance(slice_make(word, 64), slice_make(word, 64)), 0);
}

static void test_find(void **state)
{
    static const char *const words[] = {"state_dir", "workers", "log", "listen", NULL};

    (void)state;
    assert_string_equal(suggestion_find(slice_from("sate_dir"), words), "state_dir");
    assert_string_equal(suggestion_find(slice_from("worker"), words), "workers");
    assert_string_equal(suggestion_find(slice_from("lgo"), words), "log");
    assert_null(suggestion_find(slice_from("banana"), words));
    assert_null(suggestion_find(slice_from("x"), words));
    assert_null(suggestion_find(slice_from("v2"), (const char *const[]){"v1", NULL}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distance),
        cmocka_unit_test(test_long_words),
        cmocka_unit_test(test_find),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
