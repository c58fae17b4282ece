#include "shared/store_chunk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_counts(void **state)
{
    (void)state;
    assert_int_equal(store_chunk_count(0), 1);
    assert_int_equal(store_chunk_count(1999), 1);
    assert_int_equal(store_chunk_count(2000), 2);
    assert_int_equal(store_chunk_count(4000), 3);
    assert_int_equal(store_chunk_count(16 * 2000), 17);
    assert_int_equal(store_chunk_count(17 * 2000), 17);
}

static void test_slices_make_up_the_record(void **state)
{
    static char bytes[17 * 2000];
    struct slice record = slice_make(bytes, sizeof(bytes));

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(i / 2000 + i % 97);
    for (size_t size = 0; size <= sizeof(bytes); size += 500) {
        struct slice parts[STORE_CHUNKS_MAX], joined;
        struct arena arena = {0};
        size_t sum = 0;

        record.size = size;
        for (size_t i = 0; i < store_chunk_count(size); i++) {
            struct slice chunk = store_chunk_slice(record, i);

            assert_true(chunk.size <= STORE_CHUNK_SIZE);
            assert_true(chunk.size == 0 || chunk.data == bytes + sum);
            sum += chunk.size;
            parts[i] = chunk;
        }
        assert_int_equal(sum, size);
        assert_int_equal(store_chunk_join(parts, store_chunk_count(size), &arena, &joined), 0);
        assert_true(slice_equal(joined, record));
        arena_free(&arena);
    }
}

static void test_keys(void **state)
{
    static const char *const expected[] = {"a/b", "a/b/1", "a/b/9", "a/b/10", "a/b/16"};
    static const size_t indexes[] = {0, 1, 9, 10, 16};
    char longest[STORE_KEY_MAX];
    struct store_key key;

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        store_chunk_key(&key, slice_from("a/b"), indexes[i]);
        assert_string_equal(key.text, expected[i]);
        assert_int_equal(key.size, strlen(expected[i]));
    }
    memset(longest, 'a', sizeof(longest));
    store_chunk_key(&key, slice_make(longest, sizeof(longest)), 0);
    assert_false(key.impossible);
    store_chunk_key(&key, slice_make(longest, sizeof(longest)), 1);
    assert_true(key.impossible);
}

static void test_parents(void **state)
{
    static const char *const children[] = {"a/1", "a/9", "a/10", "a/16"};
    static const char *const others[] = {"",     "1",    "/1",   "a/0",   "a/17", "a/01",
                                         "a/99", "a/1a", "a/-1", "a/116", "a/",   "a1"};
    struct slice parent;

    (void)state;
    for (size_t i = 0; i < sizeof(children) / sizeof(children[0]); i++) {
        assert_true(store_chunk_parent(slice_from(children[i]), &parent));
        assert_true(slice_is(parent, "a"));
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(store_chunk_parent(slice_from(others[i]), &parent));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_slices_make_up_the_record),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_parents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
