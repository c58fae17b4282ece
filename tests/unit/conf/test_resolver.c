#include "conf/resolver.h"

#include <ev.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static unsigned changes;

static void on_changed(void *context)
{
    (void)context;
    changes++;
}

static void follow(struct resolver *resolver, const char *a, const char *b, const char *c)
{
    struct slice hosts[] = {slice_from(a), slice_from(b), slice_from(c)};

    assert_int_equal(resolver_follow(resolver, hosts, 3), 0);
}

static void test_known_at_once(void **state)
{
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    struct resolver *resolver;
    struct slice out[8];

    (void)state;
    assert_int_equal(resolver_open(&resolver, loop, on_changed, NULL), 0);
    assert_true(resolver_settled(resolver));
    follow(resolver, "localhost", "192.0.2.7", "2001:DB8::0:1");
    assert_true(resolver_settled(resolver));
    assert_int_equal(resolver_addresses(resolver, slice_from("localhost"), out, 8), 2);
    assert_true(slice_is(out[0], "127.0.0.1"));
    assert_true(slice_is(out[1], "::1"));
    assert_int_equal(resolver_addresses(resolver, slice_from("localhost"), out, 1), 1);
    assert_int_equal(resolver_addresses(resolver, slice_from("192.0.2.7"), out, 8), 1);
    assert_true(slice_is(out[0], "192.0.2.7"));
    assert_int_equal(resolver_addresses(resolver, slice_from("2001:DB8::0:1"), out, 8), 1);
    assert_true(slice_is(out[0], "2001:db8::1"));
    resolver_close(resolver);
    ev_loop_destroy(loop);
}

static void test_follows_exactly_these(void **state)
{
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    struct resolver *resolver;
    struct slice out[8];

    (void)state;
    assert_int_equal(resolver_open(&resolver, loop, on_changed, NULL), 0);
    follow(resolver, "192.0.2.2", "192.0.2.1", "192.0.2.2");
    follow(resolver, "192.0.2.3", "192.0.2.1", "192.0.2.4");
    assert_int_equal(resolver_addresses(resolver, slice_from("192.0.2.1"), out, 8), 1);
    assert_int_equal(resolver_addresses(resolver, slice_from("192.0.2.2"), out, 8), 0);
    assert_int_equal(resolver_addresses(resolver, slice_from("192.0.2.4"), out, 8), 1);
    resolver_close(resolver);
    ev_loop_destroy(loop);
}

/* A label over 63 bytes cannot be asked for (RFC 1035, 2.3.4): c-ares says so without a packet. */
static void test_refused_name_is_settled(void **state)
{
    static const char name[] =
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        ".invalid.";
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    struct resolver *resolver;
    struct slice out[8];

    (void)state;
    changes = 0;
    assert_int_equal(resolver_open(&resolver, loop, on_changed, NULL), 0);
    follow(resolver, name, name, "127.0.0.1");
    for (int i = 0; i < 100 && !resolver_settled(resolver); i++)
        ev_run(loop, EVRUN_ONCE);
    assert_true(resolver_settled(resolver));
    assert_int_equal(changes, 1);
    assert_int_equal(resolver_addresses(resolver, slice_from(name), out, 8), 0);
    resolver_close(resolver);
    ev_loop_destroy(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_at_once),
        cmocka_unit_test(test_follows_exactly_these),
        cmocka_unit_test(test_refused_name_is_settled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
