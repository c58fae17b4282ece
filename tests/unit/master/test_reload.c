#include "master/reload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct settings sample(void)
{
    struct settings settings = {
        .path = slice_from("/etc/gatehouse/gatehouse.yaml"),
        .public_addr = slice_from("https://gate.example.com"),
        .listeners = {{.address = slice_from("127.0.0.1:8443"),
                       .tls = true,
                       .certificate_count = 1},
                      {.address = slice_from("127.0.0.1:9090"), .admin = true}},
        .listener_count = 2,
        .certificate_count = 1,
        .workers = 4,
        .state_dir = slice_from("/var/lib/gatehouse"),
        .watcher_user = {slice_from("gatehouse-conf"), 990, 990},
        .worker_user = {slice_from("gatehouse"), 991, 991},
        .log_output = slice_from("stderr"),
        .config_map_size = 1 << 30,
        .session_map_size = 1 << 30,
    };

    return settings;
}

static void expect(const struct settings *to, enum reload_kind kind, const char *wanted)
{
    struct settings from = sample();
    const char *reason;

    assert_int_equal(reload_compare(&from, to, &reason), kind);
    if (wanted == NULL)
        assert_null(reason);
    else
        assert_string_equal(reason, wanted);
}

static void test_what_the_processes_can_take_is_put_in_place(void **state)
{
    struct settings to = sample();

    (void)state;
    expect(&to, RELOAD_IN_PLACE, NULL);
    to.public_addr = slice_from("https://other.example.com");
    to.log_output = slice_from("/var/log/gatehouse.log");
    to.limits.body_size = 1;
    to.certificate_count = to.listeners[0].certificate_count = 2;
    to.certificates[0].key = slice_from("/etc/new.key");
    expect(&to, RELOAD_IN_PLACE, NULL);
}

static void test_listeners_bring_a_generation(void **state)
{
    struct settings to = sample();

    (void)state;
    to.listeners[0].address = slice_from("127.0.0.1:8444");
    expect(&to, RELOAD_GENERATION, "gate.listen");
    to = sample();
    to.listeners[0].tls = false;
    expect(&to, RELOAD_GENERATION, "gate.listen");
    to = sample();
    to.listeners[1].admin = false;
    expect(&to, RELOAD_GENERATION, "gate.listen");
    to = sample();
    to.listener_count = 1;
    expect(&to, RELOAD_GENERATION, "gate.listen");
}

static void test_the_number_of_workers_brings_a_generation(void **state)
{
    struct settings to = sample();

    (void)state;
    to.workers = 5;
    expect(&to, RELOAD_GENERATION, "gate.workers");
}

static void test_what_a_run_stands_on_is_refused(void **state)
{
    struct settings to = sample();

    (void)state;
    to.state_dir = slice_from("/srv/gatehouse");
    to.workers = 5; /* the refusal comes first */
    expect(&to, RELOAD_REFUSED, "gate.state_dir");
    to = sample();
    to.worker_user.uid = 0;
    expect(&to, RELOAD_REFUSED, "gate.users");
    to = sample();
    to.watcher_user.name = slice_from("");
    expect(&to, RELOAD_REFUSED, "gate.users");
    to = sample();
    to.session_map_size *= 2;
    expect(&to, RELOAD_REFUSED, "gate.store");
    to = sample();
    to.config_map_size *= 2;
    expect(&to, RELOAD_REFUSED, "gate.store");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_the_processes_can_take_is_put_in_place),
        cmocka_unit_test(test_listeners_bring_a_generation),
        cmocka_unit_test(test_the_number_of_workers_brings_a_generation),
        cmocka_unit_test(test_what_a_run_stands_on_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
