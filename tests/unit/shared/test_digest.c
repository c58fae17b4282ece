#include "shared/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

static void test_known_answers(void **state)
{
    /* FIPS 180-4 examples, and the digest of nothing. */
    static const struct {
        const char *text, *hex;
    } known[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        struct digest digest;
        char hex[DIGEST_HEX_SIZE + 1];

        digest_of(slice_from(known[i].text), &digest);
        digest_hex(&digest, hex);
        assert_string_equal(hex, known[i].hex);
    }
}

static void test_parts_are_one_run(void **state)
{
    struct slice parts[] = {slice_from("a"), slice_make(NULL, 0), slice_make("\0", 1),
                            slice_from("bc")};
    struct digest whole, gathered;

    (void)state;
    digest_of(slice_make("a\0bc", 4), &whole);
    digest_of_parts(parts, 4, &gathered);
    assert_memory_equal(whole.bytes, gathered.bytes, DIGEST_SIZE);
    digest_of(slice_make(NULL, 0), &whole);
    digest_of_parts(NULL, 0, &gathered);
    assert_memory_equal(whole.bytes, gathered.bytes, DIGEST_SIZE);
}

static void test_parts_longer_than_the_stack(void **state)
{
    size_t size = 100000;
    char *bytes = malloc(size);
    struct digest whole, gathered;
    struct slice parts[2];

    (void)state;
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 7);
    parts[0] = slice_make(bytes, 3);
    parts[1] = slice_make(bytes + 3, size - 3);
    digest_of(slice_make(bytes, size), &whole);
    digest_of_parts(parts, 2, &gathered);
    assert_memory_equal(whole.bytes, gathered.bytes, DIGEST_SIZE);
    free(bytes);
}

static void test_equal_secret(void **state)
{
    (void)state;
    assert_true(digest_equal_secret(slice_from("secret"), slice_from("secret")));
    assert_true(digest_equal_secret(slice_make(NULL, 0), slice_from("")));
    assert_false(digest_equal_secret(slice_from("secret"), slice_from("secreT")));
    assert_false(digest_equal_secret(slice_from("secret"), slice_from("Secret")));
    assert_false(digest_equal_secret(slice_from("secret"), slice_from("secre")));
    assert_false(digest_equal_secret(slice_make("\x80", 1), slice_make("\0", 1)));
}

/* Whichever way the size is taken apart, each byte counts. */
static void test_equal_secret_sees_every_byte(void **state)
{
    char left[200], right[200];

    (void)state;
    for (size_t i = 0; i < sizeof(left); i++)
        left[i] = (char)(i * 7);
    memcpy(right, left, sizeof(left));
    for (size_t size = 0; size <= sizeof(left); size++) {
        assert_true(digest_equal_secret(slice_make(left, size), slice_make(right, size)));
        for (size_t i = 0; i < size; i++) {
            right[i] = (char)(right[i] ^ 0x10);
            assert_false(digest_equal_secret(slice_make(left, size), slice_make(right, size)));
            right[i] = left[i];
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_parts_are_one_run),
        cmocka_unit_test(test_parts_longer_than_the_stack),
        cmocka_unit_test(test_equal_secret),
        cmocka_unit_test(test_equal_secret_sees_every_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
