#include "shared/store_key.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void expect_part(const char *part, const char *spelled)
{
    struct store_key key;

    store_key_of(&key, slice_from(part));
    assert_false(key.impossible);
    assert_string_equal(key.text, spelled);
    assert_int_equal(key.size, strlen(spelled));
}

static void test_parts_are_encoded(void **state)
{
    (void)state;
    expect_part("weather-1.example_~@", "weather-1.example_~@");
    expect_part("", "");
    expect_part("a/b", "a%2Fb");
    expect_part("100%", "100%25");
    expect_part("\xc3\xa9 \n", "%C3%A9%20%0A");
    expect_part("<&\"", "%3C%26%22");
}

static void test_a_long_part_is_its_digest(void **state)
{
    char text[STORE_KEY_PART_MAX + 2];
    struct digest digest;
    char expected[DIGEST_HEX_SIZE + 2] = "%";

    (void)state;
    memset(text, 'a', sizeof(text));
    text[STORE_KEY_PART_MAX] = '\0';
    expect_part(text, text);
    text[STORE_KEY_PART_MAX] = 'a';
    text[STORE_KEY_PART_MAX + 1] = '\0';
    digest_of(slice_from(text), &digest);
    digest_hex(&digest, expected + 1);
    expect_part(text, expected);
    /* 41 bytes that take three each do not fit either. */
    memset(text, '/', 41);
    text[41] = '\0';
    digest_of(slice_from(text), &digest);
    digest_hex(&digest, expected + 1);
    expect_part(text, expected);
}

/* No part's text can name another part's digest: its '%' would be encoded. */
static void test_a_digest_form_cannot_be_typed(void **state)
{
    (void)state;
    expect_part("%e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                "%25e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void test_parts_are_joined(void **state)
{
    struct store_key key;

    (void)state;
    store_key_begin(&key);
    store_key_plain(&key, "jwt");
    store_key_part(&key, slice_from("a/b"));
    store_key_number(&key, 0x1f);
    store_key_digest(&key, slice_from("abc"));
    assert_string_equal(key.text,
                        "jwt/a%2Fb/000000000000001f/"
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_true(slice_is(store_key_slice(&key), key.text));
}

static void test_numbers_sort_as_numbers(void **state)
{
    static const uint64_t numbers[] = {0, 9, 10, 255, 256, UINT32_MAX, UINT64_MAX};
    struct store_key before, key;

    (void)state;
    store_key_begin(&before);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        store_key_begin(&key);
        store_key_number(&key, numbers[i]);
        assert_int_equal(key.size, 16);
        assert_true(slice_compare(store_key_slice(&before), store_key_slice(&key)) < 0);
        before = key;
    }
}

static void test_an_impossible_key_stays_so(void **state)
{
    char part[STORE_KEY_PART_MAX + 1];
    struct store_key key;

    (void)state;
    memset(part, 'a', sizeof(part) - 1);
    part[sizeof(part) - 1] = '\0';
    store_key_begin(&key);
    for (int i = 0; i < 4; i++)
        store_key_part(&key, slice_from(part));
    assert_false(key.impossible);
    store_key_part(&key, slice_from(part));
    assert_true(key.impossible);
    store_key_part(&key, slice_from("b"));
    assert_true(key.impossible);
    assert_true(key.size <= STORE_KEY_MAX);
    store_key_begin(&key);
    assert_false(key.impossible);
}

static void test_takes_a_key_as_it_stands(void **state)
{
    char text[STORE_KEY_MAX + 1];
    struct store_key key;

    (void)state;
    memset(text, 'a', sizeof(text));
    assert_int_equal(store_key_take(&key, slice_from("apps/%2F/x")), 0);
    assert_string_equal(key.text, "apps/%2F/x");
    assert_int_equal(store_key_take(&key, slice_make(text, STORE_KEY_MAX)), 0);
    assert_int_equal(store_key_slice(&key).size, STORE_KEY_MAX);
    assert_int_equal(store_key_take(&key, slice_make(text, sizeof(text))), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts_are_encoded),
        cmocka_unit_test(test_a_long_part_is_its_digest),
        cmocka_unit_test(test_a_digest_form_cannot_be_typed),
        cmocka_unit_test(test_parts_are_joined),
        cmocka_unit_test(test_numbers_sort_as_numbers),
        cmocka_unit_test(test_an_impossible_key_stays_so),
        cmocka_unit_test(test_takes_a_key_as_it_stands),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
