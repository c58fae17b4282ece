#include "worker/bridge_call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct bridge_calls calls;
static char owners[3]; /* stand for sessions and streams: only their addresses count */

static struct bridge_session *session(int n)
{
    return (struct bridge_session *)(void *)&owners[n];
}

static struct bridge_stream *stream(int n)
{
    return (struct bridge_stream *)(void *)&owners[n];
}

static struct bridge_call *add(uint64_t id, const char *client_id, int owner)
{
    struct bridge_call *call =
        bridge_call_add(&calls, id, BRIDGE_CALL_CLIENT, slice_from(client_id), slice_make(NULL, 0));

    assert_non_null(call);
    call->session = session(owner);
    call->stream = stream(owner);
    return call;
}

static void test_calls(void **state)
{
    (void)state;
    add(1, "\"a\"", 0);
    add(65, "\"a\"", 1); /* of the same bucket */
    add(300, "7", 0);
    assert_int_equal(calls.count, 3);
    assert_int_equal(bridge_call_find(&calls, 65)->id, 65);
    assert_null(bridge_call_find(&calls, 2));
    assert_int_equal(bridge_call_named(&calls, session(0), slice_from("\"a\""))->id, 1);
    assert_int_equal(bridge_call_named(&calls, session(1), slice_from("\"a\""))->id, 65);
    assert_null(bridge_call_named(&calls, session(1), slice_from("7")));
    assert_null(bridge_call_named(&calls, session(0), slice_from("\"7\"")));
    assert_int_equal(bridge_call_of(&calls, stream(1), NULL)->id, 65);
    assert_null(bridge_call_of(&calls, stream(2), NULL));
    assert_null(bridge_call_of(&calls, NULL, session(2)));
    assert_int_equal(bridge_call_after(&calls, 0)->id, 1);
    assert_int_equal(bridge_call_after(&calls, 1)->id, 65);
    assert_int_equal(bridge_call_after(&calls, 65)->id, 300);
    assert_null(bridge_call_after(&calls, 300));
    bridge_call_remove(&calls, bridge_call_find(&calls, 1));
    assert_null(bridge_call_find(&calls, 1));
    assert_non_null(bridge_call_find(&calls, 65));
    while (calls.count > 0)
        bridge_call_remove(&calls, bridge_call_after(&calls, 0));
}

/* Our own requests are of no client, and cannot be named. */
static void test_our_own(void **state)
{
    struct bridge_call *call =
        bridge_call_add(&calls, 5, BRIDGE_CALL_PROBE, slice_make(NULL, 0), slice_make(NULL, 0));

    (void)state;
    assert_null(bridge_call_named(&calls, NULL, slice_make(NULL, 0)));
    bridge_call_remove(&calls, call);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_calls),
                                       cmocka_unit_test(test_our_own)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
