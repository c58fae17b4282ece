#include "shared/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static struct settings example(void)
{
    struct settings settings = {
        .path = slice_from("/etc/gatehouse/gatehouse.yaml"),
        .public_addr = slice_from("https://gate.example.com"),
        .public_host = slice_from("gate.example.com"),
        .allowed_origins = {slice_from("https://a.example.com"), slice_from("http://b:1")},
        .allowed_origin_count = 2,
        .allowed_hosts = {slice_from("gate.internal")},
        .allowed_host_count = 1,
        .listeners = {{.address = slice_from("0.0.0.0:443"), .tls = true, .certificate_count = 2},
                      {.address = slice_from("[::1]:9090"), .admin = true, .first_certificate = 2}},
        .listener_count = 2,
        .certificates = {{slice_from("/a.crt"), slice_from("/a.key")},
                         {slice_from("/b.crt"), slice_from("/b.key")}},
        .certificate_count = 2,
        .workers = 4,
        .state_dir = slice_from("/var/lib/gatehouse"),
        .watcher_user = {slice_from("gatehouse-conf"), 101, 102},
        .worker_user = {slice_from("gatehouse"), 103, 104},
        .bridge_user = {slice_from("gatehouse-bridge"), 105, 106},
        .stdio_users = {{slice_from("tools"), 107, 108}, {slice_from("more"), 109, 110}},
        .stdio_user_count = 2,
        .log_output = slice_from("stderr"),
        .log_format = LOG_JSON,
        .log_level = LOG_DEBUG,
        .audit = {.output = slice_from("/var/log/audit"), .arguments = true, .refusals = 7},
        .config_map_size = UINT64_C(1) << 30,
        .session_map_size = UINT64_C(2) << 30,
        .app_service = true,
        .session_cache = true,
    };
    uint64_t value = 2000;

    for (size_t i = 0; i < sizeof(settings.limits) / sizeof(value); i++, value++)
        memcpy((char *)&settings.limits + i * sizeof(value), &value, sizeof(value));
    for (size_t i = 0; i < sizeof(settings.stdio) / sizeof(value); i++, value++)
        memcpy((char *)&settings.stdio + i * sizeof(value), &value, sizeof(value));
    return settings;
}

/* What decoding the encoded settings gives: 0, or the error. */
static int carried(const struct settings *settings, struct arena *arena, struct settings *out)
{
    struct buffer buffer = {0};
    int error = settings_encode(settings, &buffer);

    if (error == 0)
        error = settings_decode(buffer_slice(&buffer), arena, out);
    buffer_wipe(&buffer); /* what was decoded must not need it */
    return error;
}

static void test_round_trip(void **state)
{
    struct settings settings = example();
    struct arena arena = {0};
    struct settings out;

    (void)state;
    assert_int_equal(carried(&settings, &arena, &out), 0);
    assert_true(slice_is(out.path, "/etc/gatehouse/gatehouse.yaml"));
    assert_true(slice_is(out.public_addr, "https://gate.example.com"));
    assert_true(slice_is(out.public_host, "gate.example.com"));
    assert_int_equal(out.allowed_origin_count, 2);
    assert_true(slice_is(out.allowed_origins[1], "http://b:1"));
    assert_int_equal(out.allowed_host_count, 1);
    assert_true(slice_is(out.allowed_hosts[0], "gate.internal"));
    assert_int_equal(out.listener_count, 2);
    assert_true(out.listeners[0].tls && !out.listeners[0].admin);
    assert_int_equal(out.listeners[0].certificate_count, 2);
    assert_true(slice_is(out.listeners[1].address, "[::1]:9090") && out.listeners[1].admin);
    assert_int_equal(out.certificate_count, 2);
    assert_true(slice_is(out.certificates[1].key, "/b.key"));
    assert_int_equal(out.workers, 4);
    assert_int_equal(out.resources_dir.size, 0);
    assert_int_equal(out.worker_user.uid, 103);
    assert_int_equal(out.worker_user.gid, 104);
    assert_true(slice_is(out.watcher_user.name, "gatehouse-conf"));
    assert_int_equal(out.log_format, LOG_JSON);
    assert_int_equal(out.log_level, LOG_DEBUG);
    assert_true(slice_is(out.audit.output, "/var/log/audit"));
    assert_true(out.audit.arguments && !out.audit.refuse);
    assert_int_equal(out.audit.refusals, 7);
    assert_int_equal(out.session_map_size, UINT64_C(2) << 30);
    assert_true(out.session_cache);
    assert_true(out.app_service && !out.debug_app);
    assert_memory_equal(&out.limits, &settings.limits, sizeof(out.limits));
    assert_memory_equal(&out.stdio, &settings.stdio, sizeof(out.stdio));
    assert_int_equal(out.bridge_user.uid, 105);
    assert_int_equal(out.stdio_user_count, 2);
    assert_true(slice_is(out.stdio_users[1].name, "more"));
    assert_int_equal(out.stdio_users[1].gid, 110);
    arena_free(&arena);
}

static void refused(struct settings settings, const char *what)
{
    struct arena arena = {0};
    struct settings out;

    if (carried(&settings, &arena, &out) != -EBADMSG)
        fail_msg("accepted: %s", what);
    assert_int_equal(out.listener_count, 0);
    arena_free(&arena);
}

#define REFUSED(change)                       \
    do {                                      \
        struct settings settings = example(); \
        settings.change;                      \
        refused(settings, #change);           \
    } while (0)

static void test_ranges(void **state)
{
    (void)state;
    REFUSED(workers = 0);
    REFUSED(workers = SETTINGS_WORKERS_MAX + 1);
    REFUSED(listener_count = 0);
    REFUSED(listeners[0].address = slice_from("gate:443"));
    REFUSED(listeners[0].certificate_count = 3);
    REFUSED(listeners[0].first_certificate = 1);
    REFUSED(listeners[0].tls = false);
    REFUSED(listeners[1].tls = true);
    REFUSED(certificates[0].key = slice_from("relative.key"));
    REFUSED(certificates[0].key = slice_make("/a\0b", 4));
    REFUSED(path = slice_from("gatehouse.yaml"));
    REFUSED(state_dir = slice_from(""));
    REFUSED(resources_dir = slice_from("resources.d"));
    REFUSED(log_output = slice_from("stdout"));
    REFUSED(audit.output = slice_from("stdout"));
    REFUSED(audit.refusals = UINT64_MAX);
    REFUSED(worker_user.uid = 0);
    REFUSED(watcher_user.gid = 0);
    REFUSED(bridge_user.uid = 0);
    REFUSED(stdio_users[1].uid = 0);
    REFUSED(stdio_users[0].gid = 0);
    REFUSED(stdio_users[0].name.size = 0);
    REFUSED(stdio.max_servers = 0);
    REFUSED(stdio.line_size = 0);
    REFUSED(worker_user.uid = UINT32_MAX);
    REFUSED(public_host = slice_from(""));
    REFUSED(log_level = (enum log_level)9);
    REFUSED(config_map_size = 0);
    REFUSED(limits.head_size = 0);
    REFUSED(limits.watchdog = 999);
    REFUSED(limits.drain_timeout = UINT64_MAX);
}

/* Neither a cut message, nor one with any byte changed, reads beyond it. */
static void test_hostile_bytes(void **state)
{
    struct settings settings = example();
    struct buffer buffer = {0};
    struct arena arena = {0};
    struct settings out;

    (void)state;
    assert_int_equal(settings_encode(&settings, &buffer), 0);
    for (size_t size = 0; size < buffer_size(&buffer); size++)
        assert_int_equal(settings_decode(slice_make(buffer_data(&buffer), size), &arena, &out),
                         -EBADMSG);
    for (size_t i = 0; i < buffer_size(&buffer); i++) {
        buffer_data(&buffer)[i] ^= 0x11;
        settings_decode(buffer_slice(&buffer), &arena, &out);
        buffer_data(&buffer)[i] ^= 0x11;
    }
    assert_int_equal(settings_decode(buffer_slice(&buffer), &arena, &out), 0);
    buffer_append_text(&buffer, " more=1:x");
    assert_int_equal(settings_decode(buffer_slice(&buffer), &arena, &out), -EBADMSG);
    buffer_free(&buffer);
    arena_free(&arena);
}

static void test_address(void **state)
{
    static const char *const wrong[] = {
        "",      "127.0.0.1",    "127.0.0.1:",      "127.0.0.1:0",
        ":80",   "::1:80",       "[127.0.0.1]:80",  "[::1]80",
        "[::1]", "localhost:80", "127.0.0.1:65536", "1.2.3:80",
        "[]:80", "127.0.0.1:8x", "127.0.0.1:-1",    " 127.0.0.1:80"};
    struct sockaddr_storage address;
    struct sockaddr_in *four = (struct sockaddr_in *)&address;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&address;
    socklen_t size;

    (void)state;
    assert_int_equal(settings_address(slice_from("127.0.0.1:8080"), &address, &size), 0);
    assert_int_equal(size, sizeof(*four));
    assert_int_equal(four->sin_family, AF_INET);
    assert_int_equal(ntohs(four->sin_port), 8080);
    assert_int_equal(ntohl(four->sin_addr.s_addr), INADDR_LOOPBACK);
    assert_int_equal(settings_address(slice_from("[::1]:65535"), &address, &size), 0);
    assert_int_equal(size, sizeof(*six));
    assert_int_equal(ntohs(six->sin6_port), 65535);
    assert_true(IN6_IS_ADDR_LOOPBACK(&six->sin6_addr));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (settings_address(slice_from(wrong[i]), &address, &size) != -EINVAL)
            fail_msg("accepted: %s", wrong[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_hostile_bytes),
        cmocka_unit_test(test_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
