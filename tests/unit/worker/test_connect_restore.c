/* What a client has told its session, as it is noted for the next one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "worker/connect_call.h"

static struct connect_restore restore;

static int set_up(void **state)
{
    (void)state;
    memset(&restore, 0, sizeof(restore));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    connect_restore_clear(&restore);
    return 0;
}

/* The server agreed to that request; `params`: JSON. */
static void told(const char *method, const char *params)
{
    struct connect_call call = {0};

    buffer_append(&call.method, method, strlen(method) + 1);
    buffer_append_format(&call.text, "{\"id\":1,\"method\":\"%s\",\"params\":%s}", method, params);
    connect_restore_note(&restore, &call);
    buffer_free(&call.method);
    buffer_free(&call.text);
}

static void test_the_last_level_counts(void **state)
{
    (void)state;
    told("logging/setLevel", "{\"level\":\"info\"}");
    told("logging/setLevel", "{\"level\":\"d\\u0065bug\"}");
    told("logging/setLevel", "{\"level\":7}");
    assert_true(slice_is(buffer_slice(&restore.level), "debug"));
    told("tools/call", "{\"level\":\"error\"}");
    assert_true(slice_is(buffer_slice(&restore.level), "debug"));
}

static void test_subscriptions_less_those_given_up(void **state)
{
    (void)state;
    told("resources/subscribe", "{\"uri\":\"a:1\"}");
    told("resources/subscribe", "{\"uri\":\"a:2\"}");
    told("resources/subscribe", "{\"uri\":\"\\u0061:1\"}");
    assert_int_equal(restore.count, 2);
    told("resources/unsubscribe", "{\"uri\":\"a:3\"}");
    told("resources/unsubscribe", "{\"uri\":\"a:1\"}");
    assert_int_equal(restore.count, 1);
    assert_true(slice_is(buffer_slice(&restore.uris[0]), "a:2"));
    connect_restore_clear(&restore);
    assert_int_equal(restore.count, 0);
}

static void test_bounds(void **state)
{
    static char params[CONNECT_RESTORE_TEXT_MAX + 32];

    (void)state;
    for (int i = 0; i < CONNECT_RESTORE_URIS + 10; i++) {
        snprintf(params, sizeof(params), "{\"uri\":\"a:%d\"}", i);
        told("resources/subscribe", params);
    }
    assert_int_equal(restore.count, CONNECT_RESTORE_URIS);
    told("resources/unsubscribe", "{\"uri\":\"a:0\"}");
    snprintf(params, sizeof(params), "{\"uri\":\"%0*d\"}", CONNECT_RESTORE_TEXT_MAX, 0);
    told("resources/subscribe", params);
    assert_int_equal(restore.count, CONNECT_RESTORE_URIS - 1);
    told("resources/subscribe", "{\"uri\":\"\"}");
    told("resources/subscribe", "[]");
    assert_int_equal(restore.count, CONNECT_RESTORE_URIS - 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_last_level_counts),
        TEST(test_subscriptions_less_those_given_up),
        TEST(test_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
