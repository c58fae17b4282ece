#include "shared/json_pointer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

static const char document[] =
    "{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"m~n\":8,\"k\\u0065y\":9,"
    "\"o\":{\"o\":{\"o\":true}}}";

static enum json_pointer_answer find(const char *text, const char *pointer, const char **found)
{
    static struct json_value value;
    char room[JSON_POINTER_SIZE_MAX];
    struct json_pointer read;
    struct json_value root;
    const char *reason;
    enum json_pointer_answer answer;

    assert_int_equal(json_parse(slice_from(text), &root, &reason), 0);
    assert_int_equal(json_pointer_read(&read, slice_from(pointer), room), 0);
    answer = json_pointer_find(&read, &root, &value);
    *found = answer == JSON_POINTER_FOUND ? value.text.data : NULL;
    return answer;
}

/* RFC 6901, 5. */
static void test_examples(void **state)
{
    static const struct {
        const char *pointer, *begins;
    } cases[] = {{"/foo", "["}, {"/foo/0", "\"bar\""}, {"/", "0"},    {"/a~1b", "1"},
                 {"/c%d", "2"}, {"/m~0n", "8"},        {"/key", "9"}, {"/o/o/o", "true"}};
    const char *found;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(find(document, cases[i].pointer, &found), JSON_POINTER_FOUND);
        assert_memory_equal(found, cases[i].begins, strlen(cases[i].begins));
    }
}

static void test_absent(void **state)
{
    static const char *const pointers[] = {
        "/none",  "/foo/2",   "/foo/-", "/foo/00", "/foo/01",
        "/foo/x", "/foo/0/a", "/o/o/p", "/foo/",   "/foo/99999999999999999999"};
    const char *found;

    (void)state;
    for (size_t i = 0; i < sizeof(pointers) / sizeof(pointers[0]); i++)
        assert_int_equal(find(document, pointers[i], &found), JSON_POINTER_ABSENT);
    assert_int_equal(find("[1]", "/a", &found), JSON_POINTER_ABSENT);
    assert_int_equal(find("3", "/a", &found), JSON_POINTER_ABSENT);
}

static void test_doubt(void **state)
{
    const char *found;

    (void)state;
    assert_int_equal(find("{\"a\":1,\"a\":2}", "/a", &found), JSON_POINTER_DOUBT);
    assert_int_equal(find("{\"b\":1,\"b\":2}", "/a", &found), JSON_POINTER_DOUBT);
    assert_int_equal(find("{\"a\":1,\"A\":2}", "/a", &found), JSON_POINTER_DOUBT);
    assert_int_equal(find("{\"A\":2}", "/a", &found), JSON_POINTER_DOUBT);
    assert_int_equal(find("{\"\\u212a\":2}", "/k", &found), JSON_POINTER_DOUBT);
    assert_int_equal(find("{\"x\":{\"a\":1,\"\\u0061\":2}}", "/x/a", &found), JSON_POINTER_DOUBT);
    /* Not on the way. */
    assert_int_equal(find("{\"a\":1,\"x\":{\"b\":1,\"b\":2}}", "/a", &found), JSON_POINTER_FOUND);
}

static void test_no_pointers(void **state)
{
    static const char *const texts[] = {
        "", "a", "/~", "/~2", "/a~", "#/a", "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17"};
    char room[JSON_POINTER_SIZE_MAX + 2];
    char longest[JSON_POINTER_SIZE_MAX + 2];
    struct json_pointer pointer;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(json_pointer_read(&pointer, slice_from(texts[i]), room), -EINVAL);
    memset(longest, 'a', sizeof(longest));
    longest[0] = '/';
    assert_int_equal(json_pointer_read(&pointer, slice_make(longest, JSON_POINTER_SIZE_MAX), room),
                     0);
    assert_int_equal(
        json_pointer_read(&pointer, slice_make(longest, JSON_POINTER_SIZE_MAX + 1), room), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_absent),
        cmocka_unit_test(test_doubt),
        cmocka_unit_test(test_no_pointers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
