/* Ends of sessions between two processes: what is put is read, and what is cut is not. */
#include "shared/session_end.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void put_two(struct buffer *out)
{
    assert_int_equal(
        session_end_put(out, SESSION_END_GATE, slice_from("jwt_1"), slice_from("record")), 0);
    assert_int_equal(session_end_put(out, SESSION_END_MCP, slice_from("app/2"), slice_from("")), 0);
}

static void test_entries(void **state)
{
    struct buffer bytes = {0};
    struct session_end end;
    struct slice rest;

    (void)state;
    put_two(&bytes);
    rest = buffer_slice(&bytes);
    assert_true(session_end_next(&rest, &end));
    assert_int_equal(end.kind, SESSION_END_GATE);
    assert_true(slice_is(end.key, "jwt_1") && slice_is(end.record, "record"));
    assert_true(session_end_next(&rest, &end));
    assert_int_equal(end.kind, SESSION_END_MCP);
    assert_true(slice_is(end.key, "app/2") && end.record.size == 0);
    assert_false(session_end_next(&rest, &end));
    buffer_free(&bytes);
}

static void test_cuts_and_lies(void **state)
{
    struct buffer bytes = {0};
    struct session_end end;

    (void)state;
    put_two(&bytes);
    for (size_t size = 0; size < buffer_size(&bytes); size++) {
        char *copy = test_malloc(size + 1); /* told when a byte beyond is read */
        struct slice rest = slice_make(copy, size);
        size_t count = 0;

        memcpy(copy, buffer_data(&bytes), size);
        while (session_end_next(&rest, &end))
            count++;
        assert_true(count < 2);
        test_free(copy);
    }
    for (size_t i = 0; i < 12; i++) {
        struct slice rest = buffer_slice(&bytes);
        char before = buffer_data(&bytes)[i];

        buffer_data(&bytes)[i] = (char)0xff; /* a kind of none, sizes beyond the text */
        assert_false(session_end_next(&rest, &end) && end.kind == SESSION_END_GATE &&
                     end.key.size + end.record.size > buffer_size(&bytes));
        buffer_data(&bytes)[i] = before;
    }
    buffer_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_cuts_and_lies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
