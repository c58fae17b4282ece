#include "conf/key_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool refused(const char *text, enum key_address_scope scope)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
        return key_address_refused((struct sockaddr *)&in, sizeof(in), scope);
    assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
    return key_address_refused((struct sockaddr *)&in6, sizeof(in6), scope);
}

static void test_addresses(void **state)
{
    static const char *const never[] = {"169.254.169.254",
                                        "0.0.0.0",
                                        "224.0.0.1",
                                        "255.255.255.255",
                                        "100.100.100.200",
                                        "168.63.129.16",
                                        "::",
                                        "fe80::1",
                                        "febf::1",
                                        "ff02::1",
                                        "fd00:ec2::254",
                                        "::ffff:169.254.169.254",
                                        "::169.254.169.254",
                                        "64:ff9b::a9fe:a9fe"};
    static const char *const may[] = {"127.0.0.1", "10.1.2.3", "192.0.2.1",
                                      "::1",       "fd00::1",  "2001:db8::1"};

    (void)state;
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
        assert_true(refused(never[i], KEY_ADDRESS_NAMED));
    for (size_t i = 0; i < sizeof(may) / sizeof(may[0]); i++)
        assert_false(refused(may[i], KEY_ADDRESS_NAMED));
    assert_false(refused("127.0.0.2", KEY_ADDRESS_LOOPBACK));
    assert_false(refused("::1", KEY_ADDRESS_LOOPBACK));
    assert_true(refused("10.1.2.3", KEY_ADDRESS_LOOPBACK));
    assert_true(refused("2001:db8::1", KEY_ADDRESS_LOOPBACK));
    assert_true(refused("::ffff:10.1.2.3", KEY_ADDRESS_LOOPBACK));
}

static void test_what_nobody_configured_is_public(void **state)
{
    static const char *const inside[] = {
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "172.31.255.255",  "192.168.0.1", "100.64.0.1",
        "::1",       "fd00::1",  "fc00::1",    "::ffff:10.1.2.3", "fe80::1",     "169.254.169.254"};
    static const char *const outside[] = {"192.0.2.1",   "172.32.0.1",  "172.15.0.1",
                                          "100.128.0.1", "2001:db8::1", "192.169.0.1"};

    (void)state;
    for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++)
        assert_true(refused(inside[i], KEY_ADDRESS_PUBLIC));
    for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++)
        assert_false(refused(outside[i], KEY_ADDRESS_PUBLIC));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_addresses),
                                       cmocka_unit_test(test_what_nobody_configured_is_public)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
