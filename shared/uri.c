#include "shared/uri.h"

#include <arpa/inet.h>
#include <errno.h>

enum { DNS_NAME_MAX = 253, DNS_LABEL_MAX = 63 }; /* RFC 1035, 2.3.4 */

static bool byte_is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static bool byte_is_letter(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static bool byte_is_hex(char byte)
{
    return byte_is_digit(byte) || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
}

/* pchar without "%" (RFC 3986, 3.3), and '/'. */
static bool byte_is_path(char byte)
{
    return byte_is_letter(byte) || byte_is_digit(byte) ||
           (byte != '\0' && strchr("-._~!$&'()*+,;=:@/", byte) != NULL);
}

static struct slice slice_take(struct slice text, size_t size)
{
    return slice_make(text.data, size);
}

static size_t slice_find(struct slice text, const char *bytes)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] != '\0' && strchr(bytes, text.data[i]) != NULL)
            return i;
    return text.size;
}

static bool slice_has_suffix(struct slice text, const char *suffix)
{
    size_t size = strlen(suffix);

    return text.size >= size &&
           slice_equal_nocase(slice_skip(text, text.size - size), slice_from(suffix));
}

static bool uri_is_path(struct slice text, bool query)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '%') {
            if (text.size - i < 3 || !byte_is_hex(text.data[i + 1]) ||
                !byte_is_hex(text.data[i + 2]))
                return false;
            i += 2;
        } else if (!byte_is_path(text.data[i]) && !(query && text.data[i] == '?')) {
            return false;
        }
    }
    return true;
}

/* Whether resolvers would take the label as a number, and so the name for an odd spelling of an
 * IPv4 address, such as 127.1 or 0x7f000001 (URL Standard, "ends in a number"). */
static bool dns_label_is_number(struct slice label)
{
    bool hex = label.size >= 2 && label.data[0] == '0' && (label.data[1] | 0x20) == 'x';

    for (size_t i = hex ? 2 : 0; i < label.size; i++)
        if (hex ? !byte_is_hex(label.data[i]) : !byte_is_digit(label.data[i]))
            return false;
    return true;
}

static bool dns_label_is_legal(struct slice label)
{
    if (label.size == 0 || label.size > DNS_LABEL_MAX || label.data[0] == '-' ||
        label.data[label.size - 1] == '-')
        return false;
    for (size_t i = 0; i < label.size; i++)
        if (!byte_is_letter(label.data[i]) && !byte_is_digit(label.data[i]) &&
            label.data[i] != '-' && label.data[i] != '_')
            return false;
    return true;
}

bool uri_is_dns_name(struct slice host)
{
    struct slice label;
    struct slice rest = host;

    if (host.size == 0 || host.size > DNS_NAME_MAX)
        return false;
    for (;;) {
        size_t dot = slice_find(rest, ".");

        label = slice_take(rest, dot);
        if (!dns_label_is_legal(label))
            return false;
        if (dot == rest.size)
            return !dns_label_is_number(label);
        rest = slice_skip(rest, dot + 1);
    }
}

bool uri_is_dns_label(struct slice name)
{
    if (!dns_label_is_legal(name))
        return false;
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] == '_' || (name.data[i] >= 'A' && name.data[i] <= 'Z'))
            return false;
    return true;
}

/* A numeric address into `bytes` (16 of them). */
static bool host_is_address(struct slice host, int family, unsigned char *bytes)
{
    char text[INET6_ADDRSTRLEN];

    if (host.size == 0 || host.size >= sizeof(text) || memchr(host.data, '\0', host.size) != NULL)
        return false;
    memcpy(text, host.data, host.size);
    text[host.size] = '\0';
    return inet_pton(family, text, bytes) == 1;
}

static const char *uri_parse_host(struct slice authority, struct uri *out, struct slice *rest)
{
    unsigned char bytes[16];
    size_t end;

    if (authority.size > 0 && authority.data[0] == '[') {
        end = slice_find(authority, "]");
        out->host = slice_make(authority.data + 1, end - 1);
        out->host_is_ip = true;
        *rest = slice_skip(authority, end + 1);
        if (end == authority.size || !host_is_address(out->host, AF_INET6, bytes))
            return "the host in brackets is not an IPv6 address";
        return NULL;
    }
    end = slice_find(authority, ":");
    out->host = slice_take(authority, end);
    out->host_is_ip = host_is_address(out->host, AF_INET, bytes);
    *rest = slice_skip(authority, end);
    if (out->host.size == 0)
        return "the host is missing";
    if (!out->host_is_ip && !uri_is_dns_name(out->host))
        return "the host is neither a DNS name nor an IP address";
    return NULL;
}

static const char *uri_parse_port(struct slice text, struct uri *out)
{
    unsigned port = 0;

    out->port = out->tls ? 443 : 80;
    if (text.size == 0)
        return NULL;
    if (text.data[0] != ':' || text.size < 2 || text.size > 6)
        return "the port must be a number from 1 to 65535";
    for (size_t i = 1; i < text.size; i++) {
        if (!byte_is_digit(text.data[i]))
            return "the port must be a number from 1 to 65535";
        port = port * 10 + (unsigned)(text.data[i] - '0');
    }
    if (port == 0 || port > 65535)
        return "the port must be a number from 1 to 65535";
    out->port = (uint16_t)port;
    out->port_given = true;
    return NULL;
}

static const char *uri_parse_scheme(struct slice text, struct uri *out, struct slice *rest)
{
    size_t end = slice_find(text, ":");

    out->scheme = slice_take(text, end);
    *rest = slice_skip(text, end);
    if (end == 0 || end == text.size || !byte_is_letter(text.data[0]) ||
        !slice_has_prefix(*rest, slice_from("://")))
        return "it must begin with a scheme and \"://\"";
    *rest = slice_skip(*rest, 3);
    for (size_t i = 0; i < end; i++)
        if (!byte_is_letter(text.data[i]) && !byte_is_digit(text.data[i]) && text.data[i] != '+' &&
            text.data[i] != '-' && text.data[i] != '.')
            return "the scheme holds an illegal character";
    out->tls = slice_equal_nocase(out->scheme, slice_from("https")) ||
               slice_has_suffix(out->scheme, "+https");
    if (!out->tls && !slice_equal_nocase(out->scheme, slice_from("http")) &&
        !slice_has_suffix(out->scheme, "+http"))
        return "the scheme must be, or end in, http or https";
    return NULL;
}

static const char *uri_parse_path(struct slice text, struct uri *out)
{
    size_t end = slice_find(text, "?");

    out->path = slice_take(text, end);
    out->query = slice_skip(text, end + 1);
    if (!uri_is_path(out->path, false))
        return "the path holds an illegal character";
    if (!uri_is_path(out->query, true))
        return "the query holds an illegal character";
    return NULL;
}

static const char *uri_parse_parts(struct slice text, struct uri *out)
{
    struct slice rest;
    struct slice authority;
    struct slice port;
    const char *reason;

    if (text.size > URI_MAX)
        return "it is longer than 2048 characters";
    if (slice_find(text, "#") < text.size)
        return "a fragment (#...) makes no sense here";
    reason = uri_parse_scheme(text, out, &rest);
    if (reason != NULL)
        return reason;
    authority = slice_take(rest, slice_find(rest, "/?"));
    if (slice_find(authority, "@") < authority.size)
        return "a user name or password in it is not allowed";
    reason = uri_parse_host(authority, out, &port);
    if (reason == NULL)
        reason = uri_parse_port(port, out);
    if (reason == NULL)
        reason = uri_parse_path(slice_skip(rest, authority.size), out);
    return reason;
}

int uri_parse(struct slice text, struct uri *out, const char **reason)
{
    *out = (struct uri){0};
    *reason = uri_parse_parts(text, out);
    return *reason == NULL ? 0 : -EINVAL;
}

bool uri_is_loopback(const struct uri *uri)
{
    static const unsigned char loopback6[16] = {[15] = 1};
    unsigned char bytes[16];

    if (slice_equal_nocase(uri->host, slice_from("localhost")))
        return true;
    if (host_is_address(uri->host, AF_INET, bytes))
        return bytes[0] == 127;
    return host_is_address(uri->host, AF_INET6, bytes) && memcmp(bytes, loopback6, 16) == 0;
}
