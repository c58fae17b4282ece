/* Whose an MCP session or a task is, and that a record of before names no endpoint. */
#include "shared/mcp_origin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct mcp_origin example(void)
{
    return (struct mcp_origin){.issuer = slice_from("https://idp.example.com"),
                               .subject = slice_from("alice"),
                               .user = slice_from("alice@example.com"),
                               .address = slice_from("::1"),
                               .port = 3001,
                               .endpoint = UINT64_MAX - 5};
}

static int decode(struct slice bytes, struct mcp_origin *out)
{
    struct record_reader reader;

    record_open(&reader, bytes, '1');
    mcp_origin_get(&reader, out);
    return record_end(&reader);
}

static void test_reads_what_it_writes(void **state)
{
    struct mcp_origin origin = example(), found;
    struct record_writer writer;
    struct buffer bytes = {0};

    (void)state;
    record_begin(&writer, &bytes, '1');
    mcp_origin_put(&writer, &origin);
    assert_int_equal(record_finish(&writer), 0);
    assert_int_equal(decode(buffer_slice(&bytes), &found), 0);
    assert_true(mcp_origin_same_owner(&origin, &found));
    assert_true(slice_is(found.address, "::1"));
    assert_int_equal(found.port, 3001);
    assert_true(found.endpoint == UINT64_MAX - 5);
    buffer_free(&bytes);
}

static void test_reads_one_without_an_endpoint(void **state)
{
    struct mcp_origin found;

    (void)state;
    assert_int_equal(
        decode(slice_from("1 issuer=1:i subject=1:s user=1:u address=3:::1 port=4:3001"), &found),
        0);
    assert_int_equal(found.port, 3001);
    assert_true(found.endpoint == 0);
    assert_int_not_equal(
        decode(slice_from("1 issuer=1:i subject=1:s user=1:u address=3:::1 port=1:0"), &found), 0);
    assert_int_not_equal(
        decode(slice_from("1 issuer=1:i subject=1:s user=1:u address=3:::1 port=1:1 endpoint=1:x"),
               &found),
        0);
}

/* By subject where there is one: names change hands. */
static void test_is_of_its_owner_alone(void **state)
{
    struct mcp_origin origin = example();
    struct session_record caller = {
        .issuer = origin.issuer, .subject = origin.subject, .user = slice_from("renamed")};

    (void)state;
    assert_true(mcp_origin_is_of(&origin, &caller));
    caller.subject = slice_from("Alice");
    assert_false(mcp_origin_is_of(&origin, &caller));
    caller.subject = slice_from("alice");
    caller.issuer = slice_from("https://idp.example.com/");
    assert_false(mcp_origin_is_of(&origin, &caller));
    origin.subject = slice_make(NULL, 0);
    assert_false(mcp_origin_is_of(&origin, &caller));
    caller = (struct session_record){.issuer = origin.issuer, .user = origin.user};
    assert_true(mcp_origin_is_of(&origin, &caller));
    caller.user = slice_from("bob@example.com");
    assert_false(mcp_origin_is_of(&origin, &caller));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_what_it_writes),
        cmocka_unit_test(test_reads_one_without_an_endpoint),
        cmocka_unit_test(test_is_of_its_owner_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
