#include "conf/key_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

/* Private (RFC 1918), shared (RFC 6598) and loopback. */
static bool ipv4_private(uint32_t address)
{
    return address >> 24 == 10 || address >> 20 == 0xac1 || address >> 16 == 0xc0a8 ||
           address >> 22 == 0x191 || address >> 24 == 127;
}

static bool ipv4_refused(uint32_t address, enum key_address_scope scope)
{
    if (scope == KEY_ADDRESS_LOOPBACK)
        return address >> 24 != 127;
    if (scope == KEY_ADDRESS_PUBLIC && ipv4_private(address))
        return true;
    return address >> 24 == 0 ||      /* this network (RFC 1122, 3.2.1.3) */
           address >> 16 == 0xa9fe || /* link-local, and most clouds' metadata (RFC 3927) */
           address >> 28 >= 0xe ||    /* multicast, reserved, broadcast */
           address == 0x646464c8 ||   /* 100.100.100.200: Alibaba's metadata */
           address == 0xa83f8110;     /* 168.63.129.16: Azure's wire server */
}

static uint32_t ipv4_within(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static bool ipv6_refused(const uint8_t bytes[16], enum key_address_scope scope)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    static const uint8_t nat64[12] = {0, 0x64, 0xff, 0x9b};
    static const uint8_t compatible[12] = {0};
    static const uint8_t loopback[16] = {[15] = 1};
    static const uint8_t metadata[16] = {0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54};

    if (memcmp(bytes, loopback, 16) == 0)
        return scope == KEY_ADDRESS_PUBLIC;
    if (memcmp(bytes, mapped, 12) == 0)
        return ipv4_refused(ipv4_within(bytes + 12), scope);
    if (scope == KEY_ADDRESS_LOOPBACK)
        return true;
    if (scope == KEY_ADDRESS_PUBLIC && (bytes[0] & 0xfe) == 0xfc) /* unique local (RFC 4193) */
        return true;
    if (memcmp(bytes, nat64, 12) == 0 || memcmp(bytes, compatible, 12) == 0)
        return ipv4_refused(ipv4_within(bytes + 12), scope);
    return (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80) || /* link-local (RFC 4291, 2.5.6) */
           bytes[0] == 0xff || memcmp(bytes, metadata, 16) == 0;
}

bool key_address_refused(const struct sockaddr *address, socklen_t size,
                         enum key_address_scope scope)
{
    if (address->sa_family == AF_INET && size >= sizeof(struct sockaddr_in)) {
        struct sockaddr_in in;

        memcpy(&in, address, sizeof(in));
        return ipv4_refused(ntohl(in.sin_addr.s_addr), scope);
    }
    if (address->sa_family == AF_INET6 && size >= sizeof(struct sockaddr_in6)) {
        struct sockaddr_in6 in6;

        memcpy(&in6, address, sizeof(in6));
        return ipv6_refused(in6.sin6_addr.s6_addr, scope);
    }
    return true;
}
