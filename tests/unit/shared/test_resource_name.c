#include "shared/resource_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_plain(void **state)
{
    static const char *const plain[] = {
        "",
        "demo://a/b",
        "file:///a..b/..c/d..",
        "file:///caf%C3%A9",
        "a b",
        "x:%20%3A",
        "file:///{path}",
        "demo://x?path=..",
        "urn:a:b",
        "...",
        "https://h/",
        "demo://a//b#c/d",
        "a%E2%82%AC%F0%9F%98%80%E0%A4%85",
    };
    static const char *const odd[] = {
        ".",
        "..",
        "demo://a/../b",
        "demo://a/./b",
        "demo://a/..",
        "demo:..",
        "demo://a/..?",
        "demo://../",
        "demo://a/..;x",
        "a\\b",
        "a\nb",
        "a\x7f",
        "a%2Fb",
        "a%2fb",
        "a%2e",
        "a%5Cb",
        "a%252e",
        "a/%c0%ae%c0%ae/b",
        "a%C0%AFb",
        "a%e0%80%aeb",
        "a%f0%80%80%afb",
        "a%00",
        "a%",
        "a%2",
        "a%zz",
        "a/..#b",
        " a:b",
        "a:b ",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        if (!resource_name_is_plain(slice_from(plain[i])))
            fail_msg("%s", plain[i]);
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
        if (resource_name_is_plain(slice_from(odd[i])))
            fail_msg("%s", odd[i]);
}

static void folds(const char *text, const char *expected)
{
    char out[128];
    size_t size = resource_name_fold(slice_from(text), out);

    assert_true(slice_is(slice_make(out, size), expected));
}

static void test_fold(void **state)
{
    (void)state;
    folds("", "");
    folds("FILE:///Secret", "file:///secret");
    folds("file:////a//b///c", "file:///a/b/c");
    folds("http://h//a", "http://h/a");
    folds("a//b", "a/b");
    folds("s%65cret%41", "secreta");
    folds("%C3%A9", "\xc3\xa9");
    folds("100%", "100%");
    folds("file:///secret*", "file:///secret*");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_fold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
