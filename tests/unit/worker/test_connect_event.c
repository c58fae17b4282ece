/* The id and the pause that a stream's events name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/connect_event.h"

static struct connect_event fields;

static void read_event(const char *text)
{
    struct event event = {.bytes = slice_from(text)};

    connect_event_read(&event, &fields);
}

static void test_fields(void **state)
{
    (void)state;
    read_event("id: a-1\ndata: {}\nretry: 250\n\n");
    assert_true(fields.has_id && slice_is(fields.id, "a-1"));
    assert_true(fields.has_retry && fields.retry == 250);
    read_event("id:x\r\nid:y\r\ndata\r\n\r\n");
    assert_true(fields.has_id && slice_is(fields.id, "y"));
    assert_false(fields.has_retry);
    read_event("id\n\n");
    assert_true(fields.has_id && fields.id.size == 0);
    read_event("data: id: no\n: id: neither\nretry: soon\nretry: -1\nidea: x\n\n");
    assert_false(fields.has_id || fields.has_retry);
    read_event("id: a\x01\n\n");
    assert_false(fields.has_id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fields)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
